package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/errand-dev/errand/workflows"
)

// ErrUnknownBatch means that Temporal has no batch of that id, or has it no
// more.
var ErrUnknownBatch = errors.New("no such batch")

// Batch is one batch as the world sees it. Its JSON is a contract. Pending,
// running, waiting, completed, failed and cancelled items are all items.
type Batch struct {
	ID         string           `json:"id"`
	Status     workflows.Status `json:"status"` // running, paused, completed, failed (not all items completed), cancelled
	Total      int              `json:"total"`
	Pending    int              `json:"pending"`
	Running    int              `json:"running"`
	Waiting    int              `json:"waiting"`
	Completed  int              `json:"completed"`
	Failed     int              `json:"failed"`
	Cancelled  int              `json:"cancelled"`
	StartedAt  time.Time        `json:"started_at"`
	FinishedAt *time.Time       `json:"finished_at"`

	Concurrency int `json:"concurrency"`
	Attempt     int `json:"attempt"`

	// What follows is for programs in Go and not part of the JSON. Trouble is
	// why the run over its items is being tried again.
	Trouble string               `json:"-"`
	Input   workflows.BatchInput `json:"-"`
}

// Done is how many items have come to an end.
func (b Batch) Done() int { return b.Completed + b.Failed + b.Cancelled }

// StartBatch starts a batch whose items are in the store already, or finds the
// one that has its id, whether that is open or closed. The caller sees by
// Batch.Input whether that one is of the same items.
func (c *Client) StartBatch(ctx context.Context, in workflows.BatchInput) (Started, error) {
	if err := in.Validate(); err != nil {
		return Started{}, &InvalidInputError{Err: err}
	}
	started := Started{TaskID: in.Batch.ID}
	run, err := c.temporal.ExecuteWorkflow(ctx, workflows.BatchStartOptions(in), workflows.BatchType, in)
	if already, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		started.RunID, started.Known = already.RunId, true
		return started, nil
	}
	if err != nil {
		return Started{}, explain(err)
	}
	started.RunID = run.GetRunID()
	return started, nil
}

// Batch returns one batch as it is now. What its workers have done in the last
// second may not be in it yet.
func (c *Client) Batch(ctx context.Context, id string) (Batch, error) {
	workflowID := workflows.BatchWorkflowID(id)
	d, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return Batch{}, explainBatch(err)
	}
	info := d.GetWorkflowExecutionInfo()
	first, last, err := c.firstAndLast(ctx, workflowID, info.GetExecution().GetRunId())
	if err != nil {
		return Batch{}, explainBatch(err)
	}
	batch := Batch{
		ID: id, Status: statusOf(info.GetStatus(), info.GetSearchAttributes()),
		StartedAt: info.GetStartTime().AsTime(), Trouble: lastFailure(d),
	}
	if err := c.payloads.FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &batch.Input); err != nil {
		return batch, fmt.Errorf("reading the batch's input: %w", err)
	}
	in := batch.Input
	batch.Total, batch.Concurrency, batch.Attempt = in.Total, in.Concurrency, max(in.Attempt, 1)
	if batch.Status.Closed() {
		err := c.fillClosedBatch(ctx, &batch, info, last)
		return batch, err
	}
	err = c.fillOpenBatch(ctx, &batch)
	return batch, err
}

// fillClosedBatch takes what the batch came to from the last event of its run,
// or for one that Temporal has ended, from the store.
func (c *Client) fillClosedBatch(ctx context.Context, batch *Batch, info *workflowpb.WorkflowExecutionInfo, last *historypb.HistoryEvent) (err error) {
	closedAt := info.GetCloseTime().AsTime()
	batch.FinishedAt = &closedAt
	var result workflows.BatchResult
	switch {
	case last.GetWorkflowExecutionCompletedEventAttributes() != nil:
		err = c.payloads.FromPayloads(last.GetWorkflowExecutionCompletedEventAttributes().GetResult(), &result)
	case last.GetWorkflowExecutionCanceledEventAttributes() != nil:
		err = c.payloads.FromPayloads(last.GetWorkflowExecutionCanceledEventAttributes().GetDetails(), &result)
	default:
		batch.Trouble = "the workflow was ended by Temporal"
	}
	if err != nil {
		return fmt.Errorf("reading the batch's result: %w", err)
	}
	if result.Status == "" {
		return c.fillProgress(ctx, batch)
	}
	batch.Status, batch.StartedAt = result.Status, result.StartedAt
	batch.Completed, batch.Failed, batch.Cancelled = result.Completed, result.Failed, result.Cancelled
	batch.Pending = batch.Total - batch.Done()
	return nil
}

