package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
)

// finish ends the task, after all its turns (cause is nil) or because of
// cause. The session is deleted on every path, and nothing that goes wrong on
// the way changes how the task has ended.
func (t *agentTask) finish(ctx workflow.Context, cause error) (AgentTaskResult, error) {
	if cause != nil && !temporal.IsCanceledError(cause) && t.late(ctx) {
		cause = t.taskTimeout()
	}
	t.statusEnd, t.failure = verdict(cause)
	t.s.Question = nil
	ctx, release := workflow.NewDisconnectedContext(ctx) // a cancelled task cleans up too
	defer release()
	t.cleanUp(ctx)
	if t.statusEnd == StatusTimedOut { // to Temporal, just one that failed
		t.list(ctx, StatusTimedOut)
	}
	if err := t.settle(ctx); err != nil {
		return AgentTaskResult{}, err
	}
	now := workflow.Now(ctx)
	t.finished = &now
	t.enter(ctx, PhaseEnded)

	result := t.result()
	switch {
	case t.failure == nil:
		return result, nil
	case t.statusEnd == StatusCancelled:
		return AgentTaskResult{}, temporal.NewCanceledError(result)
	default:
		return AgentTaskResult{}, temporal.NewApplicationErrorWithOptions(t.failure.Message, t.failure.Type,
			temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{result}})
	}
}

// verdict brings what ended the task to a status and an error.
func verdict(cause error) (Status, *TaskError) {
	var app *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	switch {
	case cause == nil:
		return StatusCompleted, nil
	case temporal.IsCanceledError(cause):
		return StatusCancelled, &TaskError{Type: ErrTypeCancelled, Message: "the task was cancelled"}
	case errors.As(cause, &app):
		e := &TaskError{Type: app.Type(), Message: app.Message()}
		switch e.Type {
		case ErrTypeTaskTimeout, ErrTypeQuestionTimeout, activities.ErrTypeTurnTimeout, activities.ErrTypeStalled:
			return StatusTimedOut, e
		}
		return StatusFailed, e
	case errors.As(cause, &timeout):
		e := &TaskError{Type: activities.ErrTypeUnavailable, Message: "it did not succeed in the time allowed"}
		if last := timeout.Unwrap(); last != nil {
			e.Message += ": " + last.Error()
		}
		return StatusTimedOut, e
	default:
		return StatusFailed, &TaskError{Type: "Error", Message: cause.Error()}
	}
}

// cleanUp stops the agent, if it may be at work, and deletes the session.
func (t *agentTask) cleanUp(ctx workflow.Context) {
	if t.s.Session == nil {
		return
	}
	t.enter(ctx, PhaseDeleting)
	if t.s.TurnOpen {
		if err := t.callCancelSession(ctx); err != nil {
			t.log.Warn("agent not stopped, its session is deleted anyway", "session", t.s.Session.ID, "error", err)
		}
	}
	keep := t.in.Snapshot
	if t.statusEnd != StatusCompleted {
		keep.SaveAsDefault = false // half-done work must not become anyone's default
	}
	t.snapshot = t.deleteSession(ctx, keep)
}

// deleteSession deletes the session, with a snapshot if that can be had, and
// returns the snapshot.
func (t *agentTask) deleteSession(ctx workflow.Context, keep Snapshot) *SavedSnapshot {
	t.snapError = ""
	deletion, err := t.callDeleteSession(ctx, keep)
	if err != nil && keep.wanted() && !activities.IsType(err, activities.ErrTypeUnsupported) {
		t.snapError = messageOf(err)
		// Histories from before this change ended here.
		if workflow.GetVersion(ctx, "delete-without-snapshot", workflow.DefaultVersion, 1) != workflow.DefaultVersion {
			t.log.Warn("snapshot not kept, deleting without one", "session", t.s.Session.ID, "error", err)
			keep = Snapshot{}
			deletion, err = t.callDeleteSession(ctx, keep)
		}
	}
	switch {
	case activities.IsType(err, activities.ErrTypeUnsupported):
		t.s.Session.Remains = true
		t.log.Info("the vendor has no delete; the session remains there", "session", t.s.Session.ID)
		return nil
	case err != nil:
		t.log.Error("session not deleted", "session", t.s.Session.ID, "error", err)
		return nil
	}
	t.s.Session.Deleted = true
	if !keep.wanted() {
		return nil
	}
	switch {
	case deletion.Found:
		return &SavedSnapshot{Mode: keep.Mode, SessionID: t.s.Session.ID, Default: keep.SaveAsDefault}
	case deletion.Doubtful:
		t.snapError = "the answer to the delete was lost, so it is not known whether the snapshot was kept; if it was, session " +
			t.s.Session.ID + " can be restored"
	default:
		t.snapError = "the session was gone before its snapshot could be kept"
	}
	return nil
}

// historyIsLong says that the server wants the story to go on in a new run.
func (t *agentTask) historyIsLong(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// continueAsNew goes on in a new run, with all state and with no message lost.
func (t *agentTask) continueAsNew(ctx workflow.Context) error {
	if err := t.settle(ctx); err != nil {
		_, err = t.finish(ctx, err)
		return err
	}
	in := t.in
	in.Carried = &t.s
	return workflow.NewContinueAsNewError(ctx, AgentTask, in)
}
