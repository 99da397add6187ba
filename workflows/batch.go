package workflows

import (
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
)

// Batch runs many agent tasks, so many at a time, until each has come to an
// end. The tasks are no children of it: they end as they will, and what came of
// them is in the store of batches.
func Batch(ctx workflow.Context, in BatchInput) (BatchResult, error) {
	b, err := newBatch(ctx, in)
	if err != nil {
		return BatchResult{}, err
	}
	if err := b.register(ctx); err != nil {
		return BatchResult{}, err
	}
	return b.run(ctx)
}

// batchState is all that a batch knows between two runs over its items. It
// travels through continue-as-new.
type batchState struct {
	StartedAt   time.Time     `json:"started_at"`
	Concurrency int           `json:"concurrency"`
	Window      int           `json:"window"` // the most that the concurrency has been
	Paused      bool          `json:"paused,omitempty"`
	Drained     bool          `json:"drained,omitempty"` // paused, and no task is open any more
	Progress    BatchProgress `json:"progress"`
	Listed      Status        `json:"listed,omitempty"` // status that lists show
}

// batch is one run of a batch: the state, and what belongs to this run alone.
type batch struct {
	in BatchInput
	s  batchState

	log       log.Logger
	interrupt workflow.CancelFunc // ends the run over the items that is under way; nil: there is none
	changes   int                 // of the settings
	applied   int                 // the last change that the run under way goes by
	stopping  bool
	end       Status // once it has ended
}

func newBatch(ctx workflow.Context, in BatchInput) (*batch, error) {
	if err := in.Validate(); err != nil {
		return nil, temporal.NewNonRetryableApplicationError(err.Error(), ErrTypeInvalidInput, nil)
	}
	in.HeartbeatTimeout = orDefault(in.HeartbeatTimeout, DefaultBatchHeartbeat)
	in.Attempt = max(in.Attempt, 1)
	b := &batch{in: in, log: workflow.GetLogger(ctx)}
	if in.Carried != nil {
		b.s, b.in.Carried = *in.Carried, nil
		return b, nil
	}
	b.s = batchState{
		StartedAt:   workflow.GetInfo(ctx).WorkflowStartTime,
		Concurrency: in.Concurrency,
		Window:      in.Concurrency,
		Listed:      StatusRunning, // set by whoever started the workflow
	}
	if !in.FirstStartedAt.IsZero() {
		b.s.StartedAt = in.FirstStartedAt
	}
	return b, nil
}

// run runs over the items, again and again: after each hour, each change of the
// settings and each worker that has stopped. Between two of them the whole
// story is in b.s.
func (b *batch) run(ctx workflow.Context) (BatchResult, error) {
	for {
		if ctx.Err() != nil {
			return b.stop(ctx)
		}
		done, err := b.step(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			return BatchResult{}, err
		case done:
			return b.finish(ctx, b.outcome())
		case workflow.GetInfo(ctx).GetContinueAsNewSuggested():
			return BatchResult{}, b.continueAsNew(ctx)
		}
	}
}

// step runs over the items once, or waits while there is nothing to do.
func (b *batch) step(ctx workflow.Context) (done bool, err error) {
	b.applied = b.changes
	b.list(ctx, b.status())
	if b.s.Paused && b.s.Drained {
		return false, workflow.Await(ctx, func() bool { return b.changes != b.applied })
	}
	mode := activities.BatchRun
	if b.s.Paused {
		mode = activities.BatchDrain
	}
	out, err := b.callRunItems(ctx, mode)
	if err != nil {
		if temporal.IsCanceledError(err) { // by a change of the settings, before it had begun
			err = nil
		}
		return false, err
	}
	b.s.Progress = out.Progress
	b.s.Drained = mode == activities.BatchDrain && out.Done
	return mode == activities.BatchRun && out.Done, nil
}

