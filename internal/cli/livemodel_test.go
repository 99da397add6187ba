package cli

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// screen is a live view and what was done from it.
type screen struct {
	t         *testing.T
	model     tea.Model
	answers   []workflows.AnswerInput
	refuse    error // the next answer and cancellation
	cancelled int
	quit      bool
}

func newScreen(t *testing.T) *screen {
	s := &screen{t: t}
	s.model = newLiveModel(liveCalls{
		answer: func(in workflows.AnswerInput) error {
			s.answers = append(s.answers, in)
			return s.refuse
		},
		cancel: func() error {
			s.cancelled++
			return s.refuse
		},
	})
	s.send(tea.WindowSizeMsg{Width: 80, Height: 24})
	return s
}

// send gives the view a message, and then what comes of its command.
func (s *screen) send(msg tea.Msg) {
	s.t.Helper()
	var cmd tea.Cmd
	s.model, cmd = s.model.Update(msg)
	if cmd == nil {
		return
	}
	switch result := cmd().(type) {
	case tea.QuitMsg:
		s.quit = true
	case answeredMsg, cancelledMsg:
		s.send(result)
	}
}

func (s *screen) press(keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		switch key {
		case "ctrl+c":
			s.send(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl})
		case "enter":
			s.send(tea.KeyPressMsg{Code: tea.KeyEnter})
		case "esc":
			s.send(tea.KeyPressMsg{Code: tea.KeyEscape})
		default:
			for _, r := range key {
				s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
			}
		}
	}
}

func (s *screen) text() string { return plain(s.model.View().Content) }

var styling = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func plain(text string) string { return styling.ReplaceAllString(text, "") }

func asked(id string) starter.AgentTask {
	return starter.AgentTask{Status: workflows.StatusWaiting, Phase: workflows.PhaseWaiting, Turns: 1, Question: &workflows.Question{ID: id, Text: "Well?"}}
}

func TestTheStatusLineSaysWhatIsGoingOn(t *testing.T) {
	s := newScreen(t)
	require.Contains(t, s.text(), "starting · Ctrl-C to leave")
	s.send(taskMsg{starter.AgentTask{Phase: workflows.PhaseWorking, Turns: 2}})
	require.Contains(t, s.text(), "the agent is working · turn 2 · Ctrl-C to leave")
	s.send(taskMsg{starter.AgentTask{Phase: workflows.PhaseWorking, Status: workflows.StatusPaused}})
	require.Contains(t, s.text(), "paused")
	s.send(closedMsg{})
	require.True(t, s.quit)
	require.Empty(t, s.text(), "nothing stays behind")
}

func TestAQuestionIsAnsweredInTheView(t *testing.T) {
	s := newScreen(t)
	s.press("lost", "enter")
	require.Empty(t, s.answers, "nobody has asked")

	s.send(taskMsg{asked("q-1")})
	require.Contains(t, s.text(), "waiting for your answer")
	s.press(" ", "enter")
	require.Empty(t, s.answers, "an empty answer is none")
	s.send(tea.KeyPressMsg{Code: tea.KeyBackspace})
	s.press("Med")
	s.send(taskMsg{asked("q-1")}) // another look must not take away what was typed
	s.press("ium")
	s.send(tea.PasteMsg{Content: " or so"})
	require.Contains(t, s.text(), "› Medium or so")
	s.press("enter")
	require.Equal(t, []workflows.AnswerInput{{QuestionID: "q-1", Text: "Medium or so"}}, s.answers)
	require.NotContains(t, s.text(), "›")

	s.send(taskMsg{asked("q-2")})
	require.NotContains(t, s.text(), "Medium", "a new question begins with an empty line")
	s.send(taskMsg{starter.AgentTask{Status: workflows.StatusRunning, Phase: workflows.PhaseSending}})
	require.NotContains(t, s.text(), "›", "someone else has answered")
}

func TestAnAnswerThatWasRefusedCanBeMended(t *testing.T) {
	s := newScreen(t)
	s.send(taskMsg{asked("q-1")})
	s.refuse = errors.New("the answer is\ntoo long")
	s.press("x", "enter")
	require.Contains(t, s.text(), "not answered: the answer is too long")
	require.Contains(t, s.text(), "› x")
	s.refuse = nil
	s.press("y", "enter")
	require.Equal(t, "xy", s.answers[1].Text)
	require.NotContains(t, s.text(), "not answered")
}

func TestAnAnswerThatIsKnownIsNotAskedForAgain(t *testing.T) {
	s := newScreen(t)
	late := asked("q-1")
	late.Answers = []workflows.Answer{{QuestionID: "q-1"}}
	s.send(taskMsg{late})
	require.NotContains(t, s.text(), "›")
}

func TestCtrlCAsksWhatToDo(t *testing.T) {
	detached := func(s *screen) bool { return s.model.(liveModel).detached }

	s := newScreen(t)
	s.press("ctrl+c")
	require.Contains(t, s.text(), "[d]etach  [c]ancel  [Esc] go on")
	s.press("x", "esc")
	require.Contains(t, s.text(), "Ctrl-C to leave")
	require.False(t, s.quit)

	s.press("ctrl+c", "d")
	require.True(t, s.quit)
	require.True(t, detached(s))

	s = newScreen(t)
	s.press("ctrl+c", "ctrl+c")
	require.True(t, s.quit)
	require.True(t, detached(s))

	s = newScreen(t)
	s.press("ctrl+c", "c")
	require.Equal(t, 1, s.cancelled)
	require.False(t, s.quit, "the view stays until the task has ended")
	require.Contains(t, s.text(), "cancelling")

	s = newScreen(t)
	s.refuse = errors.New("no way")
	s.press("ctrl+c", "c")
	require.Contains(t, s.text(), "not cancelled: no way")
	require.NotContains(t, s.text(), "cancelling")
}

func TestLinesAreWrappedUnderTheirMark(t *testing.T) {
	text := plain(renderLine(line{kind: "question q-1", text: "Which of these?\n1. " + strings.Repeat("long ", 6)}, 20, true))
	require.Equal(t, []string{"? Which of these?", "  1. long long long", "  long long long"}, trimmed(text))
	url := "http://127.0.0.1:1/session/" + strings.Repeat("x", 40)
	require.Equal(t, "· session "+url, plain(renderLine(line{kind: kindSession, text: url}, 20, true)), "an address stays whole")
}

func TestColorCanBeDeclined(t *testing.T) {
	question := line{kind: "question q-1", text: "Well?"}
	require.Contains(t, renderLine(question, 20, true), "33m")
	require.NotContains(t, renderLine(question, 20, false), "33")
}

func trimmed(text string) []string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return lines
}
