package cli

import (
	"context"
	"sync"
	"time"

	"github.com/errand-dev/errand/inbox"
	"github.com/errand-dev/errand/internal/transcript"
	"github.com/errand-dev/errand/starter"
)

const (
	// wordsAge is how old what a working agent said may be: pages that are
	// looked at must not become a load for the vendor.
	wordsAge = 5 * time.Second

	// mostWords bounds of how many tasks it is remembered.
	mostWords = 500
)

// agentWords reads what agents said last: in the transcript, which the worker
// writes if it has the same data directory, and else at the vendor. A vendor is
// not asked again while its agent waits for an answer.
type agentWords struct {
	link *link
	mu   sync.Mutex
	said map[string]sayings // by the id of the task
}

// sayings are what a session had said at some time.
type sayings struct {
	moment  string // of the task's story
	at      time.Time
	entries []transcript.Entry
}

func newAgentWords(l *link) *agentWords { return &agentWords{link: l, said: map[string]sayings{}} }

// Last implements [inbox.Messages].
func (w *agentWords) Last(ctx context.Context, task starter.AgentTask, n int) ([]inbox.Message, error) {
	entries, err := w.link.transcripts.Read(task.ID)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 && task.Session != nil && !task.Session.Deleted {
		if entries, err = w.ask(ctx, task); err != nil {
			return nil, err
		}
	}
	messages := []inbox.Message{}
	for _, e := range entries[max(0, len(entries)-n):] {
		messages = append(messages, inbox.Message{ID: e.ID, Type: string(e.Type), Text: e.Text, At: e.At})
	}
	return messages, nil
}

// ask reads the messages at the vendor, if there may be new ones.
func (w *agentWords) ask(ctx context.Context, task starter.AgentTask) ([]transcript.Entry, error) {
	moment := task.Session.ID + " " + string(task.Status)
	if task.Question != nil {
		moment += " " + task.Question.ID
	}
	w.mu.Lock()
	known := w.said[task.ID]
	w.mu.Unlock()
	if known.moment == moment && (task.Question != nil || time.Since(known.at) < wordsAge) {
		return known.entries, nil
	}
	chosen, err := w.link.connections.config.Choose(task.Connection)
	if err != nil || chosen.Embedded { // that one is not started to be asked: what it said is in the data directory
		return nil, err
	}
	p, err := w.link.connections.Provider(task.Connection)
	if err != nil {
		return nil, err
	}
	progress, err := p.Read(ctx, task.Session.ID, "")
	if err != nil {
		return nil, err
	}
	entries := make([]transcript.Entry, len(progress.Entries))
	for i, e := range progress.Entries {
		entries[i] = transcript.EntryOf(e)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.said) >= mostWords {
		clear(w.said)
	}
	w.said[task.ID] = sayings{moment: moment, at: time.Now(), entries: entries}
	return entries, nil
}
