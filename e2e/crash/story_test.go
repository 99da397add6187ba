package crash

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// story is a task and what people do about it.
type story struct {
	prompt   string // a script
	snapshot provider.SnapshotMode
	people   func(task)
	status   workflows.Status // at the end
}

const size = "M" // the answer to every question

var (
	asking     = story{`think hm; ask Which?; think well; finish "{{answer}}"`, "", answers, workflows.StatusCompleted}
	lingering  = story{`wait 5s; ask Which?; wait 5s; finish "{{answer}}"`, "", answers, workflows.StatusCompleted}
	thinking   = story{`wait 5s; ask Which?; finish "{{answer}}"`, "", answers, workflows.StatusCompleted}
	keeping    = story{asking.prompt, provider.SnapshotFilesystem, answers, workflows.StatusCompleted}
	pausing    = story{thinking.prompt, "", pauses, workflows.StatusCompleted}
	cancelling = story{`wait 1h; finish 1`, "", cancels, workflows.StatusCancelled}
)

func answers(t task) { t.answer(size) }

func pauses(t task) {
	t.untilAtWork()
	status := t.must(t.starter.Pause)
	require.Equal(t, workflows.StatusPaused, status)
	status = t.must(t.starter.Resume)
	require.NotEqual(t, workflows.StatusPaused, status)
	t.answer(size)
}

// must gives the command until it is taken: a workflow task that a dead worker
// has, or that has failed, may stand in its way.
func (t task) must(command func(context.Context, string) (workflows.Status, error)) (status workflows.Status) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		status, err = command(t.ctx, t.id)
		return err == nil
	}, patience, 100*time.Millisecond)
	return status
}

func cancels(t task) {
	t.untilAtWork()
	require.NoError(t, t.starter.Cancel(t.ctx, t.id))
}

// play plays the story to its end and checks how it ended: in Temporal, and in
// the vendor's books.
func (c *cell) play(s story) {
	c.Helper()
	t := c.begin("task", s.input())
	s.people(t)
	c.audit(c.check(s, t))
}

func (s story) input() workflows.AgentTaskInput {
	return workflows.AgentTaskInput{Prompt: s.prompt, Snapshot: workflows.Snapshot{Mode: s.snapshot}}
}

// check compares how the task has ended with the story.
func (c *cell) check(s story, t task) starter.AgentTask {
	c.Helper()
	got := t.end()
	require.Equal(c, s.status, got.Status, "%+v", got.Error)
	require.True(c, got.Session.Deleted)
	if s.status == workflows.StatusCompleted {
		require.JSONEq(c, `"`+size+`"`, string(got.Result))
		require.Len(c, got.Answers, 1)
	}
	switch {
	case s.snapshot == "":
	case got.Snapshot == nil: // of a delete whose reply was lost
		require.Contains(c, got.SnapshotError, "not known")
	default:
		require.Equal(c, s.snapshot, got.Snapshot.Mode)
	}
	return got
}
