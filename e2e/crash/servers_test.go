package crash

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/e2e/internal/wire"
	"github.com/errand-dev/errand/workflows"
)

// Each cell has three tasks at the moment of the kill: one whose agent is at
// work, one whose question is open, and one whose session is being deleted.
func TestServersMayDieAtAnyMoment(t *testing.T) {
	t.Parallel()
	for name, victim := range map[string]struct{ temporal, vendor, worker bool }{
		"Temporal":           {temporal: true},
		"the session server": {vendor: true},
		"everything":         {temporal: true, vendor: true, worker: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, err := server.Temporal(t.Context(), t.TempDir())
			require.NoError(t, err)
			t.Cleanup(own.Kill)
			c := newCellOn(t, own)
			if victim.worker {
				c.man(byHand)
			} else {
				c.man()
			}
			deleting := c.hold()
			c.wire.Spoil(wire.Delete, deleting.fault)

			last := c.begin("deleting", asking.input())
			last.answer(size)
			middle := c.begin("asking", asking.input())
			middle.until(asks)
			c.reach(deleting)
			first := c.begin("working", thinking.input())
			first.untilAtWork()
			require.Equal(t, workflows.PhaseWorking, first.now().Phase)

			if victim.temporal {
				own.Kill()
			}
			if victim.worker {
				c.current().Kill()
			}
			if victim.vendor {
				c.vendor.Kill()
			}
			deleting.release()
			if victim.vendor {
				require.NoError(t, c.vendor.Restart(c.ctx))
			}
			if victim.temporal {
				require.NoError(t, own.Restart(c.ctx))
			}

			middle.answer(size)
			first.answer(size)
			c.audit(c.check(thinking, first), c.check(asking, middle), c.check(asking, last))
		})
	}
}
