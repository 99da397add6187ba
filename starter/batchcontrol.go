package starter

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/errand-dev/errand/workflows"
)

// PauseBatch has a batch start no more items, and returns once it does not.
// Those that are open go on.
func (c *Client) PauseBatch(ctx context.Context, id string) (status workflows.Status, err error) {
	err = c.updateBatch(ctx, id, workflows.UpdatePause, &status)
	return status, err
}

// ResumeBatch has a paused batch start items again.
func (c *Client) ResumeBatch(ctx context.Context, id string) (status workflows.Status, err error) {
	err = c.updateBatch(ctx, id, workflows.UpdateResume, &status)
	return status, err
}

// SetBatchConcurrency changes how many tasks of a batch are open at once. Those
// beyond a smaller number go on; none is started until there is room.
func (c *Client) SetBatchConcurrency(ctx context.Context, id string, n int) error {
	if err := workflows.CheckConcurrency(n); err != nil {
		return &InvalidInputError{Err: err}
	}
	return c.updateBatch(ctx, id, workflows.UpdateConcurrency, &n, n)
}

// CancelBatch asks a batch to cancel its open tasks and end. It does not wait
// for that; FollowBatch does.
func (c *Client) CancelBatch(ctx context.Context, id string) error {
	return explainBatch(c.temporal.CancelWorkflow(ctx, workflows.BatchWorkflowID(id), ""))
}

// RetryBatch starts another attempt at those items of a batch that has ended
// which were left in one of these states, ItemFailed or ItemCancelled. A
// concurrency of 0 is that of the attempt before. It returns how many items
// those are.
func (c *Client) RetryBatch(ctx context.Context, id string, concurrency int, again ...workflows.ItemState) (int, error) {
	batch, err := c.Batch(ctx, id)
	if _, none := errors.AsType[*NoWorkerError](err); err != nil && !none {
		return 0, err
	}
	if !batch.Status.Closed() {
		return 0, &RefusedError{Reason: fmt.Sprintf("the batch has not ended (%s)", batch.Status)}
	}
	items := 0
	if slices.Contains(again, workflows.ItemFailed) {
		items += batch.Failed
	}
	if slices.Contains(again, workflows.ItemCancelled) {
		items += batch.Cancelled + batch.Pending // pending: never started, by a batch that was ended from outside
	}
	if items == 0 {
		return 0, &RefusedError{Reason: "the batch has no such items"}
	}
	in := batch.Input
	in.Carried, in.Attempt, in.Again, in.FirstStartedAt = nil, batch.Attempt+1, again, batch.StartedAt
	if concurrency > 0 {
		in.Concurrency = concurrency
	}
	started, err := c.StartBatch(ctx, in)
	if err == nil && started.Known {
		err = &RefusedError{Reason: "the batch is being run again already"}
	}
	return items, err
}

// Batches returns the batches, most recently started first. A limit of 0 is
// none.
func (c *Client) Batches(ctx context.Context, limit int) ([]Batch, error) {
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: c.namespace,
		Query:     fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus != 'ContinuedAsNew'", workflows.BatchType),
		PageSize:  200,
	}
	var batches []Batch
	seen := map[string]bool{} // a batch that was run again is listed once for each attempt
	for {
		page, err := c.temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, explain(err)
		}
		for _, e := range page.GetExecutions() {
			id := workflows.BatchIDOf(e.GetExecution().GetWorkflowId())
			if seen[id] {
				continue
			}
			seen[id] = true
			batch, err := c.Batch(ctx, id)
			_, none := errors.AsType[*NoWorkerError](err)
			switch {
			case errors.Is(err, ErrUnknownBatch): // it has vanished meanwhile
				continue
			case err != nil && !none:
				return nil, err
			}
			if batches = append(batches, batch); len(batches) == limit {
				return batches, nil
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return batches, nil
		}
	}
}

func (c *Client) updateBatch(ctx context.Context, id, name string, out any, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, messageTimeout)
	defer cancel()
	handle, err := c.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID:   workflows.BatchWorkflowID(id),
		UpdateName:   name,
		Args:         args,
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, out)
	}
	if err = c.explainMessage(ctx, err); !errors.Is(err, ErrUnknownTask) {
		return err
	}
	batch, lookup := c.Batch(context.WithoutCancel(ctx), id)
	if lookup == nil && batch.Status.Closed() {
		return &RefusedError{Reason: fmt.Sprintf("the batch has ended (%s)", batch.Status)}
	}
	return ErrUnknownBatch
}
