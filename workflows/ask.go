package workflows

import (
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Ask is one question to people, as a workflow of its own: it waits in the
// inbox until somebody answers, or for as long as its input says, and returns
// the answer. Other workflows ask with AskHuman.
func Ask(ctx workflow.Context, in AskInput) (Answer, error) {
	a, err := newAsk(ctx, in)
	if err != nil {
		return Answer{}, err
	}
	if err := a.register(ctx); err != nil {
		return Answer{}, err
	}
	return a.run(ctx)
}

// AskHuman asks people a question, in the inbox of the namespace, and waits for
// the answer. It starts Ask as a child of the calling workflow, so it can be
// called for one question after the other, and for several at once, each with
// an [AskInput.ID] of its own. A worker of Errand works on the child; the caller
// needs nothing but its namespace. The child's id is made of the caller's, so a
// test that replays the caller has to name it
// (ReplayWorkflowHistoryOptions.OriginalExecution).
//
// The error is a [*temporal.ApplicationError] of type ErrTypeQuestionTimeout
// when nobody answered in time and there is no default answer, and of type
// ErrTypeInvalidInput for an input that breaks a rule. A cancelled context takes
// the question back.
func AskHuman(ctx workflow.Context, in AskInput) (Answer, error) {
	if err := in.Validate(); err != nil {
		return Answer{}, temporal.NewNonRetryableApplicationError(err.Error(), ErrTypeInvalidInput, nil)
	}
	queue := in.TaskQueue
	if queue == "" {
		queue = TaskQueue
	}
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            AskWorkflowID(workflow.GetInfo(ctx).WorkflowExecution.ID, in.ID),
		TaskQueue:             queue,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		TypedSearchAttributes: temporal.NewSearchAttributes(AttributeStatus.ValueSet(string(StatusWaiting))),
	})
	var answer Answer
	err := workflow.ExecuteChildWorkflow(ctx, AskType, in).Get(ctx, &answer)
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok { // or its type would be lost on the way out
		return Answer{}, app
	}
	return answer, err
}

// askState is all that a question knows. It travels through continue-as-new.
type askState struct {
	Question Question `json:"question"`
}

// ask is one run of a question.
type ask struct {
	in AskInput
	s  askState

	answers []Answer // at most one: the workflow ends with it
	signals workflow.ReceiveChannel
	asker   string
}

func newAsk(ctx workflow.Context, in AskInput) (*ask, error) {
	if err := in.Validate(); err != nil {
		return nil, temporal.NewNonRetryableApplicationError(err.Error(), ErrTypeInvalidInput, nil)
	}
	info := workflow.GetInfo(ctx)
	a := &ask{in: in}
	if parent := info.ParentWorkflowExecution; parent != nil {
		a.asker = parent.ID
	}
	if in.Carried != nil {
		a.s, a.in.Carried = *in.Carried, nil
		return a, nil
	}
	a.s.Question = Question{ID: questionID(info.FirstRunID), Text: in.Text, AskedAt: info.WorkflowStartTime}
	if in.Timeout > 0 {
		deadline := a.s.Question.AskedAt.Add(in.Timeout)
		a.s.Question.Deadline = &deadline
	}
	return a, nil
}

// questionID tells the questions apart that are asked under one workflow id, one
// after the other: an answer to an older one must not count for the next.
func questionID(runID string) string {
	const enough = 6
	return "q-" + runID[max(0, len(runID)-enough):]
}

func (a *ask) register(ctx workflow.Context) error {
	a.signals = workflow.GetSignalChannel(ctx, SignalAnswer)
	return errors.Join(
		workflow.SetQueryHandler(ctx, QueryInquiry, func() (Inquiry, error) { return a.inquiry(), nil }),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateAnswer, a.handleAnswer,
			workflow.UpdateHandlerOptions{Validator: a.validateAnswer, Description: "answer the question"}),
	)
}

func (a *ask) desk() desk {
	if len(a.answers) > 0 {
		return desk{answers: a.answers}
	}
	return desk{open: &a.s.Question}
}

func (a *ask) validateAnswer(in AnswerInput) error { return a.desk().check(in) }

func (a *ask) handleAnswer(ctx workflow.Context, in AnswerInput) (Answer, error) {
	if had, ok := a.desk().had(in); ok {
		return had, nil
	}
	return a.accept(ctx, bySomeone(in)), nil
}

func (a *ask) accept(ctx workflow.Context, in AnswerInput) Answer {
	answer := Answer{QuestionID: a.s.Question.ID, Text: in.Text, By: in.By, At: workflow.Now(ctx), ID: in.ID}
	a.answers = append(a.answers, answer)
	return answer
}

func (a *ask) inquiry() Inquiry {
	i := Inquiry{Subject: a.in.Subject, Asker: a.asker, Status: StatusCompleted}
	if q := a.desk().open; q != nil {
		i.Status, i.Question = StatusWaiting, q
	}
	return i
}

func (a *ask) run(ctx workflow.Context) (Answer, error) {
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("Question `%s`: %s", a.s.Question.ID, a.s.Question.Text))
	for len(a.answers) == 0 {
		err := awaitUntil(ctx, a.s.Question.Deadline, func() bool {
			return len(a.answers) > 0 || a.signals.Len() > 0 || a.historyIsLong(ctx)
		})
		if err != nil && !errors.Is(err, errDeadline) {
			return Answer{}, err
		}
		a.readSignals(ctx)
		switch {
		case len(a.answers) > 0:
		case err == nil && a.historyIsLong(ctx):
			return Answer{}, a.continueAsNew(ctx)
		case err == nil: // a signal that did not fit
		case a.in.DefaultAnswer != "":
			a.accept(ctx, AnswerInput{Text: a.in.DefaultAnswer, By: ByDefault})
		default:
			return Answer{}, temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("nobody answered question %s within %s: %s", a.s.Question.ID, a.in.Timeout, a.s.Question.Text),
				ErrTypeQuestionTimeout, nil)
		}
	}
	return a.answers[0], workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}

// readSignals takes the answers of senders that cannot wait. None can be told
// that it was refused, so that goes to the log.
func (a *ask) readSignals(ctx workflow.Context) {
	var in AnswerInput
	for a.signals.ReceiveAsync(&in) {
		if err := a.validateAnswer(in); err != nil {
			workflow.GetLogger(ctx).Warn("signal had no effect", "signal", SignalAnswer, "error", err)
		} else if _, err := a.handleAnswer(ctx, in); err != nil {
			workflow.GetLogger(ctx).Warn("signal had no effect", "signal", SignalAnswer, "error", err)
		}
		in = AnswerInput{}
	}
}

func (a *ask) historyIsLong(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

func (a *ask) continueAsNew(ctx workflow.Context) error {
	in := a.in
	in.Carried = &a.s
	return workflow.NewContinueAsNewError(ctx, Ask, in)
}
