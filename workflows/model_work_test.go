package workflows

import (
	"time"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
)

// workView is what the reference knows of the sessions and of what is done in
// them.
type workView struct {
	session  string          // that the task has; empty: none
	known    []string        // all that it had
	cleared  map[string]bool // those that it has deleted, or cannot delete
	made     int             // whether the task knows of them or not
	created  int             // as many as there were when the task had its newest
	creating bool            // one is being made
	making   bool            // in a first try, whose outcome even a cancelled task waits for
	restore  string          // what the next one begins with
	restarts []Restart
	dropping *TaskError // why the session is being given up for another; nil: it is not

	bare      bool     // the session is deleted without a snapshot, after one with a snapshot failed
	kept      *deleted // what the vendor did when it deleted it
	confirmed bool     // and said so

	next      *letter // to be sent; nil: nothing
	replyTo   string  // what the answer to the last question must name
	followUps int     // that were sent or are next
	turns     int
	turnOpen  bool          // from when its message may be sent until its outcome is known
	turnLeft  time.Duration // what it may still take
	waiting   time.Time     // since when its outcome is waited for
	stopped   bool          // the agent was told to
	result    string
}

// letter is a message to the agent.
type letter struct {
	text, url string
	replyTo   string
	arrived   int
	allowed   int  // how often it may arrive
	settled   bool // a person says that it has
}

// message is the letter as the turn of that number sends it.
func (l *letter) message(turn int, before activities.Fate) activities.Message {
	return activities.Message{Text: l.text, StartURL: l.url, Number: turn, ReplyTo: l.replyTo, Before: before}
}

func (r *reference) write(text, url string) { r.next = &letter{text: text, url: url, allowed: 1} }

func (r *reference) called(c called) {
	switch in := c.In.(type) {
	case activities.CreateSessionInput:
		r.must(r.session == "", "a second session beside %s", r.session)
		r.must(!r.over, "a session is made although the task is over")
		r.must(r.creating || !r.quiet, "a paused task makes a session")
		r.must(in.RestoreSession == r.restore, "the session begins with %q, not with %q", in.RestoreSession, r.restore)
		r.creating, r.making = true, c.First
	case activities.TakeTurnInput:
		r.takesTurn(in)
	case activities.DeleteSessionInput:
		r.must(in.SessionID == r.session, "%s is deleted, the task has %q", in.SessionID, r.session)
		r.cleansUp()
		gone := r.dropping != nil && r.dropping.Type == activities.ErrTypeSessionGone && !r.over
		r.must(r.stopped || !r.turnOpen || gone, "the session is deleted while its agent may be at work")
		r.must(!in.SaveAsDefault || r.verdict == nil && r.Task.Snapshot.SaveAsDefault, "half-done work becomes a default")
	case activities.SessionInput:
		if isPauseOrResume(c.Name) {
			r.commanding = true
			return
		}
		r.must(in.SessionID == r.session, "the agent of %s is stopped, the task has %q", in.SessionID, r.session)
		r.cleansUp()
		r.stopped = true
	}
}

// takesTurn is the begin of a turn, or its going on after a pause or a doubt.
func (r *reference) takesTurn(in activities.TakeTurnInput) {
	r.must(in.SessionID == r.session, "a turn in %s, the task has %q", in.SessionID, r.session)
	r.must(!r.over, "a turn although the task is over")
	r.must(!r.quiet || in.Message == nil && !r.Vendor.CanPause, "a paused task goes on with its turn")
	r.must(r.question == nil, "a turn while a question is open")
	if !r.turnOpen {
		r.must(r.next != nil, "a turn without a message")
		r.turnOpen, r.turnLeft = true, orDefault(r.Task.TurnTimeout, DefaultTurnTimeout)
		r.turns++
	}
	if in.Message == nil {
		r.must(r.next == nil || r.next.settled, "the message %v is forgotten", r.next)
	} else {
		r.must(r.next != nil && *in.Message == r.next.message(r.turns, in.Message.Before),
			"%v is sent, it is the turn of %v", in.Message, r.next)
	}
	r.must(in.Deadline.Equal(r.deadline), "the turn has the deadline %s, the task %s", in.Deadline, r.deadline)
	r.must(in.TurnTimeout == r.turnLeft, "the turn may take %s, not %s", in.TurnTimeout, r.turnLeft)
	r.waiting = r.now
}

// cleansUp is the begin of a cleaning up, of the task or of a session that is
// given up.
func (r *reference) cleansUp() {
	switch {
	case r.over || r.dropping != nil:
	case !r.done.IsZero() && (r.done.Equal(r.now) || !r.late()):
		r.over = true
	default:
		r.must(r.late(), "the session is given up for no reason")
		r.end(ErrTypeTaskTimeout, "")
	}
}

