package worker

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/workflows"
)

// tasks starts the agent tasks of batches by the worker's own client, so most
// of them begin on this worker without a detour.
type tasks struct {
	client client.Client
	closed *closings
}

var _ activities.BatchTasks = (*tasks)(nil)

const (
	// waitForClose bounds one wait. A server may lose the note that a workflow
	// has closed and let its waiter hang for 20 s; asking again finds out.
	waitForClose = 5 * time.Second

	// callAgain is the time before a call to a server that is away or busy is
	// made again.
	callAgain = 500 * time.Millisecond

	// A task that ends on another worker is only found by asking, soon at first
	// and then less and less often: of a thousand open tasks a few each second.
	lookAtFirst = 2 * time.Second
	lookAtMost  = 20 * time.Second
)

// Start implements [activities.BatchTasks].
func (t *tasks) Start(ctx context.Context, task activities.ItemTask) error {
	in, err := inputOf(task)
	if err != nil || in.Validate() != nil {
		return nil // Await tells
	}
	id := workflows.AgentTaskWorkflowID(in.TaskID)
	t.closed.expect(id) // it may have ended before Await is called
	err = persist(ctx, func() error {
		_, err := t.client.ExecuteWorkflow(ctx, workflows.StartOptions(in), workflows.AgentTaskType, in)
		if _, known := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); known {
			t.closed.forget(id) // and may have ended long ago
			return nil
		}
		return err
	})
	if err != nil {
		t.closed.forget(id)
	}
	return err
}

func inputOf(task activities.ItemTask) (workflows.AgentTaskInput, error) {
	var in workflows.AgentTaskInput
	err := json.Unmarshal(task.Common, &in)
	in.TaskID, in.Batch, in.Prompt, in.StartURL = task.TaskID, task.Batch, task.Prompt, task.URL
	return in, err
}

// Known implements [activities.BatchTasks].
func (t *tasks) Known(ctx context.Context, task activities.ItemTask) (known bool, err error) {
	err = persist(ctx, func() error {
		_, err := t.client.DescribeWorkflowExecution(ctx, workflows.AgentTaskWorkflowID(task.TaskID), "")
		known = err == nil
		if _, unknown := errors.AsType[*serviceerror.NotFound](err); unknown {
			return nil
		}
		return err
	})
	return known, err
}

// Cancel implements [activities.BatchTasks].
func (t *tasks) Cancel(ctx context.Context, task activities.ItemTask) error {
	return persist(ctx, func() error {
		err := t.client.CancelWorkflow(ctx, workflows.AgentTaskWorkflowID(task.TaskID), "")
		if _, ended := errors.AsType[*serviceerror.NotFound](err); ended {
			return nil
		}
		return err
	})
}

// Await implements [activities.BatchTasks].
func (t *tasks) Await(ctx context.Context, task activities.ItemTask) (activities.ItemResult, error) {
	in, err := inputOf(task)
	if err == nil {
		err = in.Validate()
	}
	if err != nil {
		now := time.Now().UTC()
		return activities.ItemResult{State: activities.ItemFailed, StartedAt: now, FinishedAt: now,
			Error: &activities.ItemError{Type: workflows.ErrTypeInvalidInput, Message: err.Error()}}, nil
	}
	result, err := t.awaitClose(ctx, workflows.AgentTaskWorkflowID(task.TaskID))
	if err != nil || !result.StartedAt.IsZero() {
		return result, err
	}
	err = t.times(ctx, task, &result)
	return result, err
}

// awaitClose waits until a workflow has closed and returns what has come of it.
func (t *tasks) awaitClose(ctx context.Context, id string) (activities.ItemResult, error) {
	told, before := t.closed.expect(id)
	defer t.closed.forget(id)
	var wait time.Duration // none at first: it may have closed before there was anyone to tell
	if before {
		wait = lookAtFirst
	}
	for {
		look := time.NewTimer(wait)
		select {
		case runID := <-told:
			look.Stop()
			result, err := t.result(ctx, id, runID)
			switch {
			case errors.Is(err, errGoesOn): // in another run
			case err == nil && result.Error != nil && result.Error.Type == errTypeTerminated: // reset meanwhile, perhaps
			default:
				return result, err
			}
		case <-look.C:
			wait = min(max(wait*3/2, lookAtFirst), lookAtMost)
			d, err := t.describe(ctx, id)
			if err != nil {
				return activities.ItemResult{}, err
			}
			if info := d.GetWorkflowExecutionInfo(); info.GetCloseTime() != nil {
				result, err := t.result(ctx, id, info.GetExecution().GetRunId())
				if !errors.Is(err, errGoesOn) {
					return result, err
				}
			}
		case <-ctx.Done():
			look.Stop()
			return activities.ItemResult{}, ctx.Err()
		}
	}
}

