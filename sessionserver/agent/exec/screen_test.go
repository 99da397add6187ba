//go:build unix

package exec_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/agent/exec"
)

func (s *story) screen() agent.Screen { return s.worker.(agent.Screen) }

func (s *story) navigate(url string) string {
	s.t.Helper()
	at, err := s.screen().Navigate(s.t.Context(), url)
	require.NoError(s.t, err)
	return at
}

func (s *story) look() {
	s.t.Helper()
	_, err := s.screen().Screenshot(s.t.Context())
	require.NoError(s.t, err)
}

// pids are those of the processes on record.
func (s *story) pids() []int {
	s.t.Helper()
	records, err := filepath.Glob(filepath.Join(s.agent.RunDir, "*.json"))
	require.NoError(s.t, err)
	var pids []int
	for _, r := range records {
		pid, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(r), ".json"))
		require.NoError(s.t, err)
		pids = append(pids, pid)
	}
	return pids
}

// started waits until the program is started, and gives its process id.
func (s *story) started() int {
	s.t.Helper()
	eventually(s.t, func() bool { return len(s.pids()) == 1 }, "a process is started")
	return s.pids()[0]
}

// asked is the first line that the latest process was given.
func (s *story) asked() string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.session.Dir, "start.json"))
	require.NoError(s.t, err)
	return string(data)
}

// looking takes a picture meanwhile.
func (s *story) looking(ctx context.Context) <-chan error {
	screen, over := s.screen(), make(chan error, 1)
	go func() {
		_, err := screen.Screenshot(ctx)
		over <- err
	}()
	return over
}

func TestAScreenIsAskedAndPushed(t *testing.T) {
	s := tell(t, config(t, "screen"))
	s.send(`{"type":"screenshot","jpeg":"cHVzaGVk","title":"P"}`, `{"type":"done"}`)
	require.Equal(t, []agent.Screenshot{{JPEG: []byte("pushed"), Title: "P"}}, s.shots)

	shot, err := s.screen().Screenshot(t.Context())
	require.NoError(t, err)
	require.Equal(t, agent.Screenshot{JPEG: []byte("jpeg"), URL: "http://a.example/", Title: "A", Width: 3, Height: 2}, shot)
	require.Equal(t, "http://b.example/#there", s.navigate("http://b.example/"))
	_, err = s.screen().Navigate(t.Context(), "http://nowhere.example/")
	require.EqualError(t, err, "no such host")
}

func TestAScreenIsThereBeforeTheFirstMessageWhichFindsThePageOpen(t *testing.T) {
	s := tell(t, config(t, "screen"))
	require.False(t, s.worker.(agent.Sleeper).Awake())
	require.Equal(t, "http://b.example/#there", s.navigate("http://b.example/"))
	require.True(t, s.worker.(agent.Sleeper).Awake())
	s.look()
	pid := s.started()
	require.JSONEq(t, `{"at":"http://b.example/"}`, text(s.send("!at")))
	require.Equal(t, pid, s.pid())
	require.Empty(t, s.heard())
}

func TestManyWhoLookAtOnceStartOneProcess(t *testing.T) {
	s := tell(t, config(t, "screen"))
	var all sync.WaitGroup
	for range 8 {
		all.Go(s.look)
	}
	all.Go(func() { s.pid() })
	all.Wait()
	require.Len(t, s.pids(), 1)
}

func TestAProgramThatIsStartedForItsScreenKnowsItsSession(t *testing.T) {
	s := tell(t, config(t, "screen"))
	s.send(saved, `{"type":"done","text":"ok"}`)
	s.crash()
	s.look()
	var start struct {
		History []struct{ ID int }
		State   json.RawMessage
	}
	require.NoError(t, json.Unmarshal([]byte(s.asked()), &start))
	require.Len(t, start.History, 2)
	require.JSONEq(t, `{"page":4}`, string(start.State))
}

