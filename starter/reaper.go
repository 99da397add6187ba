package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/workflows"
)

// Reap looks at once for sessions of a connection that are Errand's and that no
// open task owns, deletes them and tells. Where it cannot be sure it deletes
// nothing and returns an error.
func (c *Client) Reap(ctx context.Context, in workflows.ReaperInput) (workflows.ReapReport, error) {
	var report workflows.ReapReport
	run, err := c.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:        workflows.ReaperID(in.Connection) + "-" + uuid.NewString(),
		TaskQueue: workflows.TaskQueue,
	}, workflows.ReaperType, in)
	if err != nil {
		return report, explain(err)
	}
	err = run.Get(ctx, &report)
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return report, fmt.Errorf("nothing was deleted: %s", app.Message())
	}
	return report, explain(err)
}

// ScheduleReaper makes the Temporal Schedule of a connection's reaper, or
// brings the one that is there up to the input. One that somebody has paused
// stays paused.
func (c *Client) ScheduleReaper(ctx context.Context, every time.Duration, in workflows.ReaperInput) error {
	id := workflows.ReaperID(in.Connection)
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}}
	action := &client.ScheduleWorkflowAction{ID: id, Workflow: workflows.ReaperType, Args: []any{in}, TaskQueue: workflows.TaskQueue}
	schedules := c.temporal.ScheduleClient()
	_, err := schedules.Create(ctx, client.ScheduleOptions{
		ID: id, Spec: spec, Action: action,
		Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, // one that takes long does all the work there is
		// What was missed while no server ran is made up for by one look.
		CatchupWindow: every,
		Note:          "deletes agent sessions that no open task owns",
	})
	if _, there := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); !there && !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return explain(err)
	}
	err = schedules.GetHandle(ctx, id).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(now client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := now.Description.Schedule
			s.Spec, s.Action = &spec, action
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
	return explain(err)
}