var errGoesOn = errors.New("the workflow goes on")

// result waits for the end of a run that has closed or is about to. It returns
// errGoesOn if that takes longer than a moment.
func (t *tasks) result(ctx context.Context, id, runID string) (result activities.ItemResult, err error) {
	err = persist(ctx, func() error {
		waitCtx, cancel := context.WithTimeout(ctx, waitForClose)
		defer cancel()
		var account workflows.AgentTaskResult
		err := t.client.GetWorkflow(waitCtx, id, runID).Get(waitCtx, &account)
		switch open := isOpen(err); {
		case isLate(open) && ctx.Err() == nil:
			return errGoesOn
		case open != nil:
			return open
		}
		result = resultOf(account, err)
		return nil
	})
	return result, err
}

func (t *tasks) describe(ctx context.Context, id string) (d *workflowservice.DescribeWorkflowExecutionResponse, err error) {
	err = persist(ctx, func() error {
		d, err = t.client.DescribeWorkflowExecution(ctx, id, "")
		return err
	})
	return d, err
}

// times takes from the server when a task began and ended that does not tell.
func (t *tasks) times(ctx context.Context, task activities.ItemTask, result *activities.ItemResult) error {
	d, err := t.describe(ctx, workflows.AgentTaskWorkflowID(task.TaskID))
	if err == nil {
		info := d.GetWorkflowExecutionInfo()
		result.StartedAt, result.FinishedAt = info.GetStartTime().AsTime(), info.GetCloseTime().AsTime()
	}
	return err
}

// isOpen is the error of a wait that has not seen the end of its task.
func isOpen(err error) error {
	if _, closed := errors.AsType[*temporal.WorkflowExecutionError](err); closed {
		return nil
	}
	return err
}

// errTypeTerminated is the type of the error of a task that did not end by
// itself.
const errTypeTerminated = "Terminated"

// resultOf is the result of a task that has closed.
func resultOf(account workflows.AgentTaskResult, err error) activities.ItemResult {
	var (
		app      *temporal.ApplicationError
		canceled *temporal.CanceledError
	)
	result := activities.ItemResult{State: activities.ItemCompleted}
	switch {
	case err == nil:
	case errors.As(err, &canceled):
		result.State = activities.ItemCancelled
		if canceled.HasDetails() {
			_ = canceled.Details(&account) // unreadable: as good as none
		}
	case errors.As(err, &app):
		result.State = activities.ItemFailed
		if app.HasDetails() {
			_ = app.Details(&account) // unreadable: as good as none
		}
		result.Error = &activities.ItemError{Type: app.Type(), Message: app.Message()}
	default:
		result.State = activities.ItemFailed
		result.Error = &activities.ItemError{Type: errTypeTerminated, Message: "the workflow was ended by Temporal: " + errors.Unwrap(err).Error()}
	}
	if account.Error != nil {
		result.Error = &activities.ItemError{Type: account.Error.Type, Message: account.Error.Message}
	}
	if s := string(account.Result); s != "" && s != "null" {
		result.Result = account.Result
	}
	if account.Session != nil {
		result.SessionID = account.Session.ID
	}
	result.StartedAt = account.StartedAt
	if account.FinishedAt != nil {
		result.FinishedAt = *account.FinishedAt
	}
	return result
}

// persist calls again for as long as the server is away or too busy.
func persist(ctx context.Context, call func() error) error {
	for {
		err := call()
		if err == nil || ctx.Err() != nil || !isAway(err) {
			return err
		}
		if isLate(err) {
			continue
		}
		select {
		case <-time.After(callAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func isAway(err error) bool {
	_, unavailable := errors.AsType[*serviceerror.Unavailable](err)
	_, busy := errors.AsType[*serviceerror.ResourceExhausted](err)
	return unavailable || busy || isLate(err)
}

func isLate(err error) bool {
	_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
	return late || errors.Is(err, context.DeadlineExceeded)
}
