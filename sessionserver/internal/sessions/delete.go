package sessions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/tree"
)

// keepTimeout bounds how long an agent may take to give its memory.
const keepTimeout = 10 * time.Second

// Delete stops the session's agent, keeps a snapshot if one is asked for, and
// removes the session. It returns [ErrNotFound] if there is none. If the
// snapshot cannot be kept the session stays, without its task.
func (e *Engine) Delete(ctx context.Context, id string, o SnapshotOptions) error {
	s, err := e.Session(id)
	if err != nil {
		return err
	}
	return s.delete(ctx, o, ByClient)
}

// Vanish removes a session as if it had never been: its client is not told,
// and nothing is kept.
func (e *Engine) Vanish(id string) {
	if s, err := e.Session(id); err == nil {
		if err := s.delete(context.Background(), SnapshotOptions{Mode: SnapshotNone}, ByVanish); err != nil {
			e.Logger.Warn("session did not vanish", "session_id", id, "error", err)
		}
	}
}

func (s *Session) delete(ctx context.Context, o SnapshotOptions, by Ending) error {
	s.deleting.Lock() // two at once: the second finds nothing, or a session that stayed
	defer s.deleting.Unlock()

	s.mu.Lock()
	switch {
	case s.deleted:
		s.mu.Unlock()
		return ErrNotFound
	case s.engine.ctx.Err() != nil:
		s.mu.Unlock()
		return ErrClosed
	}
	s.leaving = true
	worker := s.worker
	s.mu.Unlock()

	var memory []byte
	if k, ok := worker.(agent.Keeper); ok && o.Mode == SnapshotMemory {
		memory = s.remember(ctx, k)
	}
	s.halt()

	gone := Terminated{Facts: s.Facts, DeletedAt: time.Now().UTC()}
	how := Deletion{Mode: o.Mode, By: by}
	err := s.keep(o, memory)
	if err == nil {
		s.engine.Observer.Deleting(s, how)
		err = s.remove(gone)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = false
	if err != nil {
		if s.status.Active() {
			s.fail(fmt.Sprintf("The agent was stopped to delete the session, and that failed: %v.", err))
		}
		s.proceed()
		return err
	}
	s.deleted = true
	s.wake()
	s.engine.forget(gone)
	s.engine.Observer.Deleted(s, how)
	return nil
}

// remember asks the agent for its memory. An agent that gives none is no
// failure: the snapshot then has the files alone.
func (s *Session) remember(ctx context.Context, k agent.Keeper) []byte {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	memory, err := k.Keep(ctx)
	if err != nil {
		s.engine.Logger.Warn("agent's memory not kept, the snapshot has its files alone", "session_id", s.ID, "agent", s.Agent, "error", err)
		return nil
	}
	return memory
}

// halt takes the turn away from the agent and ends whatever the agent keeps
// alive. When it returns nothing works in the session's directory.
func (s *Session) halt() {
	s.mu.Lock()
	last := s.last
	s.stop()
	s.mu.Unlock()
	if last != nil {
		<-last
	}
	if w := s.dismiss(); w != nil {
		w.Close()
	}
}

// remove takes the session off the disk, its journal first: without it the
// rest is swept away by the next Open.
func (s *Session) remove(gone Terminated) error {
	if s.engine.ListTerminated {
		if err := writeFile(s.engine.terminatedPath(s.ID), gone); err != nil {
			return fmt.Errorf("write note of terminated session: %w", err)
		}
	}
	if err := os.Remove(s.journal.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove session file: %w", err)
	}
	if err := s.removeWork(); err != nil {
		s.engine.Logger.Warn("working directory not removed", "session_id", s.ID, "error", err)
	}
	return nil
}

// removeWork removes the session's working directory, if it has one.
func (s *Session) removeWork() error {
	dir := s.engine.workDir(s.ID)
	if s.RestoredFrom != "" {
		if err := os.Remove(dir + manifestSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return tree.Remove(dir)
}

func (e *Engine) forget(gone Terminated) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, gone.ID)
	if e.ListTerminated {
		e.terminated = append(e.terminated, gone)
	}
}

func (e *Engine) terminatedPath(id string) string {
	return filepath.Join(e.Dir, terminatedFolder, id+".json")
}
