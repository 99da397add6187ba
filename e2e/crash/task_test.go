package crash

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// heartbeat is after what time Temporal finds out about a dead worker's turn.
// One that lives must not miss it, on a busy machine.
const heartbeat = 3 * time.Second

// task is an agent task of a cell, as people see it.
type task struct {
	*cell
	id string
}

// begin starts a task.
func (c *cell) begin(name string, in workflows.AgentTaskInput) task {
	c.Helper()
	in = c.complete(name, in)
	_, err := c.starter.StartAgentTask(c.ctx, in)
	require.NoError(c, err)
	return c.task(in.TaskID)
}

// complete gives the input what tasks of cells have: an id that no cell before
// had in this namespace, and a prompt by which the books know the task.
func (c *cell) complete(name string, in workflows.AgentTaskInput) workflows.AgentTaskInput {
	in.TaskID = fmt.Sprintf("%s-%d", name, c.number)
	in.Connection, in.HeartbeatTimeout = connection, heartbeat
	in.Prompt = "think " + in.TaskID + "; " + in.Prompt
	return in
}

// cleaning bounds what is left to do when a cell is over.
const cleaning = 20 * time.Second

// task is one that was started. It ends with the cell, and tells of itself if
// that fails.
func (c *cell) task(id string) task {
	t := task{cell: c, id: id}
	c.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleaning) // the test's own has ended
		defer cancel()
		_ = c.client.TerminateWorkflow(ctx, workflows.AgentTaskWorkflowID(id), "", "the cell is over") // most often it has ended
		if c.Failed() {
			c.Logf("history of %s:\n%s", id, t.history(ctx))
		}
	})
	return t
}

// history is the types of the task's events, with their times.
func (t task) history(ctx context.Context) string {
	var b strings.Builder
	events := t.client.GetWorkflowHistory(ctx, workflows.AgentTaskWorkflowID(t.id), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return b.String() + err.Error()
		}
		fmt.Fprintf(&b, "%3d %s %s\n", event.GetEventId(), event.GetEventTime().AsTime().Format("15:04:05.000"), event.GetEventType())
	}
	return b.String()
}

// now is the task as it is.
func (t task) now() starter.AgentTask {
	t.Helper()
	now, err := t.starter.AgentTask(t.ctx, t.id)
	require.NoError(t, err)
	return now
}

// until waits for a state of the task, while servers may come and go.
func (t task) until(state func(starter.AgentTask) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		now, err := t.starter.AgentTask(t.ctx, t.id)
		return err == nil && state(now)
	}, patience, 100*time.Millisecond, "task %s", t.id)
}

func asks(now starter.AgentTask) bool { return now.Question != nil }

// untilAtWork waits until the agent has its goal and the task knows.
func (t task) untilAtWork() {
	t.Helper()
	t.until(func(now starter.AgentTask) bool {
		has := func(f truth.Fact) bool { return f.Text == now.Prompt }
		return now.Phase == workflows.PhaseWorking && slices.ContainsFunc(t.log().Of(truth.Message), has)
	})
}

// answer answers the open question, and again if it was not told the outcome.
func (t task) answer(text string) {
	t.Helper()
	t.until(asks)
	require.Eventually(t, func() bool {
		_, err := t.starter.Answer(t.ctx, t.id, workflows.AnswerInput{Text: text, By: text})
		refused, ok := errors.AsType[*starter.RefusedError](err)
		return err == nil || (ok && strings.Contains(refused.Reason, "answered by "+text))
	}, patience, 100*time.Millisecond)
}

// end waits until the task has ended.
func (t task) end() starter.AgentTask {
	t.Helper()
	ended, err := t.starter.Wait(t.ctx, t.id)
	require.NoError(t, err)
	return ended
}
