package starter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/errand-dev/errand/workflows"
)

// BatchResult is one item of a batch and what has come of it. Its JSON is a
// contract.
type BatchResult struct {
	Key        string               `json:"key"`
	Status     workflows.ItemState  `json:"status"`
	Item       json.RawMessage      `json:"item"`
	Result     json.RawMessage      `json:"result"`
	Error      *workflows.ItemError `json:"error"`
	TaskID     string               `json:"task_id"`
	SessionID  string               `json:"session_id"`
	StartedAt  *time.Time           `json:"started_at"`
	FinishedAt *time.Time           `json:"finished_at"`
}

// BatchResults hands visit all items of a batch in their order, also while it
// runs. An error of visit ends it and is returned.
func (c *Client) BatchResults(ctx context.Context, id string, visit func(BatchResult) error) error {
	batch, err := c.Batch(ctx, id)
	if _, none := errors.AsType[*NoWorkerError](err); err != nil && !none {
		return err
	}
	if c.batches == nil {
		return errors.New("there is no store of batches here")
	}
	var open map[string]openItem
	if !batch.Status.Closed() {
		if open, err = c.openItems(ctx, id); err != nil {
			return err
		}
	}
	for outcome, err := range c.batches.Outcomes(ctx, batch.Input.Batch) {
		if err != nil {
			return err
		}
		if err := visit(batch.result(outcome, open)); err != nil {
			return err
		}
	}
	return nil
}

// result is what an item has come to.
func (b Batch) result(o workflows.ItemOutcome, open map[string]openItem) BatchResult {
	r := BatchResult{Key: o.Key, Item: o.Item, Status: b.stateOf(o), TaskID: b.Input.Batch.TaskID(o.Name, b.Attempt)}
	if r.Status == workflows.ItemPending {
		if now, ok := open[r.TaskID]; ok {
			r.Status, r.StartedAt = now.state, &now.startedAt
		}
		return r
	}
	latest := o.Latest
	if latest == nil {
		r.TaskID = "" // it never had one
		return r
	}
	r.Result, r.Error, r.TaskID, r.SessionID = latest.Result, latest.Error, latest.TaskID, latest.SessionID
	r.StartedAt, r.FinishedAt = &latest.StartedAt, &latest.FinishedAt
	return r
}

// stateOf is the state of an item by its latest result: pending means that one
// of this attempt is still to come.
func (b Batch) stateOf(o workflows.ItemOutcome) workflows.ItemState {
	var latest workflows.ItemState
	attempt := 0
	if o.Latest != nil {
		latest, attempt = o.Latest.State, o.Latest.Attempt
	}
	switch {
	case attempt < b.Attempt && !b.Status.Closed() && b.Input.Runs(latest):
		return workflows.ItemPending
	case latest != "":
		return latest
	case b.Status == workflows.StatusCancelled || !b.Input.Runs(latest):
		return workflows.ItemCancelled
	default:
		return workflows.ItemPending
	}
}

// openItem is the task of an item that is under way.
type openItem struct {
	state     workflows.ItemState
	startedAt time.Time
}

// justClosed is how long a task that has closed counts as running while its
// result is not in the store.
const justClosed = time.Minute

// openItems are the tasks of a batch that are under way, by task id.
func (c *Client) openItems(ctx context.Context, id string) (map[string]openItem, error) {
	open := map[string]openItem{}
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: c.namespace,
		PageSize:  1000,
		Query: fmt.Sprintf("WorkflowType = '%s' AND %s AND (ExecutionStatus = 'Running' OR CloseTime > '%s')", workflows.AgentTaskType,
			equal(workflows.AttributeBatch.GetName(), id), time.Now().Add(-justClosed).UTC().Format(time.RFC3339)),
	}
	for {
		page, err := c.temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, explain(err)
		}
		for _, e := range page.GetExecutions() {
			item := openItem{workflows.ItemRunning, e.GetStartTime().AsTime()}
			waiting := keyword(e.GetSearchAttributes(), workflows.AttributeStatus.GetName()) == string(workflows.StatusWaiting)
			if waiting && e.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
				item.state = workflows.ItemWaiting
			}
			open[workflows.TaskIDOf(e.GetExecution().GetWorkflowId())] = item
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return open, nil
		}
	}
}
