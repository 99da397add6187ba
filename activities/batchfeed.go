package activities

import (
	"context"
	"fmt"
	"sync"
)

// feed opens tasks, as many at once as the window allows, and tells once all
// items were seen and all tasks have closed.
func (r *itemRun) feed(ctx context.Context, todo []bool, from int) {
	var open sync.WaitGroup
	err := r.feedItems(ctx, todo, from, &open)
	if err == nil {
		open.Wait()
	}
	r.fail(ctx, err)
	open.Wait()
}

// fail ends the run with an error; nil: all is done.
func (r *itemRun) fail(ctx context.Context, err error) {
	select {
	case r.failed <- err:
	case <-ctx.Done():
	}
}

func (r *itemRun) feedItems(ctx context.Context, todo []bool, from int, open *sync.WaitGroup) error {
	if r.left == 0 {
		return nil
	}
	size, unknown := r.in.Concurrency, 0
	if r.in.Mode != BatchRun {
		size = r.in.Window
	}
	window := make(chan struct{}, size)
	for item, err := range r.a.Batches.Items(ctx, r.in.Batch, from) {
		if err != nil {
			return storeError(err)
		}
		if item.Index >= len(todo) || !todo[item.Index] {
			continue
		}
		t := r.task(item)
		if r.in.Mode != BatchRun {
			// Items are started in their order, a window at a time: behind as many
			// that were not started there is none that was.
			if unknown >= r.in.Window {
				return nil
			}
			known, err := r.a.Tasks.Known(ctx, t)
			if err != nil {
				return tasksError(err)
			}
			if !known {
				unknown++
				continue
			}
			unknown = 0
		}
		select {
		case window <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		r.open.Add(1)
		open.Go(func() {
			defer func() { <-window }()
			err := r.runItem(ctx, t, item)
			r.open.Add(-1)
			if err != nil {
				r.fail(ctx, tasksError(err))
			}
		})
	}
	return nil
}

// runItem runs one item to its end and hands over its result.
func (r *itemRun) runItem(ctx context.Context, t ItemTask, item BatchItem) error {
	var err error
	switch r.in.Mode {
	case BatchRun:
		err = r.a.Tasks.Start(ctx, t)
	case BatchStop:
		err = r.a.Tasks.Cancel(ctx, t)
	}
	if err != nil {
		return err
	}
	result, err := r.a.Tasks.Await(ctx, t)
	if err != nil {
		return err
	}
	result.Index, result.Key, result.Attempt, result.TaskID = item.Index, item.Key, r.in.Attempt, t.TaskID
	select {
	case r.results <- result:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *itemRun) task(item BatchItem) ItemTask {
	return ItemTask{
		Batch:  r.in.Batch.ID,
		TaskID: r.in.Batch.TaskID(item.Name, r.in.Attempt),
		Prompt: item.Prompt,
		URL:    item.URL,
		Common: r.in.Task,
	}
}

// tasksError is tried again, as Temporal may know better by then.
func tasksError(err error) error {
	return retryableError(ErrTypeUnavailable, fmt.Sprintf("the batch cannot run its tasks: %s", err), 0)
}
