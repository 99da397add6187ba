// Package sessions is the engine of the session server: sessions with their
// messages and status, the agents that work in them, and their life on disk.
// It knows no vendor's API; each API is a face put on this package.
//
// A session is a log of events. Every change is first written as one line of
// the session's journal and then applied in memory, by the same function that
// applies the journal when the engine opens. Readers follow the log with a
// position of their own and are woken by a channel, so no event is copied for
// a reader and none is lost to a slow one.
package sessions

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// Errors of the engine.
var (
	ErrNotFound     = errors.New("session not found")
	ErrUnknownAgent = errors.New("unknown agent")
	ErrClosed       = errors.New("the session server is closing")
)

const journalSuffix = ".jsonl"

// Engine holds all sessions of one folder. A folder belongs to one engine at a time.
type Engine struct {
	dir    string
	agents map[string]agent.Agent
	logger *slog.Logger

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	turns  sync.WaitGroup

	mu        sync.RWMutex // never taken before a Session's
	sessions  map[string]*Session
	snapshots snapshots
	closed    bool
}

// Open loads the sessions in dir, made when missing, and sets the agents to
// work on the turns that a former process did not finish.
func Open(dir string, agents map[string]agent.Agent, logger *slog.Logger) (*Engine, error) {
	for _, d := range []string{"sessions", "snapshots"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("create session folder: %w", err)
		}
	}
	e := &Engine{dir: dir, agents: agents, logger: logger, sessions: map[string]*Session{}}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if err := e.snapshots.load(filepath.Join(dir, "snapshots"), logger); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(dir, "sessions"))
	if err != nil {
		return nil, fmt.Errorf("read session folder: %w", err)
	}
	for _, entry := range entries {
		id, ok := strings.CutSuffix(entry.Name(), journalSuffix)
		if !ok {
			continue
		}
		if s := e.load(id); s != nil {
			e.sessions[id] = s
		}
	}
	for _, s := range e.sessions {
		s.mu.Lock()
		if s.status.Phase == Running {
			logger.Info("session turn started again", "session_id", s.ID)
			s.start()
		}
		s.mu.Unlock()
	}
	return e, nil
}

// load reads one session. A file that makes no sense is left alone, with a
// warning, so that it does not keep the others from being served.
func (e *Engine) load(id string) *Session {
	j := journal{path: e.journalPath(id)}
	records, torn, err := j.read()
	if err != nil {
		e.logger.Warn("session file skipped", "session_id", id, "error", err)
		return nil
	}
	if torn {
		e.logger.Warn("session file had a torn last line, dropped", "session_id", id)
	}
	if len(records) == 0 {
		// The process died before it could tell anyone about this session.
		if err := os.Remove(j.path); err != nil {
			e.logger.Warn("empty session file not removed", "session_id", id, "error", err)
		}
		return nil
	}
	if records[0].Session == nil || records[0].Session.ID != id {
		e.logger.Warn("session file skipped", "session_id", id, "error", "it does not begin with the session's own facts")
		return nil
	}
	s := e.newSession(*records[0].Session)
	s.journal = j
	for _, r := range records {
		s.apply(r)
	}
	return s
}

func (e *Engine) newSession(f Facts) *Session {
	a, ok := e.agents[f.Agent]
	if !ok {
		a = missing{}
	}
	return &Session{
		Facts:   f,
		engine:  e,
		agent:   a,
		journal: journal{path: e.journalPath(f.ID)},
		status:  Status{Phase: Ready},
	}
}

func (e *Engine) journalPath(id string) string {
	return filepath.Join(e.dir, "sessions", id+journalSuffix)
}

// missing stands for an agent that a session was created with and that the
// server no longer has.
type missing struct{}

func (missing) Run(context.Context, *agent.Turn) agent.Outcome {
	return agent.Failed("This session's agent is no longer known to the server.")
}

// CreateOptions say what a new session is to be.
type CreateOptions struct {
	Agent      string
	Goal       string
	WebhookURL string
	Restore    Restore
}

// Create opens a new session. It returns [ErrUnknownAgent] if there is no such agent.
func (e *Engine) Create(o CreateOptions) (*Session, error) {
	if _, ok := e.agents[o.Agent]; !ok {
		return nil, ErrUnknownAgent
	}
	facts := Facts{
		ID:            uuid.NewString(),
		Agent:         o.Agent,
		CreatedAt:     time.Now().UTC(),
		EnvironmentID: uuid.NewString(),
		Goal:          o.Goal,
		WebhookURL:    o.WebhookURL,
		ViewToken:     rand.Text(),
	}
	r := record{Session: &facts}
	if from, ok := e.snapshot(o.Restore); ok {
		facts.EnvironmentID = from.EnvironmentID
		if from.Agent == o.Agent {
			r.AgentState = from.AgentState
		}
	}
	s := e.newSession(facts)
	if e.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if err := s.journal.create(r); err != nil {
		return nil, err
	}
	s.apply(r)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sessions[s.ID] = s
	return s, nil
}

// Session gives the session with this id, or [ErrNotFound].
func (e *Engine) Session(id string) (*Session, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if s, ok := e.sessions[id]; ok {
		return s, nil
	}
	return nil, ErrNotFound
}

// Sessions gives all sessions, the oldest first.
func (e *Engine) Sessions() []*Session {
	e.mu.RLock()
	all := make([]*Session, 0, len(e.sessions))
	for _, s := range e.sessions {
		all = append(all, s)
	}
	e.mu.RUnlock()
	slices.SortFunc(all, func(a, b *Session) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// Delete stops the session's agent, keeps a snapshot if one is asked for, and
// removes the session and its file. It returns [ErrNotFound] if there is none.
func (e *Engine) Delete(id string, o SnapshotOptions) error {
	s, err := e.Session(id)
	if err != nil {
		return err
	}
	if err := s.delete(o); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, id)
	return nil
}

func (s *Session) delete(o SnapshotOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deleted {
		return ErrNotFound
	}
	if s.engine.ctx.Err() != nil {
		return ErrClosed
	}
	if o.Mode != SnapshotNone {
		if err := s.engine.keep(s.snapshot(o.Mode), o.Default); err != nil {
			return err
		}
	}
	if err := os.Remove(s.journal.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove session file: %w", err)
	}
	s.deleted = true
	s.stop()
	s.wake()
	return nil
}

// Agents gives the names of the agents there are, sorted.
func (e *Engine) Agents() []string {
	names := make([]string, 0, len(e.agents))
	for name := range e.agents {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Done is closed when the engine begins to close: whoever follows a session
// should let go.
func (e *Engine) Done() <-chan struct{} { return e.ctx.Done() }

// Close takes no more changes, stops the agents and waits for them. Turns that
// were running are started again by the next Open.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	stopped := make(chan struct{})
	go func() {
		e.turns.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("agents still busy: %w", ctx.Err())
	}
}

// begin counts a turn that is about to start; it refuses when closing.
func (e *Engine) begin() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return false
	}
	e.turns.Add(1)
	return true
}

func (e *Engine) end() { e.turns.Done() }
