package starter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/workflows"
)

// AgentTask is one task as the world sees it. Its JSON is a contract.
type AgentTask struct {
	ID         string            `json:"id"`
	WorkflowID string            `json:"workflow_id"`
	RunID      string            `json:"run_id"`
	Status     workflows.Status  `json:"status"`
	Prompt     string            `json:"prompt"`
	Connection string            `json:"connection"`
	Provider   string            `json:"provider"`
	Labels     map[string]string `json:"labels"`

	Session         *workflows.Session       `json:"session"`
	SessionsCreated int                      `json:"sessions_created"`
	Turns           int                      `json:"turns"`
	Question        *workflows.Question      `json:"question"`
	Answers         []workflows.Answer       `json:"answers"`
	Result          json.RawMessage          `json:"result"`
	Snapshot        *workflows.SavedSnapshot `json:"snapshot"`
	SnapshotError   string                   `json:"snapshot_error,omitempty"` // why the snapshot asked for is null
	Restarts        []workflows.Restart      `json:"restarts,omitempty"`
	Error           *workflows.TaskError     `json:"error"`

	History    History    `json:"history"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`

	// What follows is for programs in Go and not part of the JSON. Trouble is
	// why a call to the vendor is being tried again.
	Phase   workflows.Phase          `json:"-"`
	Trouble string                   `json:"-"`
	Input   workflows.AgentTaskInput `json:"-"`
}

// History is what the task costs the engine so far, in its current run.
type History struct {
	Events int64 `json:"events"`
	Bytes  int64 `json:"bytes"`
}

// AgentTask returns one task whole. Of an open task that no worker answers
// for, it returns what Temporal knows, together with a [*NoWorkerError].
func (c *Client) AgentTask(ctx context.Context, taskID string) (AgentTask, error) {
	id := workflows.AgentTaskWorkflowID(taskID)
	d, err := c.temporal.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return AgentTask{}, explain(err)
	}
	info := d.GetWorkflowExecutionInfo()
	task := AgentTask{
		ID:         taskID,
		WorkflowID: id,
		RunID:      info.GetExecution().GetRunId(),
		Answers:    []workflows.Answer{},
		History:    History{Events: info.GetHistoryLength(), Bytes: info.GetHistorySizeBytes()},
		StartedAt:  info.GetStartTime().AsTime(),
		Status:     statusOf(info.GetStatus(), info.GetSearchAttributes()),
		Trouble:    lastFailure(d),
	}
	first, last, err := c.firstAndLast(ctx, task.WorkflowID, task.RunID)
	if err != nil {
		return task, explain(err)
	}
	if err := c.fillInput(&task, first); err != nil {
		return task, err
	}
	if !task.Status.Closed() {
		err = c.fillOpen(ctx, &task)
		return task, err
	}
	closedAt := info.GetCloseTime().AsTime()
	task.FinishedAt, task.Phase = &closedAt, workflows.PhaseEnded
	err = c.fillClosed(&task, last)
	return task, err
}

// fillInput takes what the task was asked from the first event of its run.
func (c *Client) fillInput(task *AgentTask, first *historypb.HistoryEvent) error {
	input := first.GetWorkflowExecutionStartedEventAttributes().GetInput()
	if err := c.payloads.FromPayloads(input, &task.Input); err != nil {
		return fmt.Errorf("reading the task's input: %w", err)
	}
	task.Prompt, task.Connection, task.Provider = task.Input.Prompt, task.Input.Connection, task.Input.Provider
	if task.Labels = task.Input.Labels; task.Labels == nil {
		task.Labels = map[string]string{}
	}
	return nil
}

func (c *Client) fillOpen(ctx context.Context, task *AgentTask) error {
	queryCtx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	value, err := c.temporal.QueryWorkflow(queryCtx, task.WorkflowID, task.RunID, workflows.QueryState)
	if err != nil {
		return c.explainMessage(ctx, err)
	}
	var state workflows.AgentTaskState
	if err := value.Get(&state); err != nil {
		return fmt.Errorf("reading the task's state: %w", err)
	}
	task.fill(state.AgentTaskResult)
	task.Phase = state.Phase
	if task.Trouble == "" {
		task.Trouble = state.Trouble
	}
	return nil
}

