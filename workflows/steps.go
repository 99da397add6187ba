package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
)

// createSession makes the agent session.
func (t *agentTask) createSession(ctx workflow.Context) error {
	t.enter(ctx, PhaseCreating)
	s, err := t.callCreateSession(ctx)
	if err != nil {
		if doubtful(err) {
			t.s.SessionsCreated++
		}
		return err
	}
	t.s.Session = &Session{ID: s.ID, ViewURL: s.ViewURL, EnvironmentID: s.EnvironmentID}
	t.s.SessionRef = s.Ref
	t.s.SessionsCreated += 1 + s.Lost
	return nil
}

// openTurn opens a turn for what is in the outbox. The turn sends it.
func (t *agentTask) openTurn(ctx workflow.Context) error {
	t.list(ctx, StatusRunning)
	if workflow.GetVersion(ctx, "turn-sends-its-message", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return t.sendMessage(ctx)
	}
	if t.s.WasReset {
		t.s.Outbox.Before = activities.FateUnheard
	}
	t.s.TurnOpen = true
	t.s.TurnLeft, t.s.TurnDeadline = t.in.TurnTimeout, time.Time{}
	t.s.Turns++
	return nil
}

// awaitTurn waits until the agent has finished, asks, or has failed. While the
// session is paused nothing waits with it: no worker slot, no reads.
func (t *agentTask) awaitTurn(ctx workflow.Context) error {
	t.enter(ctx, PhaseWorking)
	t.list(ctx, t.status())
	turnCtx, abandon := workflow.WithCancel(ctx)
	turn := t.callTakeTurn(turnCtx)
	began := workflow.Now(ctx)
	if err := workflow.Await(ctx, func() bool { return turn.IsReady() || t.s.SessionPaused }); err != nil {
		return err
	}
	if !turn.IsReady() {
		abandon()             // taken up again from the same watermark
		if t.s.TurnLeft > 0 { // else the turn has a deadline, see legacy.go
			t.s.TurnLeft = max(time.Second, t.s.TurnLeft-workflow.Now(ctx).Sub(began))
		}
		if t.s.Outbox != nil {
			t.s.Outbox.Before = activities.FateUnheard
		}
		return nil
	}
	var out activities.Turn
	err := turn.Get(ctx, &out)
	if activities.IsType(err, activities.ErrTypeAmbiguousSend) {
		return t.ambiguous(ctx, err)
	}
	if err != nil {
		return err
	}
	t.s.Outbox = nil
	t.s.TurnOpen = false
	t.s.Watermark = out.Cursor
	switch out.Outcome {
	case provider.OutcomeFinished:
		t.s.Result = out.Result
	case provider.OutcomeQuestion:
		t.ask(ctx, out.Text)
		t.s.ReplyTo = out.ReplyTo
	default:
		return temporal.NewNonRetryableApplicationError(out.Text, ErrTypeAgentError, nil)
	}
	return nil
}

// ambiguous does what the policy says about a message that may have arrived.
func (t *agentTask) ambiguous(ctx workflow.Context, err error) error {
	t.s.Outbox.Before = activities.FateNone // if it is sent again then knowingly
	switch t.in.OnAmbiguousSend {
	case AmbiguousSendFail:
		return err
	case AmbiguousSendResend:
		if t.s.Outbox.Resent++; t.s.Outbox.Resent > mostResends {
			return err
		}
		return nil
	default:
		t.ask(ctx, fmt.Sprintf("It is not known whether this message has reached the agent; sending it again might do things twice.\n\n%s\n\n"+
			"Look at the session, then answer %q if the agent has it, or %q.", t.s.Outbox.Text, DeliverySent, DeliveryResend))
		t.s.Question.Kind = QuestionDelivery
		return nil
	}
}

// ask opens a question.
func (t *agentTask) ask(ctx workflow.Context, text string) {
	t.s.QuestionsSeen++
	q := Question{ID: fmt.Sprintf("q-%d", t.s.QuestionsSeen), Text: text, AskedAt: workflow.Now(ctx)}
	if t.in.QuestionTimeout > 0 {
		deadline := q.AskedAt.Add(t.in.QuestionTimeout)
		q.Deadline = &deadline
	}
	t.s.Question = &q
}

// awaitAnswer waits until the open question is answered, by whoever may.
func (t *agentTask) awaitAnswer(ctx workflow.Context) error {
	if t.answerByScript(ctx) {
		return nil
	}
	q := t.s.Question
	t.enter(ctx, PhaseWaiting)
	t.list(ctx, t.status())
	err := awaitUntil(ctx, earlier(q.Deadline, t.s.Deadline), func() bool {
		return t.s.Question == nil || t.historyIsLong(ctx)
	})
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, errDeadline):
		return err
	case t.late(ctx):
		return t.taskTimeout()
	case t.in.DefaultAnswer != "" && q.Kind == QuestionAgent:
		t.accept(ctx, AnswerInput{QuestionID: q.ID, Text: t.in.DefaultAnswer, By: ByDefault})
		return nil
	default:
		return temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("nobody answered question %s within %s: %s", q.ID, t.in.QuestionTimeout, q.Text),
			ErrTypeQuestionTimeout, nil)
	}
}

