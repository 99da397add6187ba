package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// measureThroughput runs whole instant tasks, on our SQLite settings and on
// Temporal's own, in turn.
func measureThroughput(ctx context.Context, size scale) ([]row, error) {
	ours, err := tasksPerSecond(ctx, size.n(3000))
	if err != nil {
		return nil, err
	}
	defaults, err := tasksPerSecond(ctx, size.n(600), "-defaults")
	if err != nil {
		return nil, err
	}
	return []row{{
		what:     fmt.Sprintf("instant tasks (create, message, finish, delete), %d at a time, file store", throughputConcurrency),
		bar:      "≥ 50/s and ≥ 3 × the baseline",
		reached:  fmt.Sprintf("%.1f/s", ours),
		baseline: fmt.Sprintf("%.1f/s with Temporal's default SQLite pragmas", defaults),
		ratio:    fmt.Sprintf("%.1f", ours/defaults),
	}}, nil
}

const throughputConcurrency = 32

func tasksPerSecond(ctx context.Context, n int, engineFlags ...string) (float64, error) {
	dir, err := os.MkdirTemp("", "bench-throughput")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r, err := newRig(ctx, dir, engineFlags...)
	if err != nil {
		return 0, err
	}
	defer r.close()
	if err := runTasks(ctx, r.Client, "warm", "finish 1", n/10+1, throughputConcurrency, nil); err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := runTasks(ctx, r.Client, "task", "finish 1", n, throughputConcurrency, nil); err != nil {
		return 0, err
	}
	return float64(n) / time.Since(begun).Seconds(), nil
}
