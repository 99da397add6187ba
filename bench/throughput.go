package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// measureThroughput runs whole instant tasks on our SQLite settings and on
// Temporal's own, in turn and more than once, because the speed of a disk
// changes with the hour.
func measureThroughput(ctx context.Context, size scale) ([]row, error) {
	const rounds = 3
	var ours, defaults, ratios []float64
	for range rounds {
		fast, err := tasksPerSecond(ctx, size.n(1500))
		if err != nil {
			return nil, err
		}
		slow, err := tasksPerSecond(ctx, size.n(300), "-defaults")
		if err != nil {
			return nil, err
		}
		ours, defaults, ratios = append(ours, fast), append(defaults, slow), append(ratios, fast/slow)
	}
	return []row{{
		what:     fmt.Sprintf("instant tasks (create, message, finish, delete), %d at a time, file store, median of %d rounds in turn", throughputConcurrency, rounds),
		bar:      "≥ 50/s and ≥ 3 × the baseline",
		reached:  spread(ours) + " a second",
		baseline: spread(defaults) + " a second with Temporal's default SQLite pragmas",
		ratio:    spread(ratios),
	}}, nil
}

// spread is the median of an odd number of figures, with the least and the
// most.
func spread(figures []float64) string {
	slices.Sort(figures)
	return fmt.Sprintf("%.1f (%.1f to %.1f)", figures[len(figures)/2], figures[0], figures[len(figures)-1])
}

const throughputConcurrency = 32

func tasksPerSecond(ctx context.Context, n int, engineFlags ...string) (float64, error) {
	r, err := newRig(ctx, engineFlags...)
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
