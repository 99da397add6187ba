package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/errand-dev/errand/internal/transcript"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// line is one line of the account of a task, as people get it while it runs.
type line struct {
	after time.Duration // since the task was started
	kind  string        // of an entry, or one of those below
	text  string
}

// kinds of lines that no session says.
const (
	kindSession = "session"
	kindStatus  = "status"
	kindTrouble = "trouble"
)

// narrator tells a task as it goes, each thing once. A question comes from the
// task, which knows its id; the result and the last error are not told at all,
// because the command ends with them.
type narrator struct {
	prompt   string
	began    time.Time
	status   workflows.Status
	trouble  string // told last
	viewed   bool   // the session's address was told
	prompted bool   // the session has repeated the prompt
	asked    string // id of the question told last

	held *transcript.Entry // ends a turn; told when something follows it
	told string            // question told by the task, not yet by the session
}

// task tells what is new about the task.
func (n *narrator) task(t starter.AgentTask) []line {
	var lines []line
	n.prompt, n.began = t.Prompt, t.StartedAt
	tell := func(kind, text string) {
		lines = append(lines, line{after: n.since(time.Now()), kind: kind, text: text})
	}
	if s := t.Session; s != nil && !n.viewed {
		n.viewed = true
		if s.ViewURL != "" {
			tell(kindSession, s.ViewURL)
		}
	}
	if q := t.Question; q != nil && q.ID != n.asked {
		n.asked = q.ID
		if n.held != nil && n.held.Type == provider.EntryQuestion {
			n.held = nil
		} else {
			n.told = q.Text
		}
		tell(string(provider.EntryQuestion)+" "+q.ID, q.Text)
	}
	if t.Status != n.status && (t.Status == workflows.StatusPaused || n.status == workflows.StatusPaused) && !t.Status.Closed() {
		tell(kindStatus, string(t.Status))
	}
	n.status = t.Status
	if t.Trouble != n.trouble && t.Trouble != "" {
		tell(kindTrouble, t.Trouble+"; it is being tried again")
	}
	n.trouble = t.Trouble
	return lines
}

// entry tells what the session has said.
func (n *narrator) entry(e transcript.Entry) []line {
	var lines []line
	if n.held != nil {
		lines = append(lines, n.line(*n.held))
		n.held = nil
	}
	switch e.Type {
	case provider.EntryUser:
		if !n.prompted && strings.HasPrefix(e.Text, n.prompt) { // behind it stands the page to start at, at some vendors
			n.prompted = true
			return lines
		}
	case provider.EntryQuestion:
		if e.Text == n.told {
			n.told = ""
			return lines
		}
		n.held = &e
		return lines
	case provider.EntryDone, provider.EntryError:
		n.held = &e
		return lines
	}
	return append(lines, n.line(e))
}

func (n *narrator) line(e transcript.Entry) line {
	return line{after: n.since(e.At), kind: string(e.Type), text: e.Text}
}

// since is the age of the task at a time of the vendor's clock, which may be
// behind.
func (n *narrator) since(at time.Time) time.Duration {
	return max(0, at.Sub(n.began))
}

// clock shows a duration as people read a stopwatch.
func clock(d time.Duration) string {
	d = d.Truncate(time.Second)
	switch s := int(d.Seconds()); {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	default:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
}

// printable takes from a text of foreign origin what would steer a terminal,
// and indents its further lines.
func printable(text, indent string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			return -1
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.TrimSpace(text))
	return strings.ReplaceAll(clean, "\n", "\n"+indent)
}

// phaseWords says what a task is doing.
func phaseWords(p workflows.Phase) string {
	switch p {
	case workflows.PhaseCreating:
		return "creating a session"
	case workflows.PhaseSending:
		return "sending a message"
	case workflows.PhaseWorking:
		return "the agent is working"
	case workflows.PhaseWaiting:
		return "waiting for an answer"
	case workflows.PhaseDeleting:
		return "deleting the session"
	default:
		return string(p)
	}
}
