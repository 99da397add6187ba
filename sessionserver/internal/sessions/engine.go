// Package sessions is the engine of the session server: sessions with their
// messages and status, the agents that work in them, their working directories
// and snapshots, and their life on disk. It knows no vendor's API; each API is
// a face put on this package.
//
// A session is a log of events. Every change is first written as one line of
// the session's journal and then applied in memory, by the same function that
// applies the journal when the engine opens. Readers follow the log with a
// position of their own and are woken by a channel, so no event is copied for
// a reader and none is lost to a slow one.
package sessions

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/tree"
)

// Errors of the engine.
var (
	ErrNotFound     = errors.New("session not found")
	ErrUnknownAgent = errors.New("unknown agent")
	ErrClosed       = errors.New("the session server is closing")
	ErrBusy         = errors.New("the session is busy with a task")
	ErrNotWaiting   = errors.New("the agent does not wait for this answer")
)

// Config says where an engine keeps its sessions and how they live.
type Config struct {
	// Dir is the folder of all state, made when missing. It belongs to one
	// engine at a time.
	Dir    string
	Agents map[string]agent.Agent
	Logger *slog.Logger
	// Boot is how long a new session is starting before its agent works.
	Boot time.Duration
	// TTL is how long a session lives after the last that was said or done in
	// it; 0 is for ever.
	TTL time.Duration
	// ListTerminated remembers deleted sessions, for [Engine.Terminated].
	ListTerminated bool
	Retention      Retention
	// Observer is told what happens to sessions; it may be nil.
	Observer Observer
	// Stuck says that a turn is to hang until it is cancelled; it may be nil.
	Stuck func(agent, sessionID string) bool
}

// The folders below Config.Dir.
const (
	sessionFolder    = "sessions"   // a journal for each session
	workFolder       = "work"       // a working directory for each session that needs one
	snapshotFolder   = "snapshots"  // see snapshots
	terminatedFolder = "terminated" // what deleted sessions were, if they are to be listed
)

const journalSuffix = ".jsonl"

// Engine holds all sessions of one folder.
type Engine struct {
	Config

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	work   sync.WaitGroup // turns and the janitor

	snapshots snapshots

	mu         sync.RWMutex // never taken before a Session's
	sessions   map[string]*Session
	terminated []Terminated
	closed     bool
}

// Open loads the sessions in the folder and sets the agents to work on the
// turns that a former process did not finish.
func Open(c Config) (*Engine, error) {
	for _, folder := range []string{sessionFolder, workFolder, snapshotFolder, terminatedFolder} {
		if err := os.MkdirAll(filepath.Join(c.Dir, folder), 0o700); err != nil {
			return nil, fmt.Errorf("create session folder: %w", err)
		}
	}
	if c.Observer == nil {
		c.Observer = Deaf{}
	}
	e := &Engine{Config: c, sessions: map[string]*Session{}}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if err := e.load(); err != nil {
		e.cancel()
		return nil, err
	}
	all := slices.SortedFunc(maps.Values(e.sessions), byAge)
	e.Observer.Opened(all, e.snapshots.all())
	for _, s := range all {
		s.revive()
	}
	e.work.Go(e.clean)
	return e, nil
}

func (e *Engine) load() error {
	entries, err := os.ReadDir(filepath.Join(e.Dir, sessionFolder))
	if err != nil {
		return fmt.Errorf("read session folder: %w", err)
	}
	for _, entry := range entries {
		id, ok := strings.CutSuffix(entry.Name(), journalSuffix)
		if !ok {
			continue
		}
		if s := e.loadSession(id); s != nil {
			e.sessions[id] = s
		}
	}
	if err := e.loadTerminated(); err != nil {
		return err
	}
	if err := e.snapshots.load(filepath.Join(e.Dir, snapshotFolder), e.Logger); err != nil {
		return err
	}
	return e.sweep()
}

