package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/errand-dev/errand/starter"
)

// measureRecovery kills the worker in the middle of many turns, starts another
// at once, and takes the time until each turn is taken up again, which shows
// in its agent's finish being noticed.
func measureRecovery(ctx context.Context, size scale) ([]row, error) {
	r, err := newRig(ctx, "-no-worker")
	if err != nil {
		return nil, err
	}
	defer r.close()
	var ready string
	first, err := start(ctx, &ready, "worker", r.temporal, r.sessionsURL)
	if err != nil {
		return nil, err
	}

	n := size.n(40)
	var mu sync.Mutex
	var killed time.Time
	var taken []time.Duration
	group, groupCtx := errgroup.WithContext(ctx)
	for i := range n {
		group.Go(func() error {
			// Staggered over a minute, so that the kill finds turns at every
			// distance from their last heartbeat.
			select {
			case <-groupCtx.Done():
				return groupCtx.Err()
			case <-time.After(time.Duration(i) * 60 * time.Second / time.Duration(n)):
			}
			script := fmt.Sprintf("wait %s; finish 1", 75*time.Second-time.Duration(i)*60*time.Second/time.Duration(n))
			return runTasks(groupCtx, r.Client, fmt.Sprintf("recover-%d", i), script, 1, 1, func(starter.AgentTask) {
				mu.Lock()
				defer mu.Unlock()
				taken = append(taken, time.Since(killed))
			})
		})
	}
	time.Sleep(70 * time.Second)
	mu.Lock()
	killed = time.Now()
	mu.Unlock()
	first.kill()
	second, err := start(ctx, &ready, "worker", r.temporal, r.sessionsURL)
	if err != nil {
		return nil, err
	}
	defer second.stop()
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return []row{{
		what:    fmt.Sprintf("worker killed with -9 in the middle of %d turns → turn taken up by another worker", n),
		bar:     "< 75 s",
		reached: join("median "+percentile(taken, 0.5).Round(100*time.Millisecond).String(), "longest "+percentile(taken, 1).Round(100*time.Millisecond).String()),
	}}, nil
}
