package sessions

import (
	"encoding/json"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// UserMessage is what a user says to a session.
type UserMessage struct {
	Text     string
	StartURL string
	// Config and Context are JSON objects for the agent, nil if there are none.
	Config, Context json.RawMessage
	// IfIdle refuses the message with [ErrBusy] while the agent works, or is not
	// free for a message of that Queue.
	IfIdle bool
	// Queue keeps the message for later where the agent is not free for it.
	Queue Queue
	// Answers is the id of the question that the message is to answer. It is
	// refused with [ErrNotWaiting] unless the agent waits for that very answer.
	Answers int
	// Note is kept with the message for the face, as it is.
	Note json.RawMessage
}

// Send adds a user's message: the answer if the agent waits for one, extra
// information if it works, else a new task.
func (s *Session) Send(in UserMessage) error {
	_, err := s.Post(in)
	return err
}

// Post is Send, and gives the message as it stands in the log.
func (s *Session) Post(in UserMessage) (Event, error) {
	content, err := marshal(in.Text)
	if err != nil {
		return Event{}, err
	}
	m := agent.Message{Type: agent.User, Content: content, StartURL: in.StartURL, Config: in.Config, Context: in.Context}
	s.mu.Lock()
	defer s.mu.Unlock()
	working := s.status.Phase == Running
	switch {
	case s.leaving:
		return Event{}, ErrNotFound
	case in.IfIdle && (working || !s.free(in.Queue)):
		return Event{}, ErrBusy
	case in.Answers != 0 && in.Answers != s.asked():
		return Event{}, ErrNotWaiting
	}
	m.ID = s.lastID + 1
	e := Event{At: time.Now().UTC(), Message: m, Note: in.Note}
	if !s.free(in.Queue) {
		e.Queue = in.Queue
	}
	if err := s.commit(record{Event: &e}); err != nil {
		return Event{}, err
	}
	switch {
	case e.Queue != "":
	case !working:
		s.start()
	case s.run != nil:
		s.run.hear(m)
	}
	return e, nil
}

// Note is what the face keeps with the session, as it is.
func (s *Session) Note() json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.note
}

// Annotate changes what the face keeps with the session. The change is made
// under the session's lock and must call nothing of the session.
func (s *Session) Annotate(change func(note json.RawMessage) (json.RawMessage, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving {
		return ErrNotFound
	}
	note, err := change(s.note)
	if err != nil {
		return err
	}
	return s.commit(record{Note: note})
}
