package cli

import (
	"context"
	"errors"
	"time"

	"github.com/errand-dev/errand/internal/transcript"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
)

const (
	// lastWords is what a read under way gets once the task has ended: nobody
	// shall wait for messages who waits for a result.
	lastWords = 100 * time.Millisecond

	// priorWords is what a read gets before a question is shown.
	priorWords = time.Second

	// transcriptPoll is how often to look into a transcript for what cannot be
	// had from the vendor.
	transcriptPoll = time.Second

	// retryRead is the wait after a read that failed.
	retryRead = 2 * time.Second
)

// messages hands on what the session of one task says, each entry once. It
// asks the vendor, and reads the transcript where the vendor cannot be asked.
type messages struct {
	link   *link
	taskID string
	say    func(transcript.Entry) // never called twice at a time

	seen    map[string]bool
	started bool
	nudge   chan chan struct{} // asks for a read now; closes what it sends once that is done
	stop    chan struct{}      // closed when no new read shall begin
	done    chan struct{}      // closed when reading has ended
	cancel  context.CancelFunc
}

func (l *link) messages(taskID string, say func(transcript.Entry)) *messages {
	return &messages{
		link: l, taskID: taskID, say: say,
		seen: map[string]bool{}, nudge: make(chan chan struct{}),
		stop: make(chan struct{}), done: make(chan struct{}), cancel: func() {},
	}
}

// follow starts reading once the task has a session.
func (m *messages) follow(ctx context.Context, task starter.AgentTask) {
	if m.started || task.Session == nil || task.Status.Closed() {
		return
	}
	m.started = true
	ctx, m.cancel = context.WithCancel(ctx)
	go func() {
		defer close(m.done)
		m.read(ctx, task.Connection, task.Session.ID)
	}()
}

// catchUp waits, not for long, until all that was said so far is handed on.
func (m *messages) catchUp() {
	if !m.started {
		return
	}
	read := make(chan struct{})
	patience := time.After(priorWords)
	select {
	case m.nudge <- read:
	case <-m.done:
		return
	case <-patience:
		return
	}
	select {
	case <-read:
	case <-m.done:
	case <-patience:
	}
}

// end ends the reading of a task that has ended, and hands on what was said
// and not read so far.
func (m *messages) end() {
	close(m.stop)
	if m.started {
		select {
		case <-m.done:
		case <-time.After(lastWords):
		}
	}
	m.cancel()
	if m.started {
		<-m.done
	}
	m.readTranscript()
}

// abandon ends the reading at once.
func (m *messages) abandon() {
	m.cancel()
	if m.started {
		<-m.done
	}
}

// read reads until it is told to stop.
func (m *messages) read(ctx context.Context, connection, sessionID string) {
	p, err := m.link.connections.Provider(connection)
	if err != nil {
		m.link.logger.Info("messages come from the transcript", "task", m.taskID, "reason", err)
		m.pollTranscript(ctx)
		return
	}
	waker := provider.NewWaker(ctx, p, sessionID)
	var (
		cursor provider.Watermark
		caught = make(chan struct{}) // closed after the read that was asked for
	)
	for {
		progress, err := p.Read(ctx, sessionID, cursor)
		interval := waker.Interval(err == nil && len(progress.Entries) > 0)
		switch {
		case err == nil:
			cursor = progress.Cursor
			for _, e := range progress.Entries {
				m.sayOnce(transcript.EntryOf(e))
			}
		case isFinal(err):
			m.pollTranscript(ctx)
			return
		default:
			interval = retryRead
		}
		close(caught)
		var ok bool
		if caught, ok = m.wait(ctx, waker.C(), interval); !ok {
			return
		}
	}
}

// isFinal reports whether the vendor will not answer another read either: the
// session is gone, or it is not ours to read.
func isFinal(err error) bool {
	var e *provider.Error
	return errors.As(err, &e) && (e.Kind == provider.ErrorNotFound || e.Kind == provider.ErrorUnauthorized || e.Kind == provider.ErrorInvalid)
}

func (m *messages) pollTranscript(ctx context.Context) {
	caught := make(chan struct{})
	for {
		m.readTranscript()
		close(caught)
		var ok bool
		if caught, ok = m.wait(ctx, nil, transcriptPoll); !ok {
			return
		}
	}
}

// wait waits for wake or a nudge, at most for d. It returns what to close after
// the next read, and false when reading shall end.
func (m *messages) wait(ctx context.Context, wake <-chan struct{}, d time.Duration) (caught chan struct{}, ok bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case caught = <-m.nudge:
	case <-wake:
	case <-timer.C:
	case <-ctx.Done():
	case <-m.stop:
	}
	if caught == nil {
		caught = make(chan struct{})
	}
	select {
	case <-m.stop:
		return caught, false
	default:
		return caught, ctx.Err() == nil
	}
}

// readTranscript hands on what the worker has written in the data directory,
// nothing if it works with another.
func (m *messages) readTranscript() {
	entries, err := m.link.transcripts.Read(m.taskID)
	if err != nil {
		m.link.logger.Warn("transcript not read", "task", m.taskID, "error", err)
	}
	for _, e := range entries {
		m.sayOnce(e)
	}
}

func (m *messages) sayOnce(e transcript.Entry) {
	if m.seen[e.ID] {
		return
	}
	m.seen[e.ID] = true
	m.say(e)
}
