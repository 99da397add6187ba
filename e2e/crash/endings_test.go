package crash

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/e2e/internal/wire"
	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// state is where an agent task can stand.
type state struct {
	name  string
	reach func(task)

	request wire.Call // held there, if it is where a call is made
	nth     int
}

var states = []state{
	{name: "creating the session", request: wire.Create},
	{name: "sending the prompt", request: wire.Send},
	{name: "at work", reach: func(t task) { t.untilAtWork() }},
	{name: "asking", reach: func(t task) { t.until(asks) }},
	{name: "paused", reach: paused},
	{name: "sending the answer", reach: answering, request: wire.Send, nth: 2},
	{name: "deleting the session", reach: answers, request: wire.Delete},
}

func paused(t task) {
	t.untilAtWork()
	t.must(t.starter.Pause)
}

// answering answers by signal, which waits for nothing.
func answering(t task) {
	t.until(asks)
	id := workflows.AgentTaskWorkflowID(t.id)
	require.NoError(t, t.client.SignalWorkflow(t.ctx, id, "", workflows.SignalAnswer, workflows.AnswerInput{Text: size}))
}

// stand starts a task and brings it into the state. The release lets it go on,
// where a call is held.
func (s state) stand(c *cell, start func(workflows.AgentTaskInput) task) (_ task, release func()) {
	c.Helper()
	c.brief = true
	release = func() {}
	var h *hold
	if s.request != "" {
		h = c.hold()
		c.wire.Spoil(s.request, wire.Nth(s.nth, h.fault))
		release = h.release
	}
	t := start(thinking.input())
	if s.reach != nil {
		s.reach(t)
	}
	if h != nil {
		c.reach(h)
	}
	return t, release
}

func (c *cell) beginTask(in workflows.AgentTaskInput) task { return c.begin("task", in) }

func TestATaskIsCancelledInEveryState(t *testing.T) {
	t.Parallel()
	for _, s := range states {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			c := newCell(t)
			c.man()
			task, release := s.stand(c, c.beginTask)
			require.NoError(t, c.starter.Cancel(c.ctx, task.id))
			release()

			got := task.end()
			if s.request == wire.Delete { // too late
				require.Equal(t, workflows.StatusCompleted, got.Status)
			} else {
				require.Equal(t, workflows.StatusCancelled, got.Status)
			}
			require.True(t, got.Session.Deleted)
			c.audit(got)
			require.Len(t, c.log().Of(truth.Created), 1)
		})
	}
}

// What ends a task by force runs none of its code: the session remains, but
// nobody tells its agent anything any more.
func TestATaskIsEndedByForceInEveryState(t *testing.T) {
	t.Parallel()
	for name, force := range map[string]struct {
		start func(*cell) func(workflows.AgentTaskInput) task
		end   func(task)
		error string
	}{
		"terminated": {
			start: func(c *cell) func(workflows.AgentTaskInput) task { return c.beginTask },
			end: func(t task) {
				require.NoError(t, t.client.TerminateWorkflow(t.ctx, workflows.AgentTaskWorkflowID(t.id), "", "test"))
			},
			error: "Terminated",
		},
		"timed out by Temporal": {
			start: func(c *cell) func(workflows.AgentTaskInput) task { return c.beginWithTimeout },
			end:   func(task) {},
			error: "WorkflowExecutionTimedOut",
		},
	} {
		for _, s := range states {
			t.Run(name+", "+s.name, func(t *testing.T) {
				t.Parallel()
				c := newCell(t)
				c.man()
				task, release := s.stand(c, force.start(c))
				force.end(task)
				got := task.end()
				release()

				require.Equal(t, force.error, got.Error.Type)
				c.audit(got)
				require.Len(t, c.log().Of(truth.Created), 1)
			})
		}
	}
}

// beginWithTimeout starts a task whose workflow may last long enough for every state.
func (c *cell) beginWithTimeout(in workflows.AgentTaskInput) task {
	c.Helper()
	in = c.complete("task", in)
	_, err := c.client.ExecuteWorkflow(c.ctx, client.StartWorkflowOptions{
		ID: workflows.AgentTaskWorkflowID(in.TaskID), TaskQueue: workflows.TaskQueue, WorkflowRunTimeout: 25 * time.Second,
	}, workflows.AgentTaskType, in)
	require.NoError(c, err)
	return c.task(in.TaskID)
}

// A reset begins a task again from an earlier point of its history.
func TestATaskIsResetInEveryState(t *testing.T) {
	t.Parallel()
	for _, s := range states {
		if s.request == wire.Create {
			continue // the first workflow task is under way, there is nothing to go back to
		}
		for name, to := range map[string]func([]int64) int64{
			"to its beginning": func(points []int64) int64 { return points[0] },
			"to its last step": func(points []int64) int64 { return points[len(points)-1] },
		} {
			t.Run(s.name+", "+name, func(t *testing.T) {
				t.Parallel()
				c := newCell(t)
				c.man()
				task, release := s.stand(c, c.beginTask)
				id := workflows.AgentTaskWorkflowID(task.id)
				points := c.resetPoints(id)
				require.NotEmpty(t, points)
				_, err := c.client.ResetWorkflowExecution(c.ctx, &workflowservice.ResetWorkflowExecutionRequest{
					Namespace:                 c.config.Namespace,
					WorkflowExecution:         &commonpb.WorkflowExecution{WorkflowId: id},
					Reason:                    "test",
					RequestId:                 "test",
					WorkflowTaskFinishEventId: to(points),
				})
				require.NoError(t, err)
				release()
				got := c.bringToItsEnd(task)
				if s.request == wire.Delete && got.Status == workflows.StatusFailed {
					require.Equal(t, activities.ErrTypeSessionGone, got.Error.Type) // deleted by the run before
				} else {
					require.Equal(t, workflows.StatusCompleted, got.Status)
					require.JSONEq(t, `"`+size+`"`, string(got.Result))
				}
				c.auditForce()
			})
		}
	}
}

// bringToItsEnd does what the task needs of people.
func (c *cell) bringToItsEnd(t task) starter.AgentTask {
	c.Helper()
	var last starter.AgentTask
	t.until(func(now starter.AgentTask) bool {
		last = now
		switch {
		case now.Status == workflows.StatusPaused:
			_, _ = c.starter.Resume(c.ctx, t.id) // again, if it did not work
		case now.Question != nil:
			_, _ = c.starter.Answer(c.ctx, t.id, workflows.AnswerInput{Text: size})
		}
		return now.Status.Closed()
	})
	return last
}

// resetPoints are the completed workflow tasks so far.
func (c *cell) resetPoints(workflowID string) []int64 {
	c.Helper()
	var points []int64
	events := c.client.GetWorkflowHistory(c.ctx, workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(c, err)
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			points = append(points, event.GetEventId())
		}
	}
	return points
}
