package sessions

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// Facts are what a session is born with; they never change.
type Facts struct {
	ID            string    `json:"id"`
	Agent         string    `json:"agent"`
	CreatedAt     time.Time `json:"created_at"`
	EnvironmentID string    `json:"environment_id"`
	Goal          string    `json:"goal,omitempty"`
	WebhookURL    string    `json:"webhook_url,omitempty"`
	// ViewToken opens the session's page to a browser, which sends no API key.
	ViewToken string `json:"view_token"`
}

// Session is one conversation with an agent. Its methods may be called from
// any goroutine; those that change it return [ErrNotFound] once it is deleted
// and [ErrClosed] once the engine is closed.
type Session struct {
	Facts
	engine *Engine
	agent  agent.Agent

	mu         sync.Mutex
	journal    journal
	events     []Event // append-only: readers share its elements
	lastID     int
	status     Status
	startURL   string
	agentState json.RawMessage
	turn       int  // index in events of the message that the agent works on
	answering  bool // that message is an answer
	run        *run // nil unless the agent works
	deleted    bool
	changed    chan struct{} // closed at the next change; nil if nobody waits
}

// View is a session's log from some position on, and the status after it.
type View struct {
	Events  []Event // not to be modified
	Status  Status
	Deleted bool
	// Changed is closed as soon as there is more to see.
	Changed <-chan struct{}
}

// Since shows the log from the given position (0: all of it). A reader that
// adds len(Events) to its position each time sees every event exactly once.
func (s *Session) Since(position int) View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return View{
		Events:  slices.Clip(s.events[position:]),
		Status:  s.status,
		Deleted: s.deleted,
		Changed: s.change(),
	}
}

// Messages gives the messages with an id above after, and the status that
// belongs to them.
func (s *Session) Messages(after int) ([]Event, Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := len(s.events)
	for first > 0 && (s.events[first-1].Mark != "" || s.events[first-1].Message.ID > after) {
		first--
	}
	messages := make([]Event, 0, len(s.events)-first)
	for _, e := range s.events[first:] {
		if e.Mark == "" {
			messages = append(messages, e)
		}
	}
	return messages, s.status
}

// Length is the position behind the last event.
func (s *Session) Length() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events)
}

// Status is where the session's task stands.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Send adds a user's message: the answer if the agent waits for one, extra
// information if it works, else a new task.
func (s *Session) Send(text, startURL string) error {
	content, err := json.Marshal(text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	working := s.status.Phase == Running
	m := agent.Message{Type: agent.User, Content: content, StartURL: startURL}
	if err := s.say(m, nil); err != nil {
		return err
	}
	if !working {
		s.start()
	}
	return nil
}

// Pause holds the task, if there is an active one.
func (s *Session) Pause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.status.Active() || s.status.Paused {
		return nil
	}
	return s.mark(Paused)
}

// Resume lets a paused task go on.
func (s *Session) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.status.Paused {
		return nil
	}
	return s.mark(Resumed)
}

// Cancel gives up the active task, if there is one. The session stays usable.
func (s *Session) Cancel() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.status.Active() {
		return nil
	}
	if err := s.mark(Cancelled); err != nil {
		return err
	}
	s.stop()
	return nil
}

// All functions below this line are called with s.mu held.

func (s *Session) say(m agent.Message, state json.RawMessage) error {
	m.ID = s.lastID + 1
	return s.commit(record{Event: &Event{At: time.Now().UTC(), Message: m}, AgentState: state})
}

func (s *Session) mark(m Mark) error {
	return s.commit(record{Event: &Event{At: time.Now().UTC(), Mark: m}})
}

// commit makes a change durable, then visible.
func (s *Session) commit(r record) error {
	if s.deleted {
		return ErrNotFound
	}
	if s.engine.ctx.Err() != nil {
		return ErrClosed
	}
	if err := s.journal.append(r); err != nil {
		return err
	}
	s.apply(r)
	s.wake()
	return nil
}

// apply brings the session up to a record. It is the one place where a session
// changes, at run time and when the journal is read.
func (s *Session) apply(r record) {
	if r.AgentState != nil {
		s.agentState = r.AgentState
	}
	if r.Event == nil {
		return
	}
	e := *r.Event
	if e.Mark == "" {
		s.lastID = e.Message.ID
	}
	if e.Message.Type == agent.User {
		if e.Message.StartURL != "" {
			s.startURL = e.Message.StartURL
		}
		if s.status.Phase != Running {
			s.turn, s.answering = len(s.events), s.status.Phase == Waiting
		}
	}
	s.status = s.status.after(e)
	s.events = append(s.events, e)
}

func (s *Session) change() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

func (s *Session) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// start sets the agent to work on the current turn. When the engine is closing
// it does nothing: the next process will start the turn.
func (s *Session) start() {
	if !s.engine.begin() {
		return
	}
	ctx, cancel := context.WithCancel(s.engine.ctx)
	r := &run{session: s, cancel: cancel}
	s.run = r
	turn := &agent.Turn{
		Host:      r,
		SessionID: s.ID,
		StartURL:  s.startURL,
		Message:   s.events[s.turn].Message,
		Answering: s.answering,
		State:     s.agentState,
	}
	for _, e := range s.events[:s.turn] {
		if e.Mark == "" {
			turn.History = append(turn.History, e.Message)
		}
	}
	go func() {
		defer s.engine.end()
		r.finish(ctx, r.ask(ctx, turn))
	}()
}

// stop takes the turn away from the agent, which may need a moment to notice.
func (s *Session) stop() {
	if s.run != nil {
		s.run.cancel()
		s.run = nil
	}
}
