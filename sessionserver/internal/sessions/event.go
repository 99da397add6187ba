package sessions

import (
	"encoding/json"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// Mark names an event that is no message.
type Mark string

// The marks in a session's log.
const (
	Paused    Mark = "paused"
	Resumed   Mark = "resumed"
	Cancelled Mark = "cancelled"
	Step      Mark = "step"  // the agent did something; has a Text
	Taken     Mark = "taken" // the oldest queued message begins its turn
)

// Event is one entry of a session's log: a message, or a mark. A session's
// status follows from its events alone.
type Event struct {
	At      time.Time     `json:"at"`
	Mark    Mark          `json:"mark,omitempty"`
	Text    string        `json:"text,omitempty"`   // of a Step
	Message agent.Message `json:"message,omitzero"` // zero when Mark is set
	// Queue says that the message was not for the agent yet when it came.
	Queue Queue `json:"queue,omitempty"`
	// Note is what the face keeps with a user's message.
	Note json.RawMessage `json:"note,omitempty"`
}

// Queue says when the agent is free for a message that has come too early.
type Queue string

// When a queued message has its turn. Without one of these it has none: the
// agent hears it at once.
const (
	AfterTurn Queue = "turn" // an agent that asks is free: the message is the answer
	AfterTask Queue = "task" // an agent that asks is not
	// Unasked messages are heard at once by an agent at work and are no answer
	// to one that asks: they come after the task.
	Unasked Queue = "unasked"
)

// Phase is where the current task of a session stands.
type Phase string

// The phases of a session's task.
const (
	Ready    Phase = "ready"    // no task yet
	GivenUp  Phase = "given_up" // the last task was cancelled
	Running  Phase = "running"  // the agent works
	Waiting  Phase = "waiting"  // the agent waits for an answer
	Finished Phase = "finished" // the last task has a result
	Failed   Phase = "failed"   // the last task failed
)

// Status is the phase of a session's task, and what holds it.
type Status struct {
	Phase    Phase
	Paused   bool
	Starting bool // the session is not ready for work yet; follows from its age, not from events
}

// Active says that there is a task which is neither finished, failed nor cancelled.
func (s Status) Active() bool { return s.Phase == Running || s.Phase == Waiting }

// Over says that the last task came to its own end.
func (s Status) Over() bool { return s.Phase == Finished || s.Phase == Failed }

// after is the status that follows an event.
func (s Status) after(e Event) Status {
	if e.Queue != "" {
		return s
	}
	switch e.Mark {
	case Step:
		return s
	case Taken:
		s.Phase = Running
		return s
	case Paused:
		s.Paused = true
		return s
	case Resumed:
		s.Paused = false
		return s
	case Cancelled:
		return Status{Phase: GivenUp}
	}
	switch e.Message.Type {
	case agent.User:
		s.Phase = Running
	case agent.Question:
		s.Phase = Waiting
	case agent.Done:
		s.Phase = Finished
	case agent.Error:
		s.Phase = Failed
	}
	return s
}
