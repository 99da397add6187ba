package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// measureLatency takes the time from the agent's finish, by the clock of the
// session server, to the result at the caller and to the closed workflow.
func measureLatency(ctx context.Context, size scale) ([]row, error) {
	r, err := newRig(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()

	var rows []row
	for _, concurrency := range []int{1, 8} {
		n := size.n(500)
		var mu sync.Mutex
		var visible, closed []time.Duration
		label := fmt.Sprintf("latency-%d", concurrency)
		// The agent says when it finished: the session server's clock is ours.
		err := runTasks(ctx, r.Client, label, `wait 250ms; finish {"finished_at": "{{now}}"}`, n, concurrency, func(task starter.AgentTask) {
			now := time.Now()
			finished, closedAt, err := r.times(ctx, task)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				fmt.Fprintln(os.Stderr, "  latency:", err)
				return
			}
			visible = append(visible, now.Sub(finished))
			closed = append(closed, closedAt.Sub(finished))
		})
		if err != nil {
			return nil, err
		}
		if len(visible) != n {
			return nil, fmt.Errorf("%d of %d runs could be timed", len(visible), n)
		}
		where := fmt.Sprintf("%d runs, %d at a time", n, concurrency)
		rows = append(rows,
			row{
				what:    "agent's finish → result at the caller, " + where,
				bar:     "median < 30 ms",
				reached: join("median "+ms(percentile(visible, 0.5)), "p99 "+ms(percentile(visible, 0.99)), "longest "+ms(percentile(visible, 1))),
			},
			row{
				what:    "agent's finish → workflow closed, " + where,
				bar:     "median < 40 ms, p99 < 120 ms",
				reached: join("median "+ms(percentile(closed, 0.5)), "p99 "+ms(percentile(closed, 0.99)), "longest "+ms(percentile(closed, 1))),
			})
	}
	return rows, nil
}

// times returns when the agent finished and when the server closed the run.
func (r *rig) times(ctx context.Context, task starter.AgentTask) (finished, closed time.Time, err error) {
	var result struct {
		FinishedAt time.Time `json:"finished_at"`
	}
	if err := json.Unmarshal(task.Result, &result); err != nil {
		return finished, closed, err
	}
	d, err := r.client.DescribeWorkflowExecution(ctx, workflows.AgentTaskWorkflowID(task.ID), "")
	if err != nil {
		return finished, closed, err
	}
	return result.FinishedAt, d.GetWorkflowExecutionInfo().GetCloseTime().AsTime(), nil
}
