package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// measureMemory lets many agents work at the same time, with a stream open for
// each, and watches the memory of engine and worker meanwhile.
func measureMemory(ctx context.Context, size scale) ([]row, error) {
	dir, err := os.MkdirTemp("", "bench-memory")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r, err := newRig(ctx, dir)
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
	var most int64
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return runTasks(groupCtx, r.Client, "task", fmt.Sprintf("think begun; wait %s; finish 1", work), n, n, nil)
	})
	over := make(chan error, 1)
	go func() { over <- group.Wait() }()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-over:
			if err != nil {
				return nil, err
			}
			return []row{{
				what:     fmt.Sprintf("%d tasks whose agents work at the same time, streams open: resident memory of engine and worker, the most seen", n),
				bar:      "< 600 MiB",
				reached:  mib(most),
				baseline: mib(empty) + " without tasks",
				ratio:    fmt.Sprintf("%d KiB for each task", (most-empty)>>10/int64(n)),
			}}, nil
		case <-tick.C:
			now, err := r.engine.resident()
			if err != nil {
				return nil, err
			}
			most = max(most, now)
		}
	}
}