// lastFailure is what an activity that is being retried failed with.
func lastFailure(d *workflowservice.DescribeWorkflowExecutionResponse) string {
	for _, a := range d.GetPendingActivities() {
		failure := a.GetLastFailure()
		benign := failure.GetApplicationFailureInfo().GetCategory() == enumspb.APPLICATION_ERROR_CATEGORY_BENIGN
		if failure != nil && !benign { // a worker that hands over is no trouble
			return failure.GetMessage()
		}
	}
	return ""
}

// fillClosed takes what the task came to from the last event of its run.
func (c *Client) fillClosed(task *AgentTask, last *historypb.HistoryEvent) (err error) {
	var result workflows.AgentTaskResult
	switch {
	case last.GetWorkflowExecutionCompletedEventAttributes() != nil:
		err = c.payloads.FromPayloads(last.GetWorkflowExecutionCompletedEventAttributes().GetResult(), &result)
	case last.GetWorkflowExecutionCanceledEventAttributes() != nil:
		err = c.payloads.FromPayloads(last.GetWorkflowExecutionCanceledEventAttributes().GetDetails(), &result)
	case last.GetWorkflowExecutionFailedEventAttributes() != nil:
		failure := last.GetWorkflowExecutionFailedEventAttributes().GetFailure()
		task.Error = &workflows.TaskError{Type: failure.GetApplicationFailureInfo().GetType(), Message: failure.GetMessage()}
		var app *temporal.ApplicationError
		if errors.As(c.failures.FailureToError(failure), &app) && app.HasDetails() {
			err = app.Details(&result)
		}
	case last.GetWorkflowExecutionTerminatedEventAttributes() != nil:
		task.Error = &workflows.TaskError{Type: "Terminated", Message: "the workflow was terminated: " +
			last.GetWorkflowExecutionTerminatedEventAttributes().GetReason()}
	default:
		task.Error = &workflows.TaskError{Type: last.GetEventType().String(), Message: "the workflow was ended by Temporal"}
	}
	if err != nil {
		return fmt.Errorf("reading the task's result: %w", err)
	}
	if result.Status != "" {
		task.fill(result)
	}
	return nil
}

// firstAndLast returns the first and, so far, the last event of a run.
func (c *Client) firstAndLast(ctx context.Context, workflowID, runID string) (first, last *historypb.HistoryEvent, err error) {
	it := c.temporal.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		event, err := it.Next()
		if err != nil {
			return nil, nil, err
		}
		if first == nil {
			first = event
		}
		last = event
	}
	if first == nil {
		return nil, nil, serviceerror.NewNotFound("its history is gone")
	}
	return first, last, nil
}

func (t *AgentTask) fill(r workflows.AgentTaskResult) {
	t.Status = r.Status
	t.Session, t.SessionsCreated, t.Turns = r.Session, r.SessionsCreated, r.Turns
	t.Question, t.Answers, t.Result, t.Snapshot, t.Error = r.Question, r.Answers, r.Result, r.Snapshot, r.Error
	t.SnapshotError, t.Restarts = r.SnapshotError, r.Restarts
	t.StartedAt = r.StartedAt
	if r.FinishedAt != nil {
		t.FinishedAt = r.FinishedAt
	}
}

// statusOf brings Temporal's status and ours to one word.
func statusOf(s enumspb.WorkflowExecutionStatus, attributes *commonpb.SearchAttributes) workflows.Status {
	listed := workflows.Status(keyword(attributes, workflows.AttributeStatus.GetName()))
	switch s {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:
		if listed == workflows.StatusWaiting || listed == workflows.StatusPaused {
			return listed
		}
		return workflows.StatusRunning
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return workflows.StatusCompleted
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return workflows.StatusCancelled
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return workflows.StatusTimedOut
	case enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		return workflows.StatusRunning
	default:
		if listed == workflows.StatusTimedOut {
			return listed
		}
		return workflows.StatusFailed
	}
}

func keyword(attributes *commonpb.SearchAttributes, name string) string {
	var s string
	if p, ok := attributes.GetIndexedFields()[name]; ok {
		_ = converter.GetDefaultDataConverter().FromPayload(p, &s) // not a keyword: as good as not set
	}
	return s
}
