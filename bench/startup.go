package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// measureStartup times the whole command for an instant task: process, engine,
// worker, task, and everything down again.
func measureStartup(ctx context.Context, size scale) ([]row, error) {
	dir, err := os.MkdirTemp("", "bench-startup")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	errand := filepath.Join(dir, "errand")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", errand, "./cmd/errand").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, out)
	}
	run := func(data string) (time.Duration, error) {
		cmd := exec.CommandContext(ctx, errand, "run", "--data-dir", data, "--connection", "local", "--agent", "script", "finish 1")
		cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
		begun := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("errand run: %w: %s", err, out)
		}
		return time.Since(begun), nil
	}
	var fresh, known []time.Duration
	for i := range size.n(20) {
		data := filepath.Join(dir, fmt.Sprintf("data-%d", i))
		first, err := run(data)
		if err != nil {
			return nil, err
		}
		second, err := run(data)
		if err != nil {
			return nil, err
		}
		fresh, known = append(fresh, first), append(known, second)
	}
	return []row{{
		what:     fmt.Sprintf("`errand run` of an instant script from start to exit, %d runs, known data directory", len(known)),
		bar:      "< 2 s",
		reached:  join("median "+ms(percentile(known, 0.5)), "longest "+ms(percentile(known, 1))),
		baseline: "fresh data directory: " + join("median "+ms(percentile(fresh, 0.5)), "longest "+ms(percentile(fresh, 1))),
	}}, nil
}