// stop cancels the tasks that are open, and waits for them.
func (b *batch) stop(ctx workflow.Context) (BatchResult, error) {
	b.stopping = true
	b.applied = b.changes
	ctx, release := workflow.NewDisconnectedContext(ctx)
	defer release()
	for {
		out, err := b.callRunItems(ctx, activities.BatchStop)
		if err != nil {
			return BatchResult{}, err
		}
		b.s.Progress = out.Progress
		if out.Done {
			b.s.Progress.Cancelled = b.in.Total - out.Progress.Completed - out.Progress.Failed
			return b.finish(ctx, StatusCancelled)
		}
	}
}

// outcome is how a batch has ended whose items all have.
func (b *batch) outcome() Status {
	if b.s.Progress.Completed == b.in.Total {
		return StatusCompleted
	}
	return StatusFailed
}

func (b *batch) finish(ctx workflow.Context, status Status) (BatchResult, error) {
	b.end, b.applied = status, b.changes
	if status == StatusFailed { // to Temporal, one that has completed
		b.list(ctx, status)
	}
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return BatchResult{}, err
	}
	p := b.s.Progress
	result := BatchResult{
		Status: status, Total: b.in.Total, Completed: p.Completed, Failed: p.Failed, Cancelled: p.Cancelled,
		Attempt: b.in.Attempt, StartedAt: b.s.StartedAt, FinishedAt: workflow.Now(ctx),
	}
	if status == StatusCancelled {
		return BatchResult{}, temporal.NewCanceledError(result)
	}
	return result, nil
}

// continueAsNew goes on in a new run, once nobody waits for a change any more.
func (b *batch) continueAsNew(ctx workflow.Context) error {
	b.applied = b.changes
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	in := b.in
	in.Carried = &b.s
	return workflow.NewContinueAsNewError(ctx, Batch, in)
}

func (b *batch) status() Status {
	switch {
	case b.end != "":
		return b.end
	case b.s.Paused:
		return StatusPaused
	default:
		return StatusRunning
	}
}

func (b *batch) state() BatchState {
	return BatchState{
		Status: b.status(), Cancelling: b.stopping, Concurrency: b.s.Concurrency, Attempt: b.in.Attempt,
		Progress: b.s.Progress, StartedAt: b.s.StartedAt,
	}
}

// list shows the status to lists, where it is not shown yet.
func (b *batch) list(ctx workflow.Context, s Status) {
	if b.s.Listed == s {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeStatus.ValueSet(string(s))); err != nil {
		b.log.Error("search attribute not set", "status", s, "error", err)
		return
	}
	b.s.Listed = s
}

// batchShift is how long one run over the items may take: then the workflow
// has the word, and may go on as new.
const batchShift = time.Hour

// runItemsInput is activities.RunItemsInput with the task in its own type; in
// JSON the two are the same.
type runItemsInput struct {
	activities.RunItemsInput
	Task AgentTaskInput `json:"task"`
}

// callRunItems runs over the items. It ends before its time when the settings
// change.
func (b *batch) callRunItems(ctx workflow.Context, mode activities.BatchMode) (out activities.RunItemsOutput, err error) {
	ctx, b.interrupt = workflow.WithCancel(ctx)
	defer func() { b.interrupt = nil }()
	in := runItemsInput{
		RunItemsInput: activities.RunItemsInput{
			Batch: b.in.Batch, Mode: mode, Total: b.in.Total,
			Concurrency: b.s.Concurrency, Window: b.s.Window,
			Attempt: b.in.Attempt, Again: b.in.Again, Shift: batchShift,
		},
		Task: b.in.Task,
	}
	err = workflow.ExecuteActivity(inShifts(ctx, b.in.HeartbeatTimeout, "run the items ("+string(mode)+")"), acts.RunItems, in).Get(ctx, &out)
	return out, err
}

// inShifts is the policy of an activity that keeps its own time and is begun
// again for as long as it takes: whatever stops it is not the batch's fault.
func inShifts(ctx workflow.Context, heartbeat time.Duration, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: batchShift + reportSlack,
		HeartbeatTimeout:    heartbeat,
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    30 * time.Second,
		},
		Summary: summary,
	})
}