func TestWhyThereIsNoScreen(t *testing.T) {
	for name, tt := range map[string]struct {
		traits string
		spoil  func(*exec.Config)
		want   string
	}{
		"the program says that it has none":    {"restorer", nil, agent.ErrNoScreen.Error()},
		"the program never says what it can":   {"", nil, agent.ErrNoScreen.Error()},
		"the program cannot be started":        {"screen", func(c *exec.Config) { c.Command = []string{"no-such-agent"} }, `the agent's program "no-such-agent" cannot be started: `},
		"the program ends at once":             {"stillborn", nil, "The agent's process ended with exit status 3:\nno browser here"},
		"the program ends when it is asked":    {"screen,shortsighted", nil, "The agent's process ended with exit status 4."},
		"the program takes too much memory":    {"hog", func(c *exec.Config) { c.Memory = 200 << 20 }, "The agent took more memory than its limit of 209715200 bytes."},
		"the program writes too long a line":   {"screen", func(c *exec.Config) { c.MaxLine = 10 }, "The agent wrote a line of more than 10 bytes."},
		"the program cannot write a good line": {"blind", nil, agent.ErrNoScreen.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t, tt.traits)
			if tt.spoil != nil {
				tt.spoil(&c)
			}
			s := tell(t, c)
			s.state = json.RawMessage(`{"state":1}`)
			s.agent.SetReadyTime(time.Second)
			if c.Memory != 0 {
				s.agent.SetReadyTime(time.Minute)
			}
			_, err := s.screen().Screenshot(t.Context())
			require.ErrorContains(t, err, tt.want)
			require.False(t, s.worker.(agent.Sleeper).Awake())
		})
	}
}

func TestAProgramThatHasNoScreenWorksOnTheNextMessage(t *testing.T) {
	s := tell(t, config(t))
	s.agent.SetReadyTime(time.Millisecond)
	_, err := s.screen().Navigate(t.Context(), "http://a.example/")
	require.ErrorIs(t, err, agent.ErrNoScreen)
	require.Equal(t, s.started(), s.pid())
	_, err = s.screen().Screenshot(t.Context())
	require.ErrorIs(t, err, agent.ErrNoScreen)
}

func TestOneWhoWaitsForAScreenCanGiveUp(t *testing.T) {
	s := tell(t, config(t))
	gone := errors.New("the caller has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	over := s.looking(ctx)
	pid := s.started()
	cancel(gone)
	require.Equal(t, gone, <-over)
	require.Equal(t, pid, s.pid(), "the program stays for the next")
}

func TestTheEndOfTheSessionEndsAProgramThatIsJustStarting(t *testing.T) {
	s := tell(t, config(t))
	over := s.looking(t.Context())
	pid := s.started()
	s.worker.Close()
	require.Error(t, <-over)
	require.False(t, living(pid))
	_, err := s.screen().Screenshot(t.Context())
	require.EqualError(t, err, "the session is being deleted")
	require.Equal(t, agent.Failed("The session is being deleted."), s.send("!pid"))
	require.Empty(t, s.pids(), "nothing is started after the end")
}

func TestAMessageIsGivenToAProgramThatIsJustStarting(t *testing.T) {
	s := tell(t, config(t, "screen,shy"))
	over := s.looking(t.Context())
	pid := s.started()
	require.Equal(t, pid, s.pid())
	require.NoError(t, <-over)
}

func TestAScreenIsShownWithoutAStateThatCannotBeRestored(t *testing.T) {
	for trait, why := range map[string]string{"forgetful": "the state is of another version", "fragile": "panic: bad state"} {
		t.Run(trait, func(t *testing.T) {
			s := tell(t, config(t, "screen,"+trait))
			s.state = json.RawMessage(`{"state":{"page":4}}`)
			s.look()
			require.NotContains(t, s.asked(), `"state"`)
			pid := s.started()
			require.Empty(t, s.heard(), "there is no task to tell it in")
			require.Equal(t, pid, s.pid())
			require.Len(t, s.heard(), 1)
			require.Contains(t, s.heard()[0], "log: The agent could not restore its state")
			require.Contains(t, s.heard()[0], why)
			require.JSONEq(t, `{}`, string(s.state))
			s.pid()
			require.Len(t, s.heard(), 1)
		})
	}
}

func TestATurnAndAnOnlookerBothFindThatTheStateCannotBeRestored(t *testing.T) {
	for _, trait := range []string{"forgetful", "fragile"} {
		t.Run(trait, func(t *testing.T) {
			s := tell(t, config(t, "screen,shy,"+trait))
			s.state = json.RawMessage(`{"state":{"page":4}}`)
			over := s.looking(t.Context())
			first := s.started()
			require.NotEqual(t, first, s.pid())
			require.NoError(t, <-over)
			require.Len(t, s.pids(), 1)
			require.Len(t, s.heard(), 1)
			require.NotContains(t, s.asked(), `"state"`)
		})
	}
}

func TestARefusedStateThatNobodyWaitedForIsTold(t *testing.T) {
	s := tell(t, config(t, "screen,lazy,forgetful"))
	s.state = json.RawMessage(`{"state":{"page":4}}`)
	ctx, cancel := context.WithCancel(t.Context())
	over := s.looking(ctx)
	first := s.started()
	cancel()
	require.ErrorIs(t, <-over, context.Canceled)
	require.NoError(t, os.WriteFile(filepath.Join(s.session.Dir, "go"), nil, 0o600))
	eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(s.session.Dir, "gone"))
		return err == nil
	}, "it has said that it cannot restore")
	require.NotEqual(t, first, s.pid())
	require.Len(t, s.heard(), 1)
	require.NotContains(t, s.asked(), `"state"`)
}