func (c *Client) fillOpenBatch(ctx context.Context, batch *Batch) error {
	if err := c.fillProgress(ctx, batch); err != nil {
		return err
	}
	queryCtx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	value, err := c.temporal.QueryWorkflow(queryCtx, workflows.BatchWorkflowID(batch.ID), "", workflows.QueryState)
	if err != nil {
		return c.explainMessage(ctx, err)
	}
	var state workflows.BatchState
	if err := value.Get(&state); err != nil {
		return fmt.Errorf("reading the batch's state: %w", err)
	}
	batch.Concurrency, batch.StartedAt = state.Concurrency, state.StartedAt
	if !state.Status.Closed() {
		batch.Status = state.Status
	}
	return nil
}

// fillProgress takes the counts of an open batch from the store, and how many
// of its tasks wait from Temporal.
func (c *Client) fillProgress(ctx context.Context, batch *Batch) error {
	if c.batches == nil {
		return errors.New("there is no store of batches here")
	}
	p, err := c.batches.Progress(ctx, batch.Input.Batch)
	if err != nil {
		return err
	}
	if p.Attempt != batch.Attempt { // it has hardly begun
		batch.Pending = batch.Total
		return nil
	}
	batch.Completed, batch.Failed, batch.Cancelled = p.Completed, p.Failed, p.Cancelled
	open := min(p.Open, batch.Total-batch.Done())
	if !batch.Status.Closed() && open > 0 {
		waiting, err := c.temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: c.namespace,
			Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running' AND %s AND %s", workflows.AgentTaskType,
				equal(workflows.AttributeBatch.GetName(), batch.ID), equal(workflows.AttributeStatus.GetName(), string(workflows.StatusWaiting))),
		})
		if err != nil {
			return explain(err)
		}
		batch.Waiting = min(open, int(waiting.GetCount()))
	}
	batch.Running = open - batch.Waiting
	batch.Pending = batch.Total - batch.Done() - open
	return nil
}

// FollowBatch hands visit the batch as it is, each time that the interval is
// over and once it has closed, and returns it then. An error of visit ends the
// following and is returned.
func (c *Client) FollowBatch(ctx context.Context, id string, every time.Duration, visit func(Batch) error) (Batch, error) {
	closed := make(chan error, 1)
	waitCtx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		closed <- c.workflowEvents(waitCtx, workflows.BatchWorkflowID(id), enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
			func([]*historypb.HistoryEvent) error { return nil })
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		batch, err := c.readBatch(ctx, id)
		if err != nil {
			return batch, err
		}
		if err := visit(batch); err != nil || batch.Status.Closed() {
			return batch, err
		}
		select {
		case <-tick.C:
		case err := <-closed:
			if err != nil {
				return batch, err
			}
			closed = nil // the next look sees it
		case <-ctx.Done():
			return batch, ctx.Err()
		}
	}
}

// readBatch is Batch for one who is following: neither a server that is away
// for a moment nor a worker that is ends anything.
func (c *Client) readBatch(ctx context.Context, id string) (batch Batch, err error) {
	var trouble absence
	for {
		batch, err = c.Batch(ctx, id)
		if _, none := errors.AsType[*NoWorkerError](err); none {
			return batch, nil
		}
		if !isAway(err) {
			return batch, err
		}
		if err := trouble.bear(ctx, err); err != nil {
			return batch, err
		}
	}
}

func explainBatch(err error) error {
	if err = explain(err); errors.Is(err, ErrUnknownTask) {
		return ErrUnknownBatch
	}
	return err
}
