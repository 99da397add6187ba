package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"pgregory.net/rapid"
)

// reference says what an agent task promises, seen from the outside. It reads
// the book fact by fact, knows after each what may come next and, in the end,
// what the account must say. It knows nothing of steps and coroutines.
type reference struct {
	plan
	t        *rapid.T
	story    func() string // so far
	now      time.Time
	deadline time.Time // of the task; zero: none

	workView
	peopleView

	done     time.Time  // when all was; zero: it is not. A task that is paused then does not end yet
	over     bool       // nothing is left but to clean up
	verdict  *TaskError // why it is over; nil: all is done
	long     bool       // the task goes on in a new run as soon as it can
	runBegan time.Time
}

func newReference(t *rapid.T, p plan) *reference {
	r := &reference{plan: p, t: t}
	r.restore, r.cleared, r.open = p.Task.RestoreSession, map[string]bool{}, map[int]request{}
	if p.Task.Timeout > 0 {
		r.deadline = storyBegins.Add(p.Task.Timeout)
	}
	r.write(p.Task.Prompt, p.Task.StartURL)
	return r
}

// read reads a book up to the first promise that is not kept.
func (r *reference) read(b *book) {
	for i, f := range b.facts {
		r.story = func() string { return b.tell(i) }
		r.see(f)
	}
}

// must ends the test with a promise that is not kept, and how that came.
func (r *reference) must(kept bool, format string, args ...any) {
	if !kept {
		r.t.Fatalf(format+"\n%s", append(args, r.story())...)
	}
}

func (r *reference) see(f fact) {
	r.now = f.at
	r.passDeadlines()
	switch f := f.what.(type) {
	case called:
		r.called(f)
	case putOff:
		r.making = false
	case replied:
		r.replied(f)
	case made:
		r.made++
	case received:
		r.received(f)
	case halted:
		r.halted = f.Session
	case deleted:
		r.deleted(f)
	case asked:
		r.askedFor(f)
	case told:
		r.told(f)
	case observed:
		r.observed(f)
	case wentOn:
		r.wentOn()
	case ended:
		r.ended(f)
	}
}

// passDeadlines does what time alone does to an open question.
func (r *reference) passDeadlines() {
	q := r.question
	if r.over || q == nil || r.settling() {
		return
	}
	if q.Deadline == nil || !r.deadline.IsZero() && !q.Deadline.Before(r.deadline) {
		if r.late() {
			r.end(ErrTypeTaskTimeout, "")
		}
		return
	}
	if r.now.Before(*q.Deadline) {
		return
	}
	defer func(now time.Time) { r.now = now }(r.now)
	if q.Deadline.After(r.runBegan) {
		r.now = *q.Deadline
	}
	if r.Task.DefaultAnswer != "" && q.Kind == QuestionAgent {
		r.answer(AnswerInput{Text: r.Task.DefaultAnswer, By: ByDefault})
	} else {
		r.end(ErrTypeQuestionTimeout, "")
	}
}

func (r *reference) late() bool { return !r.deadline.IsZero() && !r.now.Before(r.deadline) }

// settling reports whether the task waits for a pause or a resume before it
// goes on in a new run. Until then only people answer.
func (r *reference) settling() bool {
	return r.long && (r.commanding || r.question != nil && r.now.Equal(r.commanded))
}

func (r *reference) wentOn() {
	r.must(len(r.open) == 0, "a run ends and leaves %v without a reply", r.open)
	r.long, r.runBegan = false, r.now
	if r.question != nil && r.question.Kind == QuestionAgent {
		r.answerFromInput()
	}
}

// end is the end of the task, but for the cleaning up.
func (r *reference) end(failure, message string) {
	if failure != ErrTypeCancelled && r.late() {
		failure, message = ErrTypeTaskTimeout, ""
	}
	r.over, r.question, r.quiet = true, nil, false
	r.verdict = &TaskError{Type: failure, Message: message}
}

func typeOf(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Type()
	}
	return fmt.Sprintf("%T", err)
}
