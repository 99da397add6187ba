package crash

import (
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/e2e/internal/wire"
)

// hold keeps the requests of a call back, so that a task stands where it makes
// it. A request that its caller gives up never reaches the vendor.
type hold struct {
	reached, released chan struct{}
	reach, free       sync.Once
}

func (c *cell) hold() *hold {
	h := &hold{reached: make(chan struct{}), released: make(chan struct{})}
	c.Cleanup(h.release)
	return h
}

func (h *hold) fault(x *wire.Exchange) bool {
	h.reach.Do(func() { close(h.reached) })
	select {
	case <-h.released:
		return true // and lets it pass
	case <-x.Gone():
		x.Tear()
		return false
	}
}

// release lets the request go on.
func (h *hold) release() { h.free.Do(func() { close(h.released) }) }

// reach waits until the request is there.
func (c *cell) reach(h *hold) {
	c.Helper()
	select {
	case <-h.reached:
	case <-c.ctx.Done():
		require.FailNow(c, "the call was not made")
	}
}
