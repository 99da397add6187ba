package starter

import (
	"context"
	"errors"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/errand-dev/errand/workflows"
)

// longPoll bounds one wait for events. A server may lose the note that a
// workflow has closed and let its waiter hang for 20 s; asking again finds out.
// The embedded server itself ends each wait after 2 s.
const longPoll = 5 * time.Second

// Wait waits until the task has closed, and returns it.
func (c *Client) Wait(ctx context.Context, taskID string) (AgentTask, error) {
	if err := c.events(ctx, taskID, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT, func([]*historypb.HistoryEvent) error { return nil }); err != nil {
		return AgentTask{}, err
	}
	return c.read(ctx, taskID)
}

// Follow hands visit the task as it is now and again whenever it may have
// changed, until it has closed, and returns it then. An error of visit ends
// the following and is returned. Each look at an open task costs one query.
func (c *Client) Follow(ctx context.Context, taskID string, visit func(AgentTask) error) (AgentTask, error) {
	var task AgentTask
	unseen := false // nobody could say what the task has come to: it may ask something, and no event will tell
	err := c.events(ctx, taskID, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT, func(news []*historypb.HistoryEvent) (err error) {
		if !changed(news) && !unseen {
			return nil
		}
		before := unseen
		task, err = c.read(ctx, taskID)
		_, unseen = errors.AsType[*NoWorkerError](err)
		switch {
		case err != nil && !unseen:
			return err
		case unseen && before && !changed(news):
			return nil
		}
		return visit(task)
	})
	if err != nil {
		return task, err
	}
	if !task.Status.Closed() {
		task, err = c.read(ctx, taskID)
	}
	return task, err
}

// read is AgentTask for one who is following: a server that is away for a
// moment, or is taken over by another process, ends nothing.
func (c *Client) read(ctx context.Context, taskID string) (task AgentTask, err error) {
	var trouble absence
	for {
		task, err = c.AgentTask(ctx, taskID)
		if !isAway(err) {
			return task, err
		}
		if err := trouble.bear(ctx, err); err != nil {
			return task, err
		}
	}
}

// changed reports whether the workflow has taken a step: only then can its
// state be another.
func changed(news []*historypb.HistoryEvent) bool {
	for _, e := range news {
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			return true
		}
		if closes(e) {
			return true
		}
	}
	return false
}

// events is workflowEvents of a task.
func (c *Client) events(ctx context.Context, taskID string, filter enumspb.HistoryEventFilterType, visit func([]*historypb.HistoryEvent) error) error {
	return c.workflowEvents(ctx, workflows.AgentTaskWorkflowID(taskID), filter, visit)
}

// workflowEvents hands visit the events of a workflow as they come, run after
// run, until it has closed, and nothing now and then while none come.
func (c *Client) workflowEvents(ctx context.Context, workflowID string, filter enumspb.HistoryEventFilterType, visit func([]*historypb.HistoryEvent) error) error {
	request := &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace:              c.namespace,
		Execution:              &commonpb.WorkflowExecution{WorkflowId: workflowID},
		WaitNewEvent:           true,
		HistoryEventFilterType: filter,
		SkipArchival:           true,
	}
	var trouble absence
	for {
		pollCtx, cancel := context.WithTimeout(ctx, longPoll)
		page, err := c.temporal.WorkflowService().GetWorkflowExecutionHistory(pollCtx, request)
		cancel()
		silent := isDeadline(err) && ctx.Err() == nil
		if silent { // whether closed and the note of it lost, or just nothing new
			var closed bool
			if closed, err = c.closed(ctx, request.GetExecution()); closed {
				request.WaitNewEvent, request.NextPageToken = false, nil
			}
		}
		if err != nil {
			if err := trouble.bear(ctx, err); err != nil {
				return err
			}
			continue
		}
		trouble = absence{}
		news := page.GetHistory().GetEvents()
		if err := visit(news); err != nil {
			return err
		}
		if silent {
			continue
		}
		if len(news) > 0 {
			if last := news[len(news)-1]; closes(last) {
				next := last.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
				if next == "" {
					return nil
				}
				request.Execution.RunId, request.NextPageToken, request.WaitNewEvent = next, nil, true
				continue
			}
		}
		request.NextPageToken = page.GetNextPageToken()
	}
}

// absence is a server that does not answer for a while.
type absence struct{ since time.Time }

// mostAbsence is how long a follower waits for a server that is away.
const mostAbsence = 2 * time.Minute

// bear waits a moment, and returns err for whatever waiting does not mend.
func (a *absence) bear(ctx context.Context, err error) error {
	if a.since.IsZero() {
		a.since = time.Now()
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !isAway(err) || time.Since(a.since) > mostAbsence:
		return explain(err)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(200 * time.Millisecond):
		return nil
	}
}

func (c *Client) closed(ctx context.Context, run *commonpb.WorkflowExecution) (bool, error) {
	d, err := c.temporal.DescribeWorkflowExecution(ctx, run.GetWorkflowId(), run.GetRunId())
	return err == nil && d.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, err
}

func closes(e *historypb.HistoryEvent) bool {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return true
	}
	return false
}
