package sessions

import (
	"slices"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// All functions here are called with s.mu held.

// free says whether the agent may have a message of that queue now. Nobody
// comes before those that are waiting already.
func (s *Session) free(q Queue) bool {
	switch q {
	case AfterTurn:
		return s.status.Phase != Running && len(s.queue) == 0
	case AfterTask:
		return !s.status.Active() && len(s.queue) == 0
	case Unasked:
		return s.status.Phase != Waiting && len(s.queue) == 0
	}
	return true
}

// proceed gives the agent the oldest queued message, if it is free for that.
func (s *Session) proceed() {
	if len(s.queue) == 0 || s.leaving || s.deleted {
		return
	}
	if s.status.Phase == Running || (s.queue[0].Queue != AfterTurn && s.status.Active()) {
		return
	}
	if s.mark(Taken, "") == nil {
		s.start()
	}
}

// asked is the id of the question that the agent waits for an answer to, 0 if
// there is none.
func (s *Session) asked() int {
	if s.status.Phase != Waiting {
		return 0
	}
	for _, e := range slices.Backward(s.events) {
		if e.Message.Type == agent.Question {
			return e.Message.ID
		}
	}
	return 0
}
