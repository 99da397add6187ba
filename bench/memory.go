package main

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"
)

// measureMemory lets many agents work at the same time, with a stream open for
// each, and watches the memory of engine and worker meanwhile.
func measureMemory(ctx context.Context, size scale) ([]row, error) {
	r, err := newRig(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()

	n := size.n(2000)
	work := size.d(150*time.Second) + 20*time.Second
	empty, err := r.engine.resident()
	if err != nil {
		return nil, err
	}
	script := fmt.Sprintf("think begun; wait %s; finish 1", work)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(throughputConcurrency)
	for i := range n {
		group.Go(func() error { return startTask(groupCtx, r.Client, fmt.Sprintf("task-%d", i), script) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	most, err := r.watchMemory(ctx)
	if err != nil {
		return nil, err
	}
	completed, err := r.count(ctx, "ExecutionStatus = 'Completed'")
	if err != nil {
		return nil, err
	}
	if completed != n {
		return nil, fmt.Errorf("%d of %d tasks completed", completed, n)
	}
	return []row{{
		what:     fmt.Sprintf("%d tasks whose agents work at the same time, streams open: resident memory of engine and worker, the most seen", n),
		bar:      "< 600 MiB",
		reached:  mib(most),
		baseline: mib(empty) + " without tasks",
		ratio:    fmt.Sprintf("%d KiB for each task", (most-empty)>>10/int64(n)),
	}}, nil
}

// watchMemory returns the most memory that engine and worker have until no
// task is open any more.
func (r *rig) watchMemory(ctx context.Context) (most int64, err error) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
		now, err := r.engine.resident()
		if err != nil {
			return 0, err
		}
		most = max(most, now)
		if i%10 > 0 {
			continue
		}
		open, err := r.count(ctx, "ExecutionStatus = 'Running'")
		if err != nil || open == 0 {
			return most, err
		}
	}
}

// count counts the tasks that a visibility query finds.
func (r *rig) count(ctx context.Context, query string) (int, error) {
	c, err := r.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	return int(c.GetCount()), err
}
