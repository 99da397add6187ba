package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// run is one turn in the hands of the agent: the agent's [agent.Host].
type run struct {
	session *Session
	cancel  context.CancelFunc
	unsaved json.RawMessage // guarded by session.mu
}

// ask runs the agent. A panic in an agent costs the turn, not the server.
func (r *run) ask(ctx context.Context, turn *agent.Turn) (outcome agent.Outcome) {
	s := r.session
	defer func() {
		if p := recover(); p != nil {
			s.engine.logger.Error("agent panicked", "session_id", s.ID, "agent", s.Agent, "panic", p, "stack", string(debug.Stack()))
			outcome = agent.Failed("The agent crashed.")
		}
	}()
	if err := r.Wait(ctx, 0); err != nil {
		return agent.Failed(err.Error())
	}
	return s.agent.Run(ctx, turn)
}

// finish writes the outcome, unless the turn was taken away meanwhile.
func (r *run) finish(ctx context.Context, outcome agent.Outcome) {
	defer r.cancel()
	content, err := json.Marshal(outcome.Content)
	if err != nil {
		outcome.Type = agent.Error
		content, _ = json.Marshal(fmt.Sprintf("The agent's result cannot be written as JSON: %v.", err))
	}
	s := r.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.gate(ctx) != nil {
		return
	}
	s.run = nil
	m := agent.Message{ID: s.lastID + 1, Type: outcome.Type, Content: content}
	if err := s.say(m, r.unsaved); err != nil && !errors.Is(err, ErrClosed) {
		// Readers must not wait for ever; the next process will run the turn again.
		s.engine.logger.Error("task outcome not saved", "session_id", s.ID, "error", err)
		s.apply(record{Event: &Event{At: time.Now().UTC(), Message: m}})
		s.wake()
	}
}

// gate returns when the agent may act: at once, or after a resume. It gives an
// error if the turn is no longer the agent's. The lock is released meanwhile.
func (r *run) gate(ctx context.Context) error {
	s := r.session
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.run != r {
			return context.Canceled
		}
		if !s.status.Paused {
			return nil
		}
		changed := s.change()
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
}

func (r *run) emit(ctx context.Context, t agent.MessageType, text string) error {
	content, err := json.Marshal(text)
	if err != nil {
		return err
	}
	s := r.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.gate(ctx); err != nil {
		return err
	}
	if err := s.say(agent.Message{Type: t, Content: content}, r.unsaved); err != nil {
		return err
	}
	r.unsaved = nil
	return nil
}

// Think implements [agent.Host].
func (r *run) Think(ctx context.Context, text string) error { return r.emit(ctx, agent.Thought, text) }

// Log implements [agent.Host].
func (r *run) Log(ctx context.Context, text string) error { return r.emit(ctx, agent.Log, text) }

// Save implements [agent.Host].
func (r *run) Save(state any) error {
	data, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("encode agent state: %w", err)
	}
	r.session.mu.Lock()
	defer r.session.mu.Unlock()
	r.unsaved = data
	return nil
}

// Wait implements [agent.Host].
func (r *run) Wait(ctx context.Context, d time.Duration) error {
	if err := r.flush(ctx); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return r.flush(ctx)
}

// flush passes the gate and writes the state that waits to be saved.
func (r *run) flush(ctx context.Context) error {
	s := r.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.gate(ctx); err != nil || r.unsaved == nil {
		return err
	}
	if err := s.commit(record{AgentState: r.unsaved}); err != nil {
		return err
	}
	r.unsaved = nil
	return nil
}
