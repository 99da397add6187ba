package workflows

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
)

// exchange is a question and the answer that a person gave.
type exchange struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
	By       string `json:"by"`
}

// startAgain brings the state to where the task goes on in a new session after
// cause, or returns what ends the task.
func (t *agentTask) startAgain(ctx workflow.Context, cause error) error {
	stalled := activities.IsType(cause, activities.ErrTypeStalled)
	if t.s.Session == nil || len(t.s.Restarts) >= t.in.MaxRestarts || ctx.Err() != nil || t.late(ctx) ||
		!stalled && !activities.IsType(cause, activities.ErrTypeSessionGone) {
		return cause
	}
	_, failure := verdict(cause)
	given := Restart{At: workflow.Now(ctx).UTC(), SessionID: t.s.Session.ID, Error: *failure}
	t.log.Warn("starting again in a new session", "session", given.SessionID, "error", failure.Message)
	// Of a session that is gone there is nothing to stop or to keep, but it is
	// deleted all the same: a vendor that lost it for a moment may find it again.
	t.dropSession(ctx, stalled)
	if ctx.Err() != nil && !t.s.Session.Deleted { // a cancel came between, and the end cleans up
		return ctx.Err()
	}
	given.RestoredFrom = t.restoreFrom()
	t.forgetSession()
	t.s.Restarts = append(t.s.Restarts, given)
	return nil
}

// dropSession stops the agent of a session that is given up and deletes it.
func (t *agentTask) dropSession(ctx workflow.Context, alive bool) {
	keep := Snapshot{}
	if alive {
		keep.Mode = t.in.Snapshot.Mode // never as anyone's default
		if err := t.callCancelSession(ctx); err != nil {
			t.log.Warn("agent not stopped, its session is deleted anyway", "session", t.s.Session.ID, "error", err)
		}
	}
	if saved := t.deleteSession(ctx, keep); saved != nil {
		t.s.LastSnapshot = saved.SessionID
	}
}

// forgetSession brings the state to before the first message. What people have
// answered, and what was counted, stays.
func (t *agentTask) forgetSession() {
	s := &t.s
	s.Session, s.SessionRef, s.SessionPaused, s.StrayPause = nil, "", false, false
	s.Outbox = &outgoing{Text: t.in.Prompt, StartURL: t.in.StartURL}
	s.Watermark, s.TurnOpen, s.TurnLeft, s.TurnDeadline = "", false, 0, time.Time{}
	s.Question, s.ReplyTo, s.ScriptUsed, s.FollowUpsSent, s.Result = nil, "", 0, 0, nil
	s.Known, s.Current = append(s.Known, s.Current...), nil
}

// restoreFrom is the session whose snapshot the next one begins with.
func (t *agentTask) restoreFrom() string {
	return cmp.Or(t.s.LastSnapshot, t.in.RestoreSession)
}

// mostKnown bounds how many exchanges are remembered: they travel with the
// task's state. People are asked the others again.
const mostKnown = 8

// remember keeps what a person answered for as long as another session may ask
// it again.
func (t *agentTask) remember(q Question, a Answer) {
	if a.By != ByScript && a.By != ByDefault && len(t.s.Restarts) < t.in.MaxRestarts && len(t.s.Known)+len(t.s.Current) < mostKnown {
		t.s.Current = append(t.s.Current, exchange{Question: q.Text, Answer: a.Text, By: a.By})
	}
}

// knownAnswer takes the answer that a person gave to the same question, word
// for word, in a session that has died. Each is taken once: an agent that asks
// again was not content with it.
func (t *agentTask) knownAnswer(question string) (exchange, bool) {
	for i, e := range t.s.Known {
		if e.Question == question {
			t.s.Known = append(t.s.Known[:i:i], t.s.Known[i+1:]...)
			return e, true
		}
	}
	return exchange{}, false
}
