package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// Facts are what a session is born with; they never change.
type Facts struct {
	ID string `json:"id"`
	// Face is the mark of the face that made the session.
	Face  string `json:"face,omitempty"`
	Agent string `json:"agent"`
	// Owner is whom the session belongs to, empty on a server that asks for no key.
	Owner         string    `json:"owner,omitempty"`
	CreatedAt     time.Time `json:"created_at"`
	EnvironmentID string    `json:"environment_id"`
	// RestoredFrom is the session whose snapshot this one began with.
	RestoredFrom string `json:"restored_from,omitempty"`
	// ViewToken opens the session's page to a browser, which sends no API key.
	ViewToken string `json:"view_token"`
	Wish
}

// BelongsTo says whether an owner may use the session. What was made on a
// server that asked for no key belongs to everyone.
func (f Facts) BelongsTo(owner string) bool { return f.Owner == "" || f.Owner == owner }

// Wish is what a client asked for when it created a session, beyond its agent.
// The engine keeps it; agents and faces make of it what they can.
type Wish struct {
	Goal            string `json:"goal,omitempty"`
	MaxSteps        int    `json:"max_steps,omitempty"`
	Type            string `json:"type,omitempty"` // the face's kind of session
	CDPURL          string `json:"cdp_url,omitempty"`
	EnvironmentType string `json:"environment_type,omitempty"`
	Model           string `json:"model,omitempty"`
	WebhookURL      string `json:"webhook_url,omitempty"`
	// BaseURL is where the client reached the server: scheme and host.
	BaseURL string `json:"base_url,omitempty"`
}

// Session is one conversation with an agent. Its methods may be called from
// any goroutine; those that change it return [ErrNotFound] once it is deleted
// and [ErrClosed] once the engine is closed.
type Session struct {
	Facts
	engine *Engine
	agent  agent.Agent

	deleting sync.Mutex   // one deletion at a time; taken before all others
	holding  sync.Mutex   // keeps pauses and resumes in order; taken before mu
	touched  atomic.Int64 // time of the last event, in Unix nanoseconds

	mu         sync.Mutex
	journal    journal
	events     []Event // append-only: readers share its elements
	lastID     int
	status     Status
	startURL   string
	agentState json.RawMessage
	note       json.RawMessage
	turn       int           // index in events of what began the turn: a message, or a mark that took it
	queue      []Event       // messages for later, the oldest first
	message    agent.Message // that the agent works on
	answering  bool          // that message is an answer
	run        *run          // nil unless the agent works
	last       chan struct{} // closed when the latest run has ended; nil if there was none
	worker     agent.Worker  // nil until the first turn in this life of the server
	screen     *shown        // what the agent showed last
	booting    *time.Timer   // nil unless the session is starting
	leaving    bool          // it is being deleted
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
		Status:  s.now(),
		Deleted: s.deleted,
		Changed: s.change(),
	}
}

// Replay tells of every event again, with the status before it.
func (s *Session) Replay(tell func(before Status, e Event)) {
	status := Status{Phase: Ready}
	for _, e := range s.Since(0).Events {
		tell(status, e)
		status = status.after(e)
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
	return messages, s.now()
}

// Length is the position behind the last event.
func (s *Session) Length() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events)
}

// After is the position behind the message with this id, or behind the last
// one below it.
func (s *Session) After(id int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range s.events {
		if e.Mark == "" && e.Message.ID > id {
			return i
		}
	}
	return len(s.events)
}

// Status is where the session's task stands.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Pause holds the task, if there is an active one that is not held. It says
// whether that changed anything.
func (s *Session) Pause() (bool, error) {
	return s.hold(Paused, func(now Status) bool { return now.Active() && !now.Paused }, agent.Pauser.Pause)
}

// Resume lets a paused task go on. It says whether that changed anything.
func (s *Session) Resume() (bool, error) {
	return s.hold(Resumed, func(now Status) bool { return now.Paused }, agent.Pauser.Resume)
}

// hold marks a pause or a resume and passes it on to the worker, in the order
// in which the calls came.
func (s *Session) hold(m Mark, applies func(Status) bool, act func(agent.Pauser) error) (bool, error) {
	s.holding.Lock()
	defer s.holding.Unlock()
	s.mu.Lock()
	if !applies(s.status) || s.leaving {
		s.mu.Unlock()
		return false, nil
	}
	err := s.mark(m, "")
	worker := s.worker
	s.mu.Unlock()
	if err != nil {
		return false, err
	}
	s.passOn(worker, m, act)
	return true, nil
}

func (s *Session) passOn(w agent.Worker, m Mark, act func(agent.Pauser) error) {
	if p, ok := w.(agent.Pauser); ok {
		if err := act(p); err != nil {
			// The host still holds it at the next thing it says.
			s.engine.Logger.Warn("agent not held or let go at once", "session_id", s.ID, "mark", m, "error", err)
		}
	}
}

// Cancel gives up the active task, if there is one. The session stays usable,
// and its agent is no longer held.
func (s *Session) Cancel() error {
	_, err := s.GiveUp()
	return err
}

// GiveUp is Cancel, and says whether there was a task to give up.
func (s *Session) GiveUp() (bool, error) {
	s.holding.Lock()
	defer s.holding.Unlock()
	s.mu.Lock()
	if !s.status.Active() || s.leaving {
		s.mu.Unlock()
		return false, nil
	}
	held, worker := s.status.Paused, s.worker
	err := s.mark(Cancelled, "")
	if err == nil {
		s.stop()
		s.proceed()
	}
	s.mu.Unlock()
	if err == nil && held {
		s.passOn(worker, Cancelled, agent.Pauser.Resume)
	}
	return err == nil, err
}

