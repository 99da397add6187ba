package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// runTasks runs n tasks of that script, so many at a time, and hands each to
// done as soon as its result is known.
func runTasks(ctx context.Context, c *starter.Client, label, script string, n, concurrency int, done func(starter.AgentTask)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i := range n {
		group.Go(func() error {
			id := fmt.Sprintf("%s-%d", label, i)
			if err := startTask(ctx, c, id, script); err != nil {
				return err
			}
			task, err := c.Wait(ctx, id)
			if err != nil {
				return err
			}
			if task.Status != workflows.StatusCompleted {
				return fmt.Errorf("task %s: %s: %+v", id, task.Status, task.Error)
			}
			if done != nil {
				done(task)
			}
			return nil
		})
	}
	return group.Wait()
}

func startTask(ctx context.Context, c *starter.Client, id, script string) error {
	_, err := c.StartAgentTask(ctx, workflows.AgentTaskInput{TaskID: id, Connection: connection, Prompt: script})
	return err
}

// percentile of durations, which it sorts.
func percentile(d []time.Duration, p float64) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, int(p*float64(len(d))))]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

func join(parts ...string) string { return strings.Join(parts, ", ") }
