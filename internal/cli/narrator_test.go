package cli

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/internal/transcript"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// said is an entry, or with an empty type a look at the task.
type said struct {
	kind provider.EntryType
	text string
	task starter.AgentTask
}

func TestATaskIsToldEachThingOnce(t *testing.T) {
	running := starter.AgentTask{Prompt: "the goal", Status: workflows.StatusRunning}
	asking := running
	asking.Status, asking.Question = workflows.StatusWaiting, &workflows.Question{ID: "q-1", Text: "Which size?"}
	paused := running
	paused.Status = workflows.StatusPaused
	viewed := running
	viewed.Session = &workflows.Session{ID: "s", ViewURL: "http://view"}

	look := func(t starter.AgentTask) said { return said{task: t} }
	for _, test := range []struct {
		name string
		said []said
		want []string
	}{
		{"the prompt is not repeated, another message is",
			[]said{look(running), {kind: "user", text: "the goal"}, {kind: "user", text: "the goal"}, {kind: "user", text: "more"}},
			[]string{"user: the goal", "user: more"}},
		{"a thought and a log are told as they come",
			[]said{look(running), {kind: "thought", text: "hm"}, {kind: "log", text: "did it"}},
			[]string{"thought: hm", "log: did it"}},
		{"the last result is not told, one before it is",
			[]said{look(running), {kind: "done", text: "1"}, {kind: "user", text: "more"}, {kind: "done", text: "2"}},
			[]string{"done: 1", "user: more"}},
		{"an error that was not the last word is told",
			[]said{look(running), {kind: "error", text: "oh"}, {kind: "thought", text: "again"}, {kind: "error", text: "oh no"}},
			[]string{"error: oh", "thought: again"}},
		{"a question is told with its id, though the session said it first",
			[]said{look(running), {kind: "question", text: "Which size?"}, look(asking), look(asking), {kind: "user", text: "M"}},
			[]string{"question q-1: Which size?", "user: M"}},
		{"a question is told once, though the session says it late",
			[]said{look(running), look(asking), {kind: "question", text: "Which size?"}, {kind: "user", text: "M"}},
			[]string{"question q-1: Which size?", "user: M"}},
		{"a question that was answered before anybody saw it open is told",
			[]said{look(running), {kind: "question", text: "Which size?"}, {kind: "user", text: "M"}},
			[]string{"question: Which size?", "user: M"}},
		{"the session's address is told once",
			[]said{look(running), look(viewed), look(viewed)},
			[]string{"session: http://view"}},
		{"a pause and its end are told",
			[]said{look(running), look(paused), look(paused), look(running)},
			[]string{"status: paused", "status: running"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var n narrator
			var got []string
			for i, s := range test.said {
				var lines []line
				if s.kind == "" {
					lines = n.task(s.task)
				} else {
					lines = n.entry(transcript.Entry{ID: fmt.Sprint(i), Type: s.kind, Text: s.text})
				}
				for _, l := range lines {
					got = append(got, l.kind+": "+l.text)
				}
			}
			require.Equal(t, test.want, got)
		})
	}
}

func TestTimesAreThoseSinceTheStart(t *testing.T) {
	began := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	var n narrator
	n.task(starter.AgentTask{StartedAt: began})
	require.Equal(t, 90*time.Second, n.entry(transcript.Entry{Type: "log", At: began.Add(90 * time.Second)})[0].after)
	require.Zero(t, n.entry(transcript.Entry{Type: "log", At: began.Add(-time.Hour)})[0].after, "the vendor's clock is behind")
}

func TestAStopwatch(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59*time.Second + 900*time.Millisecond: "59s", time.Minute + 5*time.Second: "1m05s", 2*time.Hour + 3*time.Minute: "2h03m", 50 * time.Hour: "50h00m",
	} {
		require.Equal(t, want, clock(d))
	}
}

func TestForeignTextCannotSteerATerminal(t *testing.T) {
	require.Equal(t, "[31mred[0m a\n  b", printable(" \x1b[31mred\x1b[0m\x07 a\r\nb\u202e\n", "  "))
}
