package cli

import (
	"fmt"
	"strings"
	"time"

	"charm.land/bubbles/v2/spinner"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

var (
	dim    = lipgloss.NewStyle().Faint(true)
	strong = lipgloss.NewStyle().Bold(true)
	asking = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Yellow)
	wrong  = lipgloss.NewStyle().Foreground(lipgloss.Red)
)

// liveModel is the live view of one task: a status line, and below what was
// said a line to answer questions in.
type liveModel struct {
	calls liveCalls
	task  starter.AgentTask

	spinner  spinner.Model
	input    textinput.Model
	question string // id of the question that the input line is for; empty: there is none
	sending  bool   // an answer is on its way
	notice   string // why the last answer or cancellation was not taken

	leaving    bool // the user is asked what to do
	cancelling bool
	detached   bool
	closed     bool
}

// liveCalls are what a person can do to the task from the view.
type liveCalls struct {
	answer func(workflows.AnswerInput) error
	cancel func() error
}

// What is sent to the view.
type (
	taskMsg      struct{ task starter.AgentTask }
	closedMsg    struct{}
	answeredMsg  struct{ err error }
	cancelledMsg struct{ err error }
)

func newLiveModel(calls liveCalls) liveModel {
	input := textinput.New()
	input.Prompt = "› "
	input.Placeholder = "your answer"
	input.CharLimit = workflows.MaxText
	styles := input.Styles()
	styles.Cursor.Blink = false // there is enough that moves
	input.SetStyles(styles)
	return liveModel{
		calls:   calls,
		spinner: spinner.New(spinner.WithSpinner(spinner.MiniDot)),
		input:   input,
	}
}

// Init implements [tea.Model].
func (m liveModel) Init() tea.Cmd { return m.spinner.Tick }

// Update implements [tea.Model].
func (m liveModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case taskMsg:
		return m.changed(msg.task)
	case closedMsg:
		m.closed = true
		return m, tea.Quit
	case answeredMsg:
		m.sending = false
		m.note("not answered", msg.err)
		if msg.err == nil {
			m.question = ""
		}
	case cancelledMsg:
		m.cancelling = msg.err == nil
		m.note("not cancelled", msg.err)
	case tea.KeyPressMsg:
		return m.pressed(msg)
	case tea.WindowSizeMsg:
		m.input.SetWidth(max(10, msg.Width-4))
	case spinner.TickMsg:
		m.spinner, cmd = m.spinner.Update(msg)
	default:
		m.input, cmd = m.input.Update(msg)
	}
	return m, cmd
}

func (m *liveModel) note(what string, err error) {
	m.notice = ""
	if err != nil {
		m.notice = fmt.Sprintf("%s: %s", what, oneLine(err.Error()))
	}
}

// changed takes the task as it is now.
func (m liveModel) changed(task starter.AgentTask) (tea.Model, tea.Cmd) {
	m.task = task
	switch q := task.Question; {
	case q == nil:
		m.question = ""
	case q.ID != m.question && !m.answered(q.ID):
		m.question, m.notice = q.ID, ""
		m.input.Reset()
		return m, m.input.Focus()
	}
	return m, nil
}

// answered reports whether the task knows an answer to the question.
func (m liveModel) answered(id string) bool {
	for _, a := range m.task.Answers {
		if a.QuestionID == id {
			return true
		}
	}
	return false
}

func (m liveModel) pressed(key tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	switch name := key.String(); {
	case name == "ctrl+c" && !m.leaving:
		m.leaving = true
		return m, nil
	case m.leaving && (name == "ctrl+c" || name == "d"):
		m.detached = true
		return m, tea.Quit
	case m.leaving && name == "c":
		m.leaving, m.cancelling = false, true
		return m, func() tea.Msg { return cancelledMsg{m.calls.cancel()} }
	case m.leaving:
		m.leaving = name != "esc"
		return m, nil
	case m.question == "" || m.sending:
		return m, nil
	case name == "enter":
		return m.send()
	default:
		var cmd tea.Cmd
		m.input, cmd = m.input.Update(key)
		return m, cmd
	}
}

// send sends the answer that was typed, if it is one.
func (m liveModel) send() (tea.Model, tea.Cmd) {
	in := workflows.AnswerInput{QuestionID: m.question, Text: strings.TrimSpace(m.input.Value())}
	if in.Text == "" {
		return m, nil
	}
	m.sending, m.notice = true, ""
	return m, func() tea.Msg { return answeredMsg{m.calls.answer(in)} }
}

// View implements [tea.Model].
func (m liveModel) View() tea.View {
	if m.closed || m.detached {
		return tea.NewView("")
	}
	var lines []string
	if m.question != "" {
		lines = append(lines, m.input.View())
	}
	if m.notice != "" {
		lines = append(lines, wrong.Render(m.notice))
	}
	if m.leaving {
		lines = append(lines, strong.Render("Leave the task to itself, cancel it, or go on?")+" [d]etach  [c]ancel  [Esc] go on")
	} else {
		lines = append(lines, m.spinner.View()+" "+dim.Render(m.statusLine()))
	}
	return tea.NewView(strings.Join(lines, "\n"))
}

// statusLine says what is going on.
func (m liveModel) statusLine() string {
	words := []string{"starting"}
	switch {
	case m.cancelling:
		words[0] = "cancelling"
	case m.sending:
		words[0] = "sending the answer"
	case m.task.Status == workflows.StatusPaused:
		words[0] = "paused"
	case m.question != "":
		words[0] = "waiting for your answer"
	case m.task.Phase != "":
		words[0] = phaseWords(m.task.Phase)
	}
	if m.task.Turns > 1 {
		words = append(words, fmt.Sprintf("turn %d", m.task.Turns))
	}
	if !m.task.StartedAt.IsZero() {
		words = append(words, clock(max(0, time.Since(m.task.StartedAt))))
	}
	return strings.Join(append(words, "Ctrl-C to leave"), " · ")
}

// renderLine is a line of the account as the terminal shows it, wrapped to its
// width.
func renderLine(l line, width int, color bool) string {
	mark, style := "·", dim
	switch kind, _, _ := strings.Cut(l.kind, " "); kind {
	case string(provider.EntryQuestion):
		mark, style = "?", asking
	case string(provider.EntryUser):
		mark, style = "›", lipgloss.NewStyle()
	case string(provider.EntryDone):
		mark, style = "=", strong
	case string(provider.EntryError), kindTrouble:
		mark, style = "!", wrong
	case kindSession: // not wrapped, so that it can be clicked
		return dim.Render("· session " + printable(l.text, "  "))
	}
	if !color {
		style = style.UnsetForeground()
	}
	text := lipgloss.Wrap(printable(l.text, ""), max(10, width-2), "")
	lines := strings.Split(text, "\n")
	for i, part := range lines {
		lead := "  "
		if i == 0 {
			lead = mark + " "
		}
		lines[i] = style.Render(lead + part)
	}
	return strings.Join(lines, "\n")
}
