//go:build unix

package exec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// number is what an agent said last, as a number.
func (s *story) number() int {
	s.t.Helper()
	eventually(s.t, func() bool { return len(s.heard()) > 0 }, "the agent says a number")
	said := s.heard()
	n, err := strconv.Atoi(strings.TrimPrefix(said[len(said)-1], "thought: "))
	require.NoError(s.t, err)
	return n
}

func TestACancelThatIsAcknowledgedKeepsTheProcess(t *testing.T) {
	s := tell(t, config(t))
	pid := s.pid()
	cancel, over := s.begin(`{"type":"thought","text":"working"}`)
	s.until("thought: working")
	cancel()
	<-over
	require.Equal(t, pid, s.pid())
}

func TestACancelThatIsIgnoredEndsTheWholeGroup(t *testing.T) {
	c := config(t, "stubborn")
	c.Grace = 50 * time.Millisecond
	s := tell(t, c)
	pid := s.pid()
	cancel, over := s.begin("!spawn")
	grandchild := s.number()
	cancel()
	<-over
	require.False(t, living(pid))
	eventually(t, func() bool { return !living(grandchild) }, "the grandchild is gone")
	require.NotEqual(t, pid, s.pid())
}

func TestATaskCancelledAtItsQuestionIsToldBeforeTheNext(t *testing.T) {
	s := tell(t, config(t))
	pid := s.pid()
	s.send(`{"type":"question","text":"Which?"}`)
	require.NoError(t, s.worker.(agent.Pauser).Pause())
	require.Equal(t, pid, s.pid(), "acknowledged, though it was paused")
}

func TestCloseEndsChildrenThatIgnoreTheirEnd(t *testing.T) {
	s := tell(t, config(t))
	pid := s.pid()
	cancel, over := s.begin("!spawn")
	grandchild := s.number()
	cancel()
	<-over
	s.worker.Close()
	require.False(t, living(pid))
	require.False(t, living(grandchild))
	left, err := os.ReadDir(s.agent.RunDir)
	require.NoError(t, err)
	require.Empty(t, left, "no record stays")
	s.worker.Close()
}

func TestAPausedAgentStandsStill(t *testing.T) {
	c := config(t)
	c.Grace = 50 * time.Millisecond
	s := tell(t, c)
	pid := s.pid()
	cancel, over := s.begin("!count")
	counter := filepath.Join(s.session.Dir, "count")
	count := func() string {
		data, _ := os.ReadFile(counter)
		return string(data)
	}
	eventually(t, func() bool { return count() != "" }, "it counts")
	hold := s.worker.(agent.Pauser)
	require.NoError(t, hold.Pause())
	eventually(t, func() bool { return status(pid) == ps.Stop }, "it is stopped")
	at := count()
	require.Never(t, func() bool { return count() != at }, 200*time.Millisecond, 10*time.Millisecond)
	require.Equal(t, ps.Stop, status(pid))
	require.NoError(t, hold.Resume())
	eventually(t, func() bool { return count() != at && count() != "" }, "it counts on")

	require.NoError(t, hold.Pause())
	eventually(t, func() bool { return status(pid) == ps.Stop }, "it is stopped again")
	cancel()
	<-over
	require.False(t, living(pid), "a paused agent that is busy counting ends with the cancel")
}

func TestAPausedAgentIsCancelledAndStays(t *testing.T) {
	s := tell(t, config(t))
	pid := s.pid()
	cancel, over := s.begin(`{"type":"thought","text":"working"}`)
	s.until("thought: working")
	require.NoError(t, s.worker.(agent.Pauser).Pause())
	eventually(t, func() bool { return status(pid) == ps.Stop }, "it is stopped")
	cancel()
	<-over
	require.Equal(t, pid, s.pid())
}

func TestAPausedAgentIsClosed(t *testing.T) {
	s := tell(t, config(t))
	pid := s.pid()
	s.send(`{"type":"question","text":"Which?"}`)
	require.NoError(t, s.worker.(agent.Pauser).Pause())
	s.worker.Close()
	require.False(t, living(pid))
}

func TestADeathInTheMiddleOfATaskIsTold(t *testing.T) {
	var many []string
	for i := range 30 {
		many = append(many, fmt.Sprintf("!stderr line %d", i))
	}
	for name, tt := range map[string]struct {
		lines []string
		want  string
	}{
		"with an exit status":          {[]string{"!exit 3"}, "The agent's process ended with exit status 3."},
		"with status 0 but no result":  {[]string{"!exit 0"}, "The agent's process ended with exit status 0."},
		"by a signal":                  {[]string{"!die"}, "The agent's process was killed by signal 9 (killed)."},
		"with what it wrote to stderr": {[]string{"!stderr out of luck", "!exit 1"}, "The agent's process ended with exit status 1:\nout of luck"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, agent.Failed(tt.want), tell(t, config(t)).send(tt.lines...))
		})
	}
	t.Run("with no more than its last lines", func(t *testing.T) {
		told := text(tell(t, config(t)).send(append(many, "!exit 1")...))
		require.NotContains(t, told, "line 9\n")
		require.Contains(t, told, "status 1:\nline 10\nline 11")
		require.True(t, strings.HasSuffix(told, "line 29"))
	})
}

func TestWhatAnAgentSaidBeforeItsExitCounts(t *testing.T) {
	s := tell(t, config(t))
	require.Equal(t, "fine", text(s.send(`{"type":"thought","text":"last"}`, `{"type":"done","text":"fine"}`, "!exit 0")))
	require.Equal(t, []string{"thought: last"}, s.heard())
	require.NotZero(t, s.pid(), "it is started again for the next message")
}

func TestADeathWithAnOpenQuestionIsTold(t *testing.T) {
	s := tell(t, config(t))
	require.Equal(t, agent.Question, s.send(`{"type":"question","text":"Which?"}`, "!exit 4").Type)
	eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.gone) > 0
	}, "the session is told")
	require.Equal(t, "The agent's process ended with exit status 4.", s.gone[0])
	outcome := s.answer("M")
	require.Equal(t, agent.Error, outcome.Type)
	require.Contains(t, text(outcome), "ended while its question was open")
}

func TestAnAgentThatNeverReadsItsInputIsEnded(t *testing.T) {
	s := tell(t, config(t, "blind"))
	s.agent.SetReadTime(50 * time.Millisecond)
	outcome := s.send(strings.Repeat("x", 1<<20))
	require.Equal(t, agent.Failed("The agent has not read its input for 50ms."), outcome)
}

func TestAnAgentWithTooManyLinesUnreadIsEnded(t *testing.T) {
	s := tell(t, config(t, "blind"))
	_, over := s.begin(strings.Repeat("x", 1<<20))
	s.until("thought: not listening")
	for range 300 {
		s.worker.(agent.Listener).Hear(agent.Message{ID: 9, Type: agent.User, Content: []byte(`"more"`)})
	}
	require.Equal(t, agent.Failed("The agent does not read its input: 256 lines wait."), <-over)
}
