// Package agenttest runs agents without a session server, for their tests.
package agenttest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// Session runs an agent turn by turn and remembers what the agent said.
type Session struct {
	Agent  agent.Agent
	ID     string
	Said   []string        // thoughts and logs, "think: …" and "log: …"
	Waited []time.Duration // waits, which take no time here
	State  json.RawMessage
	// StopAt ends a turn, as a crash would, in place of the thought, log or
	// wait with this index (counted from 1); 0 never does.
	StopAt int

	// Dir is the session's working directory.
	Dir string
	// Worker does the turns; if it is nil, each turn opens a worker of its own.
	Worker agent.Worker

	turn    agent.Turn
	calls   int
	unsaved json.RawMessage
}

// Send gives the agent a message; answering if the last outcome was a question.
func (s *Session) Send(text, startURL string, answering bool) agent.Outcome {
	content, err := json.Marshal(text)
	if err != nil {
		return agent.Failed(err.Error())
	}
	s.turn = agent.Turn{
		Session:   s.facts(),
		StartURL:  s.turn.StartURL,
		Message:   agent.Message{ID: s.turn.Message.ID + 2, Type: agent.User, Content: content, StartURL: startURL},
		Answering: answering,
	}
	if startURL != "" {
		s.turn.StartURL = startURL
	}
	return s.Again()
}

// Again runs the last turn again, as after a crash.
func (s *Session) Again() agent.Outcome {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	turn := s.turn
	turn.State = s.State
	turn.Host = &host{Session: s, cancel: cancel}
	s.calls, s.unsaved = 0, nil
	worker := s.Worker
	if worker == nil {
		worker = s.Open()
		defer worker.Close()
	}
	outcome := worker.Run(ctx, &turn)
	if ctx.Err() == nil && s.unsaved != nil {
		s.State = s.unsaved
	}
	return outcome
}

// Open opens a worker, as a new life of the server does.
func (s *Session) Open() agent.Worker { return s.Agent.Open(s.facts()) }

func (s *Session) facts() agent.Session {
	return agent.Session{
		ID:   s.ID,
		Dir:  s.Dir,
		Past: func() ([]agent.Message, json.RawMessage) { return nil, s.State },
		Amend: func(change func(json.RawMessage) (any, error)) error {
			changed, err := change(s.State)
			if err == nil {
				s.State, err = json.Marshal(changed)
			}
			return err
		},
	}
}

// host is the session's side of one turn.
type host struct {
	*Session
	cancel context.CancelFunc
}

func (h *host) act(ctx context.Context) error {
	if h.calls++; h.calls == h.StopAt {
		h.cancel()
	}
	if ctx.Err() == nil && h.unsaved != nil {
		h.State, h.unsaved = h.unsaved, nil
	}
	return ctx.Err()
}

// Think implements [agent.Host].
func (h *host) Think(ctx context.Context, text string) error {
	err := h.act(ctx)
	if err == nil {
		h.Said = append(h.Said, "think: "+text)
	}
	return err
}

// Log implements [agent.Host].
func (h *host) Log(ctx context.Context, text string) error {
	err := h.act(ctx)
	if err == nil {
		h.Said = append(h.Said, "log: "+text)
	}
	return err
}

// Step implements [agent.Host].
func (h *host) Step(ctx context.Context, text string) error {
	err := h.act(ctx)
	if err == nil {
		h.Said = append(h.Said, "step: "+text)
	}
	return err
}

// Say implements [agent.Host].
func (h *host) Say(ctx context.Context, m agent.Saying) error {
	content, err := json.Marshal(m.Content)
	if err == nil {
		err = h.act(ctx)
	}
	if err == nil {
		h.Said = append(h.Said, string(m.Type)+": "+string(content))
	}
	return err
}

// Show implements [agent.Host]; nobody looks.
func (h *host) Show(agent.Screenshot) {}

// Wait implements [agent.Host].
func (h *host) Wait(ctx context.Context, d time.Duration) error {
	// A wait writes the state first and can be interrupted only after that.
	if h.unsaved != nil {
		h.State, h.unsaved = h.unsaved, nil
	}
	err := h.act(ctx)
	if err == nil {
		h.Waited = append(h.Waited, d)
	}
	return err
}

// Save implements [agent.Host].
func (h *host) Save(state any) error {
	data, err := json.Marshal(state)
	h.unsaved = data
	return err
}
