package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
)

// register sets the handlers of the query, the updates and the signals. It
// runs before the first wait, so that no message finds the door closed.
func (t *agentTask) register(ctx workflow.Context) error {
	t.receiveSignals(ctx)
	return errors.Join(
		workflow.SetQueryHandler(ctx, QueryState, func() (AgentTaskState, error) { return t.state(), nil }),
		workflow.SetQueryHandler(ctx, QueryInquiry, func() (Inquiry, error) { return t.inquiry(), nil }),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateAnswer, t.handleAnswer,
			workflow.UpdateHandlerOptions{Validator: t.validateAnswer, Description: "answer the open question"}),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdatePause, t.handlePause,
			workflow.UpdateHandlerOptions{Validator: t.validateCommand, Description: "stop the agent where it is"}),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateResume, t.handleResume,
			workflow.UpdateHandlerOptions{Validator: t.validateCommand, Description: "let the agent go on"}),
	)
}

func (t *agentTask) desk() desk { return desk{open: t.s.Question, answers: t.s.Answers} }

// validateAnswer refuses an answer before it reaches history.
func (t *agentTask) validateAnswer(in AnswerInput) error { return t.desk().check(in) }

func (t *agentTask) handleAnswer(ctx workflow.Context, in AnswerInput) (Answer, error) {
	if a, had := t.desk().had(in); had {
		return a, nil
	}
	return t.accept(ctx, bySomeone(in)), nil
}

func (t *agentTask) validateCommand() error {
	if t.statusEnd != "" {
		return fmt.Errorf("the task has ended (%s)", t.statusEnd)
	}
	return nil
}

// handlePause stops the agent where it is. A vendor that cannot pause lets the
// agent finish its turn, and the task stops after it.
func (t *agentTask) handlePause(ctx workflow.Context) (Status, error) {
	if err := t.commands.Lock(ctx); err != nil {
		return "", err
	}
	defer t.commands.Unlock()
	if t.s.Paused || t.statusEnd != "" {
		return t.status(), nil
	}
	for t.s.TurnOpen {
		session := t.s.Session
		err := t.callPauseSession(ctx)
		if t.s.Session != session { // the task has started again, so there is another agent to stop, or none yet
			continue
		}
		if err != nil && !activities.IsType(err, activities.ErrTypeUnsupported) {
			return "", err
		}
		t.s.SessionPaused = err == nil
		break
	}
	t.s.Paused, t.s.PausedAt = true, workflow.Now(ctx)
	t.list(ctx, t.status())
	t.enter(ctx, t.phase)
	return t.status(), nil
}

// handleResume lets the agent go on. Time spent paused is not held against the
// turn.
func (t *agentTask) handleResume(ctx workflow.Context) (Status, error) {
	if err := t.commands.Lock(ctx); err != nil {
		return "", err
	}
	defer t.commands.Unlock()
	if !t.s.Paused || t.statusEnd != "" {
		return t.status(), nil
	}
	if t.s.SessionPaused {
		if err := t.callResumeSession(ctx); err != nil && !t.wakesTheDead(ctx, err) {
			return "", err
		}
		t.extendDeadline(ctx)
	}
	t.s.Paused, t.s.SessionPaused = false, false
	t.list(ctx, t.status())
	t.enter(ctx, t.phase)
	return t.status(), nil
}

// wakesTheDead reports whether the session that was to go on has ended while it
// was paused. The turn then finds out, and the task starts again or fails; it
// would stay paused for ever otherwise.
func (t *agentTask) wakesTheDead(ctx workflow.Context, err error) bool {
	return activities.IsType(err, activities.ErrTypeSessionGone) &&
		workflow.GetVersion(ctx, "resume-without-session", workflow.DefaultVersion, 1) != workflow.DefaultVersion
}

// receiveSignals gives each signal to its handler, one after the other and in
// one coroutine, because thousands of tasks stay in a worker's memory. A
// signal's sender cannot be told of an error, so it goes to the log.
func (t *agentTask) receiveSignals(ctx workflow.Context) {
	handlers := []struct {
		name   string
		handle func(workflow.Context, AnswerInput) error
	}{
		{SignalAnswer, t.answerSignal},
		{SignalPause, t.pauseSignal},
		{SignalResume, t.resumeSignal},
	}
	for _, h := range handlers {
		t.signals = append(t.signals, workflow.GetSignalChannel(ctx, h.name))
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		selector := workflow.NewSelector(ctx)
		for i, h := range handlers {
			selector.AddReceive(t.signals[i], func(c workflow.ReceiveChannel, _ bool) {
				var in AnswerInput
				c.ReceiveAsync(&in)
				t.handling++
				if err := h.handle(ctx, in); err != nil {
					t.log.Warn("signal had no effect", "signal", h.name, "error", err)
				}
				t.handling--
			})
		}
		for {
			selector.Select(ctx)
		}
	})
}

// answerSignal checks what an update's validator would have.
func (t *agentTask) answerSignal(ctx workflow.Context, in AnswerInput) error {
	if err := t.validateAnswer(in); err != nil {
		return err
	}
	_, err := t.handleAnswer(ctx, in)
	return err
}

func (t *agentTask) pauseSignal(ctx workflow.Context, _ AnswerInput) error {
	_, err := t.handlePause(ctx)
	return err
}

func (t *agentTask) resumeSignal(ctx workflow.Context, _ AnswerInput) error {
	_, err := t.handleResume(ctx)
	return err
}

// settle waits until no message from outside is half handled. A signal that
// arrived with the event that brought us here may be on its way to its
// receiver, in no channel any more: the coroutine that is started last runs
// after the receiver had its turn.
func (t *agentTask) settle(ctx workflow.Context) error {
	everyoneRan := false
	workflow.Go(ctx, func(workflow.Context) { everyoneRan = true })
	return workflow.Await(ctx, func() bool {
		for _, c := range t.signals {
			if c.Len() > 0 {
				return false
			}
		}
		return everyoneRan && t.handling == 0 && workflow.AllHandlersFinished(ctx)
	})
}