// revive makes the session go on where a former process left it.
func (s *Session) revive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boot()
	if !s.status.Active() {
		s.proceed()
		return
	}
	if m, ok := s.agent.(agent.Mortal); ok {
		if reason := m.Lost(s.facts(), s.agentState); reason != "" {
			s.fail(reason)
			s.proceed()
			return
		}
	}
	s.proceed()
	if s.status.Phase == Running && s.run == nil && s.booting == nil {
		s.engine.Logger.Info("session turn started again", "session_id", s.ID)
		s.start()
	}
}

// idle is the time since the last event.
func (s *Session) idle() time.Duration { return time.Since(time.Unix(0, s.touched.Load())) }

// All functions below this line are called with s.mu held.

// now is the status, with what follows from the session's age.
func (s *Session) now() Status {
	status := s.status
	status.Starting = s.booting != nil
	return status
}

// boot keeps the session from working before it is ready.
func (s *Session) boot() {
	wait := s.engine.Boot - time.Since(s.CreatedAt)
	if wait <= 0 {
		return
	}
	s.booting = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		before := s.now()
		s.booting = nil
		if s.deleted || s.leaving {
			return
		}
		s.engine.Observer.Changed(s, before, s.now(), Event{At: time.Now().UTC()})
		s.wake()
		if s.status.Phase == Running && s.run == nil {
			s.start()
		}
	})
}

func (s *Session) say(m agent.Message, state json.RawMessage) error {
	m.ID = s.lastID + 1
	return s.commit(record{Event: &Event{At: time.Now().UTC(), Message: m}, AgentState: state})
}

func (s *Session) mark(m Mark, text string) error {
	return s.commit(record{Event: &Event{At: time.Now().UTC(), Mark: m, Text: text}})
}

// fail ends the task with an error.
func (s *Session) fail(reason string) {
	content, err := marshal(reason)
	if err == nil {
		s.settle(agent.Message{Type: agent.Error, Content: content}, nil)
	}
}

// settle ends a turn with its outcome. Readers must not wait for ever: what
// cannot be written is still told, and the next process will run the turn again.
func (s *Session) settle(m agent.Message, state json.RawMessage) {
	err := s.say(m, state)
	if err == nil || errors.Is(err, ErrClosed) || errors.Is(err, ErrNotFound) {
		return
	}
	s.engine.Logger.Error("task outcome not saved", "session_id", s.ID, "error", err)
	m.ID = s.lastID + 1
	s.publish(record{Event: &Event{At: time.Now().UTC(), Message: m}})
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
	s.publish(r)
	return nil
}

// publish makes a change visible, to observers first.
func (s *Session) publish(r record) {
	before := s.now()
	s.apply(r)
	if r.Event != nil {
		s.engine.Observer.Changed(s, before, s.now(), *r.Event)
	}
	s.wake()
}

// apply brings the session up to a record. It is the one place where a session
// changes, at run time and when the journal is read.
func (s *Session) apply(r record) {
	if r.Session != nil {
		s.touched.Store(r.Session.CreatedAt.UnixNano())
	}
	if r.AgentState != nil {
		s.agentState = r.AgentState
	}
	if r.Note != nil {
		s.note = r.Note
	}
	if r.Event == nil {
		return
	}
	e := *r.Event
	s.touched.Store(e.At.UnixNano())
	if e.Mark == "" {
		s.lastID = e.Message.ID
	}
	m := e.Message
	switch {
	case e.Queue != "":
		s.queue = append(s.queue, e)
	case e.Mark == Taken && len(s.queue) > 0:
		m, s.queue = s.queue[0].Message, s.queue[1:]
	}
	if m.Type == agent.User && e.Queue == "" {
		if m.StartURL != "" {
			s.startURL = m.StartURL
		}
		if s.status.Phase != Running {
			s.turn, s.answering, s.message = len(s.events), s.status.Phase == Waiting, m
		}
	}
	s.status = s.status.after(e)
	s.events = append(s.events, e)
}

// history gives the messages before a position in the log, without those that
// were still for later.
func (s *Session) history(position int) []agent.Message {
	var messages, later []agent.Message
	for _, e := range s.events[:position] {
		switch {
		case e.Queue != "":
			later = append(later, e.Message)
		case e.Mark == Taken && len(later) > 0:
			messages, later = append(messages, later[0]), later[1:]
		case e.Mark == "":
			messages = append(messages, e.Message)
		}
	}
	return messages
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

// start sets the agent to work on the current turn, as soon as it has let go
// of the one before. When the session is starting it does nothing: boot will.
// When the engine is closing neither: the next process will.
func (s *Session) start() {
	if s.booting != nil || !s.engine.begin() {
		return
	}
	ctx, cancel := context.WithCancel(s.engine.ctx)
	r := &run{session: s, cancel: cancel}
	before, done := s.last, make(chan struct{})
	s.run, s.last = r, done
	turn := &agent.Turn{
		Host:      r,
		Session:   s.facts(),
		StartURL:  s.startURL,
		Message:   s.message,
		Answering: s.answering,
		History:   s.history(s.turn),
		State:     s.agentState,
	}
	go func() {
		defer s.engine.work.Done()
		defer close(done)
		if before != nil {
			<-before
		}
		r.finish(ctx, r.ask(ctx, turn))
		r.told.Wait()
	}()
}

// stop takes the turn away from the agent, which may need a moment to notice.
func (s *Session) stop() {
	if s.run != nil {
		s.run.cancel()
		s.run = nil
	}
}
