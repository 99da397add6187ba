package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

const (
	// flushEvery and flushAt bound how much is not in the store yet.
	flushEvery = time.Second
	flushAt    = 200
	flushBytes = 4 << 20

	// flushPatience is what the store gets for the last results of a run.
	flushPatience = 10 * time.Second
)

// itemRun is one run of RunItems.
type itemRun struct {
	a        *Activities
	in       RunItemsInput
	todo     []bool // by index: the attempt is at it, and it has no result yet
	left     int    // of todo
	progress BatchProgress
	told     BatchProgress // what the store knows
	open     atomic.Int32  // tasks under way

	results chan ItemResult
	failed  chan error // of the feeder, or of a task that cannot be run; nil: all items were seen
	pending []ItemResult
	bytes   int // of pending
}

// newItemRun reads what has come of the batch so far.
func (a *Activities) newItemRun(ctx context.Context, in RunItemsInput) (*itemRun, error) {
	r := &itemRun{
		a: a, in: in,
		todo:    make([]bool, in.Total),
		results: make(chan ItemResult),
		failed:  make(chan error),
	}
	before, done := make([]ItemState, in.Total), make([]ItemState, in.Total)
	attempts := make([]int, in.Total)
	beat := time.Now()
	for result, err := range a.Batches.Results(ctx, in.Batch) {
		if err != nil {
			return nil, err
		}
		if time.Since(beat) > time.Second { // there may be a great many
			beat = time.Now()
			activity.RecordHeartbeat(ctx)
		}
		switch i := result.Index; {
		case i < 0 || i >= in.Total:
			return nil, errors.New("it has a result for an item that the batch does not have")
		case result.Attempt == in.Attempt:
			done[i] = result.State
		case result.Attempt < in.Attempt && result.Attempt > attempts[i]:
			before[i], attempts[i] = result.State, result.Attempt
		}
	}
	r.progress.Attempt = in.Attempt
	for i := range r.todo {
		switch {
		case done[i] != "":
			r.progress.count(done[i], 1)
		case IsRunAgain(in.Attempt, in.Again, before[i]):
			r.todo[i] = true
			r.left++
		default:
			r.progress.count(cmp.Or(before[i], ItemCancelled), 1)
		}
	}
	return r, nil
}

// first is the index of the first item that has no result yet.
func (r *itemRun) first() int {
	for i, todo := range r.todo {
		if todo {
			return i
		}
	}
	return len(r.todo)
}

// run feeds the window and takes the results, until there is nothing left to
// do, the shift is over, or somebody wants it to end.
func (r *itemRun) run(ctx context.Context) (RunItemsOutput, error) {
	feed, stop := context.WithCancel(ctx)
	fed := make(chan struct{})
	todo := append([]bool(nil), r.todo...) // the feeder's own
	from := r.first()
	go func() {
		defer close(fed)
		r.feed(feed, todo, from)
	}()
	err := r.take(ctx)
	r.progress.Open = 0
	if err != nil {
		r.progress.Open = int(r.open.Load()) // they go on without this run
	}
	stop()
	<-fed
	if flushing := r.flush(ctx, true); flushing != nil && err == nil {
		err = storeError(flushing)
	}
	if errors.Is(err, errShiftOver) || (ctx.Err() != nil && errors.Is(err, ctx.Err())) {
		return RunItemsOutput{Progress: r.progress}, nil
	}
	return RunItemsOutput{Progress: r.progress, Done: err == nil}, err
}

var errShiftOver = errors.New("the shift is over")

// take takes results until all are there (nil) or the run has to end.
func (r *itemRun) take(ctx context.Context) error {
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	beat := time.NewTicker(beatInterval(ctx))
	defer beat.Stop()
	shift := time.NewTimer(r.in.Shift)
	defer shift.Stop()
	for {
		select {
		case result := <-r.results:
			r.add(result)
			if len(r.pending) < flushAt && r.bytes < flushBytes {
				continue
			}
			if err := r.flush(ctx, false); err != nil {
				return storeError(err)
			}
		case <-flush.C:
			if err := r.flush(ctx, false); err != nil {
				return storeError(err)
			}
		case <-beat.C:
			activity.RecordHeartbeat(ctx, r.progress)
		case err := <-r.failed:
			if err == nil && r.in.Mode == BatchRun && r.left > 0 {
				err = storeError(fmt.Errorf("%d items are missing in it", r.left))
			}
			return err
		case <-shift.C:
			return errShiftOver
		case <-activity.GetWorkerStopChannel(ctx):
			return temporal.NewApplicationErrorWithOptions("the worker is stopping; another goes on", ErrTypeWorkerStopping,
				temporal.ApplicationErrorOptions{NextRetryDelay: time.Millisecond, Category: temporal.ApplicationErrorCategoryBenign})
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// beatInterval leaves room for some heartbeats to be late: a run that is taken
// for dead goes on beside the one that follows it.
func beatInterval(ctx context.Context) time.Duration {
	return max(heartbeatInterval(ctx)/3, 100*time.Millisecond)
}

func (r *itemRun) add(result ItemResult) {
	if !r.todo[result.Index] {
		return
	}
	r.todo[result.Index] = false
	r.left--
	r.progress.count(result.State, 1)
	r.pending = append(r.pending, result)
	r.bytes += len(result.Result)
}

// flush adds the results to the store and says how far the batch is. The last
// one of a run does so although the run is to end.
func (r *itemRun) flush(ctx context.Context, last bool) error {
	if last {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), flushPatience)
		defer cancel()
	}
	if !last {
		r.progress.Open = int(r.open.Load())
	}
	if len(r.pending) > 0 {
		if err := r.a.Batches.AddResults(ctx, r.in.Batch, r.pending); err != nil {
			return err
		}
		r.pending, r.bytes = nil, 0
	}
	r.progress.At = r.told.At
	if r.progress == r.told {
		return nil
	}
	r.progress.At = time.Now().UTC()
	if err := r.a.Batches.SetProgress(ctx, r.in.Batch, r.progress); err != nil {
		return err
	}
	r.told = r.progress
	return nil
}
