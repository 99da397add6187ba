package sessions

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// run is one turn in the hands of the agent: the agent's [agent.Host].
type run struct {
	session *Session
	cancel  context.CancelFunc
	unsaved json.RawMessage // guarded by session.mu, like gone
	gone    string          // why a question that the turn ends with cannot be answered
	// What the agent hears while it works; guarded by session.mu.
	listener agent.Listener
	heard    chan struct{} // closed when the latest message was heard
	told     sync.WaitGroup
}

// ask runs the agent. A panic in an agent costs the turn, not the server.
func (r *run) ask(ctx context.Context, turn *agent.Turn) (outcome agent.Outcome) {
	s := r.session
	defer func() {
		if p := recover(); p != nil {
			s.engine.Logger.Error("agent panicked", "session_id", s.ID, "agent", s.Agent, "panic", p, "stack", string(debug.Stack()))
			outcome = agent.Failed("The agent crashed.")
		}
	}()
	if err := r.Wait(ctx, 0); err != nil {
		return agent.Failed(err.Error())
	}
	if stuck := s.engine.Stuck; stuck != nil && stuck(s.Agent, s.ID) {
		<-ctx.Done()
		return agent.Failed(ctx.Err().Error())
	}
	worker, err := s.opened()
	if err != nil {
		return agent.Failed(err.Error())
	}
	r.listen(worker)
	return worker.Run(ctx, turn)
}

// listen lets the worker hear what is said from here on, and what was said
// since the turn began.
func (r *run) listen(w agent.Worker) {
	l, ok := w.(agent.Listener)
	if !ok {
		return
	}
	s := r.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != r {
		return
	}
	r.listener = l
	for _, e := range s.events[s.turn+1:] {
		if e.Message.Type == agent.User && e.Queue == "" {
			r.hear(e.Message)
		}
	}
}

// hear passes a message on, each after the one before: that may take a moment.
func (r *run) hear(m agent.Message) {
	if r.listener == nil {
		return
	}
	before, done := r.heard, make(chan struct{})
	r.heard = done
	r.told.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		r.listener.Hear(m)
	})
}

// finish writes the outcome, unless the turn was taken away meanwhile.
func (r *run) finish(ctx context.Context, outcome agent.Outcome) {
	defer r.cancel()
	content, err := marshal(outcome.Content)
	if err != nil {
		outcome.Type = agent.Error
		content, _ = marshal(fmt.Sprintf("The agent's result cannot be written as JSON: %v.", err))
	}
	s := r.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.gate(ctx) != nil {
		return
	}
	s.run = nil
	s.settle(agent.Message{Type: outcome.Type, Content: content}, r.unsaved)
	if outcome.Type == agent.Question && r.gone != "" {
		s.fail(r.gone)
	}
	s.proceed()
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

// act passes the gate and makes a change that the agent asks for.
func (r *run) act(ctx context.Context, change record) error {
	s := r.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.gate(ctx); err != nil {
		return err
	}
	if e := change.Event; e != nil {
		e.At = time.Now().UTC()
		if e.Mark == "" {
			e.Message.ID = s.lastID + 1
		}
	}
	change.AgentState = r.unsaved
	if change.Event == nil && change.AgentState == nil {
		return nil
	}
	if err := s.commit(change); err != nil {
		return err
	}
	r.unsaved = nil
	return nil
}

// Say implements [agent.Host].
func (r *run) Say(ctx context.Context, m agent.Saying) error {
	if m.Type != agent.Thought && m.Type != agent.Log {
		return fmt.Errorf("an agent cannot say a message of type %q while its turn goes on", m.Type)
	}
	content, err := marshal(m.Content)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	return r.act(ctx, record{Event: &Event{Message: agent.Message{Type: m.Type, Content: content, Hidden: m.Hidden}}})
}

// Think implements [agent.Host].
func (r *run) Think(ctx context.Context, text string) error {
	return r.Say(ctx, agent.Saying{Type: agent.Thought, Content: text})
}

// Log implements [agent.Host].
func (r *run) Log(ctx context.Context, text string) error {
	return r.Say(ctx, agent.Saying{Type: agent.Log, Content: text})
}

// Step implements [agent.Host].
func (r *run) Step(ctx context.Context, text string) error {
	return r.act(ctx, record{Event: &Event{Mark: Step, Text: text}})
}

// Show implements [agent.Host].
func (r *run) Show(shot agent.Screenshot) { r.session.show(shot) }

// Save implements [agent.Host].
func (r *run) Save(state any) error {
	data, err := marshal(state)
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
	if err := r.act(ctx, record{}); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return r.act(ctx, record{})
}