func TestAPageOpenedBetweenTasksIsThereInTheNextLifeOfTheServer(t *testing.T) {
	s := tell(t, config(t, "screen,keeper"))
	s.navigate("http://b.example/")
	s.crash()
	require.JSONEq(t, `{"at":"http://b.example/"}`, text(s.send("!at")))
	s.navigate("http://c.example/")
	require.NotEmpty(t, s.agent.Lost(s.session, s.state), "that is no state of a task")
	s.crash()
	s.look()
	require.JSONEq(t, `{"at":"http://c.example/"}`, text(s.send("!at")))
}

func TestAProgramThatDiedBetweenTasksIsStartedAgainForItsScreen(t *testing.T) {
	s := tell(t, config(t, "screen"))
	first := s.pid()
	_, err := s.worker.(agent.Keeper).Keep(t.Context()) // it gives a state between tasks
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	eventually(t, func() bool { return len(s.pids()) == 0 }, "its end is seen")
	require.False(t, s.worker.(agent.Sleeper).Awake())
	s.look()
	require.Contains(t, s.asked(), `"state":{"saved":"on request"}`)
	require.Equal(t, s.started(), s.pid())
}

func TestAnAnswerIsNotGivenToAProgramThatHasNotAsked(t *testing.T) {
	s := tell(t, config(t, "screen"))
	require.Equal(t, agent.Question, s.send(`{"type":"question","text":"Which?"}`, "!exit 4").Type)
	eventually(t, func() bool { return len(s.pids()) == 0 }, "its end is seen")
	s.look()
	require.Contains(t, text(s.answer("M")), "ended while its question was open")
	require.Equal(t, s.started(), s.pid(), "the next task is for the one that shows the screen")
}

func TestAnOpenQuestionOfAnotherLifeIsAnsweredToTheProgramThatShowsItsScreen(t *testing.T) {
	s := tell(t, config(t, "screen"))
	require.Equal(t, agent.Question, s.send(saved, `{"type":"question","text":"Which?"}`).Type)
	s.crash()
	s.navigate("http://b.example/")
	pid := s.started()
	require.Empty(t, s.agent.Lost(s.session, s.state))
	require.JSONEq(t, `{"answer":"M","to":2,"pid":`+strconv.Itoa(pid)+`}`, text(s.answer("M")))
}

func TestAFirstTaskThatIsCancelledKeepsTheScreen(t *testing.T) {
	s := tell(t, config(t, "screen"))
	s.navigate("http://b.example/")
	pid := s.started()
	hold := s.worker.(agent.Pauser)
	require.NoError(t, hold.Pause(), "there is nothing to hold")
	s.look()
	require.NoError(t, hold.Resume())
	cancel, over := s.begin(`{"type":"thought","text":"working"}`)
	s.until("thought: working")
	s.look()
	cancel()
	<-over
	require.Equal(t, pid, s.pid())
}
