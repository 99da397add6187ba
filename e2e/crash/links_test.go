package crash

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/e2e/internal/wire"
	"github.com/errand-dev/errand/sessionserver/truth"
)

// The agent is at work when its worker loses Temporal. A second worker goes on
// with the turn; the first one lives, does not know, and is back later, with
// reports of its own about the same turn.
func TestAZombieHealsWithoutHarm(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]func(*wire.Link){
		"it hears and is heard of no more": func(l *wire.Link) { l.Hang(wire.Out, wire.Back) },
		"it is heard of no more":           func(l *wire.Link) { l.Hang(wire.Out) },
		"it hears no more":                 func(l *wire.Link) { l.Hang(wire.Back) },
		"its connections are cut":          func(l *wire.Link) { l.Cut() },
		"it hears everything late":         func(l *wire.Link) { l.Delay(heartbeat+time.Second, wire.Back) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCell(t)
			link, err := wire.NewLink(c.config.Temporal)
			require.NoError(t, err)
			t.Cleanup(link.Close)
			direct := c.config.Temporal
			c.config.Temporal = link.Address
			zombie := c.hire()
			task := c.begin("task", lingering.input())
			task.untilAtWork()

			part(link)
			c.config.Temporal = direct
			c.hire()
			task.until(asks)
			link.Heal()
			task.answer(size)

			c.audit(c.check(lingering, task))
			require.False(t, zombie.Killed())
		})
	}
}

// A worker is sending when it loses Temporal; what it sends reaches the vendor
// as late as it can, when another worker has taken the turn over.
func TestAZombieThatWasSending(t *testing.T) {
	t.Parallel()
	for name, nth := range map[string]int{"the prompt": 1, "the answer": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCell(t)
			link, err := wire.NewLink(c.config.Temporal)
			require.NoError(t, err)
			t.Cleanup(link.Close)
			sending := c.hold()
			c.wire.Spoil(wire.Send, wire.Nth(nth, func(x *wire.Exchange) bool {
				close(sending.reached)
				return wire.HoldRequest(late)(x)
			}))
			direct := c.config.Temporal
			c.config.Temporal = link.Address
			c.hire()
			in := lingering.input()
			in.Answers = []string{size}
			task := c.begin("task", in)
			c.reach(sending)

			link.Hang(wire.Out, wire.Back)
			c.config.Temporal = direct
			c.hire()
			require.Eventually(t, func() bool { return len(c.log().Of(truth.Message)) == nth }, patience, 100*time.Millisecond)
			link.Heal()

			c.audit(c.check(lingering, task))
		})
	}
}

// A worker stands still when it has just made sure that its message is not
// there. When it goes on, another has sent it.
func TestAFrozenWorkerSendsNothingOnceItThaws(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	frozen := c.hire()
	stands := c.hold()
	c.wire.Spoil(wire.Send, wire.LoseRequest)
	c.wire.Spoil(wire.Find, func(x *wire.Exchange) bool {
		answer, err := x.Forward()
		if err != nil {
			return false
		}
		frozen.Freeze()
		close(stands.reached)
		<-stands.released
		x.Reply(answer)
		return true
	})
	task := c.begin("task", lingering.input())
	c.reach(stands)
	c.hire()
	require.Eventually(t, func() bool { return len(c.log().Of(truth.Message)) == 1 }, patience, 100*time.Millisecond)
	stands.release()
	frozen.Thaw()

	task.answer(size)
	c.audit(c.check(lingering, task))
}

// away is longer than a worker may go without reading before another takes its
// turn over.
const away = 4 * heartbeat

// A vendor that is away costs time and nothing else.
func TestAVendorMayBeAway(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]func(*wire.Link){
		"no connection":     func(l *wire.Link) { l.Cut() },
		"no request passes": func(l *wire.Link) { l.Hang(wire.Out) },
		"no answer passes":  func(l *wire.Link) { l.Hang(wire.Back) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCell(t)
			link, err := wire.NewLink(strings.TrimPrefix(c.wire.URL, "http://"))
			require.NoError(t, err)
			t.Cleanup(link.Close)
			c.config.Vendor = "http://" + link.Address
			c.man()
			task := c.begin("task", lingering.input())
			task.untilAtWork()

			part(link)
			<-time.After(away)
			link.Heal()

			task.answer(size)
			c.audit(c.check(lingering, task))
		})
	}
}