// sweep removes what a former process was killed in the middle of making or
// removing. A directory that was on its way into a snapshot goes back.
func (e *Engine) sweep() error {
	if err := e.snapshots.sweep(func(id string) string {
		if _, ok := e.sessions[id]; ok {
			return e.workDir(id)
		}
		return ""
	}); err != nil {
		return fmt.Errorf("clean snapshot folder: %w", err)
	}
	folder := filepath.Join(e.Dir, workFolder)
	if err := tree.Sweep(folder); err != nil {
		return fmt.Errorf("clean work folder: %w", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("read work folder: %w", err)
	}
	for _, entry := range entries {
		id := strings.TrimSuffix(entry.Name(), manifestSuffix)
		if _, err := os.Stat(e.journalPath(id)); errors.Is(err, os.ErrNotExist) {
			if err := tree.Remove(filepath.Join(folder, entry.Name())); err != nil {
				e.Logger.Warn("leftover working directory not removed", "session_id", id, "error", err)
			}
		}
	}
	return nil
}

// loadSession reads one session. A file that makes no sense is left alone,
// with a warning, so that it does not keep the others from being served.
func (e *Engine) loadSession(id string) *Session {
	j := journal{path: e.journalPath(id)}
	records, torn, err := j.read()
	if err != nil {
		e.Logger.Warn("session file skipped", "session_id", id, "error", err)
		return nil
	}
	if torn {
		e.Logger.Warn("session file had a torn last line, dropped", "session_id", id)
	}
	if len(records) == 0 {
		// The process died before it could tell anyone about this session.
		if err := os.Remove(j.path); err != nil {
			e.Logger.Warn("empty session file not removed", "session_id", id, "error", err)
		}
		return nil
	}
	if records[0].Session == nil || records[0].Session.ID != id {
		e.Logger.Warn("session file skipped", "session_id", id, "error", "it does not begin with the session's own facts")
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
	a, ok := e.Agents[f.Agent]
	if !ok {
		a = agent.PerTurn(missing)
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
	return filepath.Join(e.Dir, sessionFolder, id+journalSuffix)
}

// manifestSuffix marks the file beside a working directory that tells which of
// its files came out of a snapshot.
const manifestSuffix = ".manifest"

func (e *Engine) workDir(id string) string { return filepath.Join(e.Dir, workFolder, id) }

// missing stands for an agent that a session was created with and that the
// server no longer has.
func missing(context.Context, *agent.Turn) agent.Outcome {
	return agent.Failed("This session's agent is no longer known to the server.")
}

// CreateOptions say what a new session is to be.
type CreateOptions struct {
	Wish
	// ID is the session's id, a new one that is fit for a file name; a UUID if
	// it is empty.
	ID string
	// Face marks the session as made by a face, and Note is what that keeps with it.
	Face    string
	Note    json.RawMessage
	Agent   string
	Owner   string
	Restore Restore
}

// Create opens a new session, with a copy of the snapshot that is to be
// restored. It returns [ErrUnknownAgent] if there is no such agent.
func (e *Engine) Create(ctx context.Context, o CreateOptions) (*Session, error) {
	if _, ok := e.Agents[o.Agent]; !ok {
		return nil, ErrUnknownAgent
	}
	if e.ctx.Err() != nil {
		return nil, ErrClosed
	}
	facts := Facts{
		ID:            cmp.Or(o.ID, uuid.NewString()),
		Face:          o.Face,
		Agent:         o.Agent,
		Owner:         o.Owner,
		CreatedAt:     time.Now().UTC(),
		EnvironmentID: uuid.NewString(),
		ViewToken:     rand.Text(),
		Wish:          o.Wish,
	}
	r := record{Session: &facts, Note: o.Note}
	if err := e.restore(ctx, o, &r); err != nil {
		return nil, err
	}
	s := e.newSession(facts)
	if err := s.journal.create(r); err != nil {
		return nil, errors.Join(err, s.removeWork())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apply(r)
	e.mu.Lock()
	e.sessions[s.ID] = s
	e.mu.Unlock()
	s.boot()
	e.Observer.Created(s, s.now())
	return s, nil
}

// Session gives the session with this id, or [ErrNotFound].
func (e *Engine) Session(id string) (*Session, error) {
	e.mu.RLock()
	s, ok := e.sessions[id]
	e.mu.RUnlock()
	if !ok || (e.TTL > 0 && s.idle() > e.TTL) {
		return nil, ErrNotFound
	}
	return s, nil
}

// Sessions gives the sessions that belong to an owner, the oldest first.
func (e *Engine) Sessions(owner string) []*Session {
	e.mu.RLock()
	all := make([]*Session, 0, len(e.sessions))
	for _, s := range e.sessions {
		if s.BelongsTo(owner) {
			all = append(all, s)
		}
	}
	e.mu.RUnlock()
	if e.TTL > 0 {
		all = slices.DeleteFunc(all, func(s *Session) bool { return s.idle() > e.TTL })
	}
	slices.SortFunc(all, byAge)
	return all
}

// byAge puts the oldest session first.
func byAge(a, b *Session) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
}

// AgentNames gives the names of the agents there are, sorted.
func (e *Engine) AgentNames() []string {
	names := make([]string, 0, len(e.Agents))
	for name := range e.Agents {
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
	all := make([]*Session, 0, len(e.sessions))
	for _, s := range e.sessions {
		all = append(all, s)
	}
	e.mu.Unlock()
	e.cancel()
	stopped := make(chan struct{})
	go func() {
		e.work.Wait()
		var workers sync.WaitGroup
		for _, s := range all {
			if w := s.dismiss(); w != nil {
				workers.Go(w.Close)
			}
		}
		workers.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("agents still busy: %w", ctx.Err())
	}
}

// begin counts work that is about to start; it refuses when closing.
func (e *Engine) begin() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return false
	}
	e.work.Add(1)
	return true
}