func (r *reference) received(m received) {
	r.must(m.Session == r.session, "%q is sent to %s, the task has %q", m.Text, m.Session, r.session)
	r.must(r.next != nil && r.next.text == m.Text, "%q is sent, it is the turn of %v", m.Text, r.next)
	r.next.arrived++
	r.must(r.next.arrived <= r.next.allowed, "%q is sent again, and nobody decided so", m.Text)
	r.must(!r.quiet || !r.Vendor.CanPause, "a paused task sends %q", m.Text)
}

func (r *reference) deleted(d deleted) {
	r.must(!d.Default || r.over && r.verdict == nil, "half-done work became a default")
	r.kept = &d
}

func (r *reference) replied(a replied) {
	switch a.Name {
	case "CreateSession":
		r.sessionMade(a)
	case "TakeTurn":
		r.turnReplied(a)
	case "DeleteSession":
		r.sessionDeleted(a)
	case "PauseSession", "ResumeSession":
		r.commanding, r.commanded = false, r.now
		if a.Name == "PauseSession" && a.Err == nil {
			r.agentPaused()
		}
	}
}

func (r *reference) sessionMade(a replied) {
	r.creating, r.making = false, false
	if a.Err != nil {
		r.over = false // whatever was meanwhile
		r.end(typeOf(a.Err), "")
		return
	}
	r.session = a.Out.(string)
	r.known = append(r.known, r.session)
	r.created, r.bare, r.kept, r.stopped = r.made, false, nil, false
}

// agentPaused is the end of waiting for the outcome of a turn, until someone
// resumes it.
func (r *reference) agentPaused() {
	r.agentHalted = r.now
	if r.halted == r.session && !r.waiting.IsZero() {
		r.turnLeft = max(time.Second, r.turnLeft-r.now.Sub(r.waiting))
		r.waiting = time.Time{}
	}
}

func (r *reference) turnReplied(a replied) {
	if r.over {
		return
	}
	r.waiting = time.Time{}
	if a.Err == nil {
		r.turnEnded(a.Out.(activities.Turn))
		return
	}
	switch failure := typeOf(a.Err); {
	case failure == activities.ErrTypeAmbiguousSend:
		r.doubt()
	case (failure == activities.ErrTypeStalled || failure == activities.ErrTypeSessionGone) &&
		len(r.restarts) < r.Task.MaxRestarts && !r.late():
		r.dropping = &TaskError{Type: failure}
	default:
		r.end(failure, "")
	}
}

func (r *reference) turnEnded(turn activities.Turn) {
	r.must(r.next == nil || r.next.settled || r.next.arrived > 0, "the turn is over and %v was not sent", r.next)
	r.next, r.turnOpen = nil, false
	switch turn.Outcome {
	case provider.OutcomeFinished:
		r.result = string(turn.Result)
		if r.followUps == len(r.Task.FollowUps) {
			r.done = r.now
			return
		}
		r.write(r.Task.FollowUps[r.followUps], "")
		r.followUps++
	case provider.OutcomeQuestion:
		r.replyTo = turn.ReplyTo
		r.ask(QuestionAgent, turn.Text)
		if !r.settling() {
			r.answerFromInput()
		}
	default:
		r.end(ErrTypeAgentError, turn.Text)
	}
}

// doubt is about a message of which nobody can tell whether it has arrived.
func (r *reference) doubt() {
	switch r.Task.OnAmbiguousSend {
	case AmbiguousSendFail:
		r.end(activities.ErrTypeAmbiguousSend, "")
	case AmbiguousSendResend:
		if r.next.allowed++; r.next.allowed > 1+mostResends {
			r.end(activities.ErrTypeAmbiguousSend, "")
		}
	default:
		r.ask(QuestionDelivery, r.next.text)
	}
}

func (r *reference) sessionDeleted(a replied) {
	out, _ := a.Out.(activities.DeleteSessionOutput)
	wanted := r.Task.Snapshot.wanted() && (r.over || r.dropping.Type == activities.ErrTypeStalled)
	if a.Err != nil && wanted && !r.bare && typeOf(a.Err) != activities.ErrTypeUnsupported {
		r.bare = true // another delete follows
		return
	}
	r.cleared[r.session], r.confirmed = true, a.Err == nil
	if r.over {
		return
	}
	if out.Found && r.kept.Kept != "" {
		r.restore = r.session
	}
	r.restarts = append(r.restarts, Restart{SessionID: r.session, Error: *r.dropping, RestoredFrom: r.restore})
	r.session, r.dropping, r.turnOpen, r.followUps, r.result = "", nil, false, 0, ""
	r.scripted, r.memory, r.fresh = 0, append(r.memory, r.fresh...), nil
	r.write(r.Task.Prompt, r.Task.StartURL)
}