// answerByScript answers the open question from the input, if it can.
func (t *agentTask) answerByScript(ctx workflow.Context) bool {
	q := t.s.Question
	if q.Kind != QuestionAgent {
		return false
	}
	if known, ok := t.knownAnswer(q.Text); ok {
		t.accept(ctx, AnswerInput{QuestionID: q.ID, Text: known.Answer, By: known.By})
		return true
	}
	if t.s.ScriptUsed < len(t.in.Answers) {
		text := t.in.Answers[t.s.ScriptUsed]
		t.s.ScriptUsed++
		t.accept(ctx, AnswerInput{QuestionID: q.ID, Text: text, By: ByScript})
		return true
	}
	if t.in.DefaultAnswer != "" && t.in.QuestionTimeout == 0 {
		t.accept(ctx, AnswerInput{QuestionID: q.ID, Text: t.in.DefaultAnswer, By: ByDefault})
		return true
	}
	return false
}

// accept closes the open question with an answer, which is sent next.
func (t *agentTask) accept(ctx workflow.Context, in AnswerInput) Answer {
	q := t.s.Question
	a := Answer{QuestionID: q.ID, Text: in.Text, By: in.By, At: workflow.Now(ctx), ID: in.ID}
	t.s.Answers = bounded(append(t.s.Answers, a))
	t.s.Question = nil
	switch {
	case q.Kind == QuestionAgent:
		t.s.Outbox = &outgoing{Text: in.Text, ReplyTo: t.s.ReplyTo}
		t.remember(*q, a)
	case in.Text == DeliverySent:
		t.s.Outbox = nil
	}
	return a
}

// mostAnswered bounds what the record of answers holds, in bytes of text: it
// travels with the task's state and result.
const mostAnswered = 128 << 10

// bounded cuts the oldest answers of a record that has grown too large.
func bounded(answers []Answer) []Answer {
	size := 0
	for i, a := range slices.Backward(answers) {
		if size += len(a.Text); size > mostAnswered {
			answers[i].Text = string([]rune(a.Text)[:min(40, utf8.RuneCountInString(a.Text))]) + "…"
		}
	}
	return answers
}

// followUp puts the next further message into the outbox.
func (t *agentTask) followUp(workflow.Context) error {
	t.s.Outbox = &outgoing{Text: t.in.FollowUps[t.s.FollowUpsSent]}
	t.s.FollowUpsSent++
	return nil
}

// hold waits until the task is no longer paused.
func (t *agentTask) hold(ctx workflow.Context) error {
	t.enter(ctx, t.phase)
	err := awaitUntil(ctx, t.s.Deadline, func() bool { return !t.s.Paused || t.historyIsLong(ctx) })
	if errors.Is(err, errDeadline) {
		return t.taskTimeout()
	}
	return err
}

// late reports whether the task's own deadline has passed.
func (t *agentTask) late(ctx workflow.Context) bool {
	return t.s.Deadline != nil && !workflow.Now(ctx).Before(*t.s.Deadline)
}

func (t *agentTask) taskTimeout() error {
	return temporal.NewNonRetryableApplicationError(
		fmt.Sprintf("the task had not ended within %s", t.in.Timeout), ErrTypeTaskTimeout, nil)
}

var errDeadline = errors.New("deadline")

// awaitUntil waits for the condition, and returns errDeadline when the
// deadline comes first. Without a deadline it costs no timer.
func awaitUntil(ctx workflow.Context, deadline *time.Time, condition func() bool) error {
	if deadline == nil {
		return workflow.Await(ctx, condition)
	}
	ok, err := workflow.AwaitWithTimeout(ctx, max(0, deadline.Sub(workflow.Now(ctx))), condition)
	if err == nil && !ok {
		return errDeadline
	}
	return err
}

func earlier(a, b *time.Time) *time.Time {
	if a == nil || (b != nil && b.Before(*a)) {
		return b
	}
	return a
}

// remaining is the time left for a call: what the task's deadline leaves, and
// never more than most.
func (t *agentTask) remaining(ctx workflow.Context, most time.Duration) time.Duration {
	if t.s.Deadline == nil {
		return most
	}
	return min(most, max(time.Millisecond, t.s.Deadline.Sub(workflow.Now(ctx))))
}
