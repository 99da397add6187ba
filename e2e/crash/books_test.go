package crash

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/internal/books"
	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// log reads what the vendor has really done.
func (c *cell) log() *truth.Log {
	c.Helper()
	log, err := truth.Read(c.truth)
	require.NoError(c, err)
	return log
}

// audit checks what the tasks of the cell have come to against the vendor's
// log, once nothing is under way any more and the reaper has been there.
func (c *cell) audit(tasks ...starter.AgentTask) {
	c.Helper()
	c.wire.Settle()
	report, err := c.starter.Reap(c.ctx, workflows.ReaperInput{
		Connection: connection, Exclusive: true, Grace: time.Millisecond, Recheck: time.Millisecond,
	})
	require.NoError(c, err)
	reaped := []string{} // not nil: it is known
	for _, s := range report.Sessions {
		if s.Verdict == activities.VerdictDeleted {
			reaped = append(reaped, s.ID)
		}
	}
	count, violations := books.Run{Log: c.log(), Tasks: tasks, Reaped: reaped}.Check()
	c.Log(count)
	if c.brief {
		violations = slices.DeleteFunc(violations, func(v books.Violation) bool { return v.Promise == books.SomethingToSee })
	}
	require.Empty(c, violations)
}

// told is what clients have told the agent of a session.
func (c *cell) told(session string) []string {
	c.Helper()
	var texts []string
	for _, f := range c.log().Of(truth.Message) {
		if f.Session == session {
			texts = append(texts, f.Text)
		}
	}
	return texts
}

// auditForce is the audit of a task that was begun again by force: it may have
// spoken to more than one session, but in none of them twice.
func (c *cell) auditForce() {
	c.Helper()
	c.wire.Settle()
	for _, s := range c.log().Sessions() {
		texts := c.told(s.ID)
		slices.Sort(texts)
		require.Len(c, slices.Compact(slices.Clone(texts)), len(texts), "told twice: %q", texts)
	}
}
