//go:build unix

package exec_test

import (
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	ps "github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/agent/exec"
)

const saved = `{"type":"state","state":{"page":4}}`

// crash kills the agent with its server, and begins the server's next life.
func (s *story) crash() {
	s.worker.Close()
	s.open()
}

func TestAnAgentGoesOnFromItsState(t *testing.T) {
	s := tell(t, config(t, "restorer"))
	s.send(saved, `{"type":"done"}`)
	require.NotEmpty(t, s.agent.Lost(s.session, s.state), "a state of a task that is over does not help the next")
	s.crash()
	var started struct{ State json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(text(s.send("!start"))), &started))
	require.JSONEq(t, `{"page":4}`, string(started.State))
	require.Empty(t, s.heard())
}

func TestATaskWithAStateOutlivesTheServer(t *testing.T) {
	s := tell(t, config(t, "restorer"))
	require.NotEmpty(t, s.agent.Lost(s.session, s.state))
	s.send(saved, `{"type":"question","text":"Which?"}`)
	require.Empty(t, s.agent.Lost(s.session, s.state))
	other := s.session
	other.ID = "another"
	require.NotEmpty(t, s.agent.Lost(other, s.state))
	s.crash()
	require.Contains(t, text(s.answer("M")), `"answer":"M","to":2`)
	require.NotEmpty(t, s.agent.Lost(s.session, s.state), "the task is over")
	require.Empty(t, s.gone)
}

func TestAnInterruptedTaskKeepsItsState(t *testing.T) {
	s := tell(t, config(t, "restorer"))
	turn := s.turn(saved+"\n"+`{"type":"thought","text":"working"}`+"\n!exit 1", false)
	s.worker.Run(t.Context(), turn)
	s.crash()
	again := *turn
	again.State = s.state
	again.Message.Content = json.RawMessage(`"!start"`)
	outcome := s.worker.Run(t.Context(), &again)
	require.Contains(t, text(outcome), `"state":{"page":4}`)
	require.Empty(t, s.agent.Lost(s.session, s.state), "until its end is written")
}

func TestANewTaskEndsTheStateOfACancelledOne(t *testing.T) {
	s := tell(t, config(t))
	cancel, over := s.begin(saved, `{"type":"thought","text":"working"}`)
	s.until("thought: working")
	cancel()
	<-over
	require.Empty(t, s.agent.Lost(s.session, s.state))
	_, over = s.begin(`{"type":"thought","text":"again"}`)
	s.until("thought: again")
	s.mu.Lock()
	state := s.state
	s.mu.Unlock()
	require.NotEmpty(t, s.agent.Lost(s.session, state))
	s.worker.Close()
	require.Equal(t, agent.Error, (<-over).Type)
}

func TestAnAgentThatCannotRestoreGoesOnWithout(t *testing.T) {
	for trait, why := range map[string]string{"forgetful": "the state is of another version", "fragile": "panic: bad state"} {
		t.Run(trait, func(t *testing.T) {
			s := tell(t, config(t, trait))
			s.send(saved, `{"type":"done"}`)
			s.crash()
			require.NotContains(t, text(s.send("!start")), `"state"`)
			require.Len(t, s.heard(), 1)
			require.Contains(t, s.heard()[0], "log: The agent could not restore its state")
			require.Contains(t, s.heard()[0], why)
			s.crash()
			s.pid()
			require.Len(t, s.heard(), 1, "the state is forgotten")
		})
	}
}

func TestAnAgentKeepsWhatItSavesOnRequest(t *testing.T) {
	s := tell(t, config(t, "screen"))
	s.send(saved, `{"type":"done"}`)
	kept, err := s.worker.(agent.Keeper).Keep(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `{"state":{"saved":"on request"}}`, string(kept))
}

func TestAnAgentThatIsPausedInATaskCanSave(t *testing.T) {
	s := tell(t, config(t, "screen"))
	cancel, over := s.begin(`{"type":"thought","text":"working"}`)
	s.until("thought: working")
	require.NoError(t, s.worker.(agent.Pauser).Pause())
	kept, err := s.worker.(agent.Keeper).Keep(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(kept), "on request")
	cancel()
	<-over
}

func TestAnAgentThatDoesNotSaveKeepsItsLastState(t *testing.T) {
	s := tell(t, config(t))
	s.pid()
	keeper := s.worker.(agent.Keeper)
	_, err := keeper.Keep(t.Context())
	require.EqualError(t, err, "the agent has given no state")
	s.send(saved, `{"type":"done"}`)
	kept, err := keeper.Keep(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `{"state":{"page":4}}`, string(kept))
}

// foreign starts a process in a group of its own, with those variables.
func foreign(t *testing.T, env ...string) (pid int, ended <-chan error) {
	cmd := osexec.Command("sleep", "600")
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd.Process.Pid, done
}

func TestLeftoversOfAKilledServerAreEnded(t *testing.T) {
	leader := func(t *testing.T, pid int) int64 {
		started, err := (&ps.Process{Pid: int32(pid)}).CreateTime()
		require.NoError(t, err)
		return started
	}
	for name, tt := range map[string]struct {
		env     []string
		started func(t *testing.T, pid int) int64
		ended   bool
	}{
		"a process that started when the record says": {nil, leader, true},
		"a process that says it is of the session":    {[]string{"ERRAND_SESSION_ID=s-1"}, func(*testing.T, int) int64 { return 1 }, true},
		"not a process whose number was used again":   {[]string{"ERRAND_SESSION_ID=s-2"}, func(*testing.T, int) int64 { return 1 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			pid, ended := foreign(t, tt.env...)
			c := config(t)
			require.NoError(t, os.MkdirAll(c.RunDir, 0o700))
			path := filepath.Join(c.RunDir, strconv.Itoa(pid)+".json")
			record := fmt.Sprintf(`{"pid":%d,"started":%d,"session":"s-1"}`, pid, tt.started(t, pid))
			require.NoError(t, os.WriteFile(path, []byte(record), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(c.RunDir, "1.json"), []byte(`{"pid`), 0o600))
			_, err := exec.New(c)
			require.NoError(t, err)
			require.NoFileExists(t, path)
			if tt.ended {
				require.ErrorContains(t, <-ended, "killed")
			} else {
				require.True(t, living(pid))
			}
		})
	}
}

func TestARunningAgentIsOnRecord(t *testing.T) {
	s := tell(t, config(t))
	pid := s.pid()
	require.FileExists(t, filepath.Join(s.agent.RunDir, strconv.Itoa(pid)+".json"))
	_, err := exec.New(s.agent.Config)
	require.NoError(t, err)
	eventually(t, func() bool { return !living(pid) }, "the next life of the server ends it")
}

func TestAPictureThatIsNoPictureIsNotShown(t *testing.T) {
	s := tell(t, config(t))
	require.Equal(t, agent.Done, s.send(`{"type":"screenshot","jpeg":"!"}`, `{"type":"done"}`).Type)
	require.Empty(t, s.shots)
}
