//go:build unix

package exec_test

import (
	"os"
	"testing"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/agent/exec"
)

func TestLimitsAreNamedWhenTheyEndAnAgent(t *testing.T) {
	for name, tt := range map[string]struct {
		limit func(*exec.Config)
		line  string
		want  string
	}{
		"memory":  {func(c *exec.Config) { c.Memory = 200 << 20 }, "!hog 300000000", "The agent took more memory than its limit of 209715200 bytes."},
		"time":    {func(c *exec.Config) { c.TaskTime = 50 * time.Millisecond }, "!count", "The agent took longer for its task than its limit of 50ms."},
		"line":    {func(c *exec.Config) { c.MaxLine = 1000 }, "!long 1000", "The agent wrote a line of more than 1000 bytes."},
		"output":  {func(c *exec.Config) { c.MaxOutput = 1000 }, "!flood", "The agent's output in one task was more than 1000 bytes."},
		"message": {func(c *exec.Config) { c.MaxMessage = 1000 }, "!long 1001", "The agent's thought was more than 1000 bytes."},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			tt.limit(&c)
			s := tell(t, c)
			require.Equal(t, agent.Failed(tt.want), s.send(tt.line))
		})
	}
}

func TestALimitSparesWhatIsJustWithinIt(t *testing.T) {
	c := config(t)
	c.MaxMessage, c.MaxLine = 1000, 2000
	require.Equal(t, agent.Done, tell(t, c).send("!long 1000", `{"type":"done"}`).Type)
}

func TestTheOutputOfEachTaskIsCountedAnew(t *testing.T) {
	c := config(t)
	c.MaxOutput = 1000
	s := tell(t, c)
	for range 3 {
		require.Equal(t, agent.Done, s.send("!long 700", `{"type":"done"}`).Type)
	}
}

func TestPausesAndOpenQuestionsTakeNoTime(t *testing.T) {
	c := config(t)
	c.TaskTime = 2 * time.Second
	s := tell(t, c)
	pid := s.pid()
	hold := s.worker.(agent.Pauser)
	_, over := s.begin(`{"type":"thought","text":"working"}`)
	s.until("thought: working")
	require.NoError(t, hold.Pause())
	eventually(t, func() bool { return status(pid) == ps.Stop }, "it is stopped")
	require.Never(t, func() bool { return len(over) > 0 }, 2500*time.Millisecond, 50*time.Millisecond)
	require.NoError(t, hold.Resume())
	s.worker.(agent.Listener).Hear(agent.Message{ID: 9, Type: agent.User, Content: []byte(`"{\"type\":\"question\",\"text\":\"Which?\"}"`)})
	require.Equal(t, agent.Question, (<-over).Type)
	require.Never(t, func() bool { return !living(pid) }, 2500*time.Millisecond, 50*time.Millisecond)
	require.Equal(t, agent.Done, s.answer("M").Type)
}

func BenchmarkMemoryOfAGroup(b *testing.B) {
	a, err := exec.New(exec.Config{Name: "b", Command: []string{"true"}, RunDir: b.TempDir()})
	require.NoError(b, err)
	group, err := ps.NewProcess(int32(os.Getpid()))
	require.NoError(b, err)
	pids, err := ps.Pids()
	require.NoError(b, err)
	for b.Loop() {
		a.Forget()
		a.Resident(int(group.Pid))
	}
	b.ReportMetric(float64(len(pids)), "processes")
}

func TestAFloodIsHeldBackWhileNobodyTakesIt(t *testing.T) {
	s := tell(t, config(t, "stubborn"))
	s.slow = make(chan struct{})
	cancel, over := s.begin("!flood")
	s.slow <- struct{}{}
	for range 100 {
		s.worker.(agent.Listener).Hear(agent.Message{ID: 9, Type: agent.User, Content: []byte(`"more"`)})
	}
	s.slow <- struct{}{}
	eventually(t, func() bool { return len(s.heard()) == 2 }, "two lines are taken")
	s.worker.Close()
	cancel()
	<-over
	require.Len(t, s.heard(), 2)
}
