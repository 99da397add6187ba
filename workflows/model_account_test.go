package workflows

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/activities"
)

// What the task says of itself, against what the reference knows.

// cleanUpTime is more than what the vendors of plans need for a task that is
// over.
const cleanUpTime = 2 * time.Hour

// observed looks at an answer of the state query.
func (r *reference) observed(o observed) {
	s := o.State
	r.must(s.Question == nil || s.Status == StatusWaiting || s.Status == StatusPaused, "a question is open and the task is %s", s.Status)
	r.must(s.Question != nil || s.Status != StatusWaiting, "the task waits, for no question")
	r.must(s.FinishedAt == nil, "a task that has ended answers")
	r.must(!s.Status.Closed() || s.Phase == PhaseDeleting, "the task is %s and in the phase %s", s.Status, s.Phase)
	r.must(!s.Status.Closed() || r.over || r.late(), "the task is %s already", s.Status)
	r.must(s.Status.Closed() || s.Status == o.Listed || r.commanding, "the task is %s, lists say %s", s.Status, o.Listed)
	r.must((s.Question == nil) == (r.question == nil), "the open question is %v, not %v", s.Question, r.question)
	if q := s.Question; q != nil {
		r.must(q.ID == r.question.ID && q.Kind == r.question.Kind && strings.Contains(q.Text, r.question.Text), "the open question is %v, not %v", q, r.question)
		r.must(sameTime(q.Deadline, r.question.Deadline), "question %s has the deadline %s, not %s", q.ID, q.Deadline, r.question.Deadline)
	}
	if r.resumes == 0 {
		r.quiet = s.Status == StatusPaused
	}
	r.counts(s.AgentTaskResult)
}

// ended looks at the account of a task that has ended, and at what it leaves.
func (r *reference) ended(e ended) {
	a := e.Account
	r.must(a.FinishedAt != nil, "the task does not end: %v", e.Err)
	for _, a := range r.open {
		r.must(a.at.Equal(r.now), "the task ends and leaves %v without a reply", a)
	}
	r.must(!r.making, "the task ends while a session is being made")
	if !r.over {
		r.must(r.late(), "the task has ended for no reason: %v", e.Err)
		r.end(ErrTypeTaskTimeout, "")
	}
	r.must(r.deadline.IsZero() || r.now.Before(r.deadline.Add(cleanUpTime)), "the task ends at %s, long after its deadline", r.now)
	r.must(a.Status == r.status(), "the task is %s, not %s", a.Status, r.status())
	if r.verdict == nil {
		r.must(e.Err == nil && a.Error == nil, "a completed task ends with %v", e.Err)
		r.must(string(a.Result) == r.result, "the result is %s, not %s", a.Result, r.result)
	} else {
		r.must(a.Error != nil && a.Error.Type == r.verdict.Type && failureOf(e.Err) == r.verdict.Type, "the task ends with %v (%v), not %v", a.Error, e.Err, r.verdict)
		r.must(strings.Contains(a.Error.Message, r.verdict.Message), "the task ends with %q, not with %q", a.Error.Message, r.verdict.Message)
	}
	r.must(a.Question == nil, "question %v is left open", a.Question)
	for _, id := range r.known {
		r.must(r.cleared[id], "session %s is left behind", id)
	}
	r.counts(a)
	r.snapshot(a)
}

// counts looks at what an account holds at any time.
func (r *reference) counts(a AgentTaskResult) {
	id := ""
	if a.Session != nil {
		id = a.Session.ID
	}
	r.must(id == r.session, "the task has session %q, not %q", id, r.session)
	r.must(a.Turns == r.turns || r.cancelled() && a.Turns == r.turns+1, "%d turns, not %d", a.Turns, r.turns)
	r.must(id == "" || a.SessionsCreated == r.created, "%d sessions created, not %d", a.SessionsCreated, r.created)
	r.must(slices.EqualFunc(a.Answers, r.answers, sameAnswer), "the answers are %v, not %v", a.Answers, r.answers)
	r.must(len(a.Restarts) <= r.Task.MaxRestarts, "%d restarts", len(a.Restarts))
	r.must(slices.EqualFunc(a.Restarts, r.restarts, func(a, b Restart) bool {
		return a.SessionID == b.SessionID && a.Error.Type == b.Error.Type && a.RestoredFrom == b.RestoredFrom
	}), "the restarts are %v, not %v", a.Restarts, r.restarts)
}

// snapshot looks at what became of the snapshot that was asked for.
func (r *reference) snapshot(a AgentTaskResult) {
	if a.Session != nil {
		r.must(a.Session.Deleted == r.confirmed, "session deleted: %t", a.Session.Deleted)
	}
	switch s := a.Snapshot; {
	case s != nil:
		r.must(r.kept != nil && r.kept.Kept == s.Mode && r.kept.Default == s.Default && s.SessionID == r.session, "the vendor has no snapshot %v but %v", s, r.kept)
	case r.Task.Snapshot.wanted() && a.Session != nil && a.Session.Deleted:
		r.must(a.SnapshotError != "", "there is no snapshot, and nobody says why")
	}
}

func (r *reference) cancelled() bool { return r.verdict != nil && r.verdict.Type == ErrTypeCancelled }

func (r *reference) status() Status {
	switch {
	case r.verdict == nil:
		return StatusCompleted
	case r.cancelled():
		return StatusCancelled
	}
	switch r.verdict.Type {
	case ErrTypeTaskTimeout, ErrTypeQuestionTimeout, activities.ErrTypeTurnTimeout, activities.ErrTypeStalled:
		return StatusTimedOut
	}
	return StatusFailed
}

// failureOf is the type of the error of a workflow.
func failureOf(err error) string {
	if _, ok := errors.AsType[*temporal.CanceledError](err); ok {
		return ErrTypeCancelled
	}
	return typeOf(err)
}

func sameTime(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}
