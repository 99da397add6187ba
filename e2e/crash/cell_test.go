package crash

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/errand-dev/errand/e2e/internal/errand"
	"github.com/errand-dev/errand/e2e/internal/mortal"
	"github.com/errand-dev/errand/e2e/internal/process"
	"github.com/errand-dev/errand/e2e/internal/wire"
	"github.com/errand-dev/errand/starter"
)

// patience is how long a cell may take, on a small machine with the race
// detector on: most wait ten seconds for a workflow task to time out.
const patience = 3 * time.Minute

// settle is how long after a lost reply a call may still take effect here, and
// late is how much later one does.
const (
	settle = 4 * time.Second
	late   = 3 * time.Second
)

// connection is the name of the one connection of a cell.
const connection = "shop"

// cell is a Temporal namespace, a worker, and a vendor behind a wire.
type cell struct {
	*testing.T
	ctx     context.Context
	number  int    // of the cell
	brief   bool   // its task may end before anything has happened
	truth   string // the file of the vendor's books
	vendor  *errand.Sessions
	wire    *wire.Vendor
	client  client.Client
	starter *starter.Client
	config  mortal.Config

	crew   sync.WaitGroup // what mans the cell
	deaths atomic.Int32   // of workers

	mu     sync.Mutex
	worker *process.Process // the latest
}

func newCell(t *testing.T) *cell {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return newCellIn(ctx, t, temporal, lease(ctx, t))
}

// newCellOn is a cell on a Temporal server of its own.
func newCellOn(t *testing.T, own *errand.Temporal) *cell {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	makeNamespace(ctx, t, own, "cell")
	return newCellIn(ctx, t, own, "cell")
}

// cells counts them.
var cells atomic.Int32

func newCellIn(ctx context.Context, t *testing.T, temporal *errand.Temporal, namespace string) *cell {
	t.Helper()
	c := &cell{T: t, ctx: ctx, number: int(cells.Add(1)), truth: filepath.Join(t.TempDir(), "truth")}
	var err error
	c.vendor, err = command.Sessions(ctx, t.TempDir(), "--truth", c.truth)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.vendor.Kill()
		if t.Failed() {
			t.Logf("the vendor said:\n%s", c.vendor.Output())
		}
	})
	c.wire, err = wire.NewVendor(c.vendor.URL())
	require.NoError(t, err)
	t.Cleanup(c.wire.Close)

	c.client, err = temporal.Dial(ctx, namespace)
	require.NoError(t, err)
	t.Cleanup(c.client.Close)
	c.starter = starter.New(c.client, starter.Options{Namespace: namespace})
	c.config = mortal.Config{
		Temporal: temporal.Address, Namespace: namespace, Connection: connection, Vendor: c.wire.URL,
		SettleTime: settle, Ledger: filepath.Join(t.TempDir(), "ledger"),
	}
	return c
}

// death arms the end of the next worker: it lays something in its way, or says
// at which call to Temporal it kills itself.
type death func(*cell) *mortal.Death

// byHand is the death of a worker that the test kills.
func byHand(*cell) *mortal.Death { return nil }

// man sees to it that there is always a worker: one dies each death in turn,
// and the last one lives.
func (c *cell) man(deaths ...death) {
	c.Helper()
	over := make(chan struct{})
	c.crew.Go(func() {
		for _, d := range deaths {
			w := c.employ(d(c))
			if w == nil {
				return
			}
			select {
			case <-over:
				w.Kill()
				return
			case <-w.Exited():
			}
			if !assert.True(c, w.Killed(), "%s has ended by itself", w) {
				return
			}
			c.deaths.Add(1)
		}
		if w := c.employ(nil); w != nil {
			<-over
			w.Kill()
		}
	})
	c.Cleanup(func() {
		// The last call of a task may be accepted, and the task over, a moment
		// before the worker dies of it.
		assert.Eventually(c, func() bool { return int(c.deaths.Load()) == len(deaths) }, 10*time.Second, 10*time.Millisecond,
			"a worker was not killed: its moment never came")
		close(over)
		c.crew.Wait()
	})
}

// hire starts a worker that ends with the cell.
func (c *cell) hire() *process.Process {
	c.Helper()
	w := c.employ(nil)
	require.NotNil(c, w)
	c.Cleanup(w.Kill)
	return w
}

// employ starts a worker, which kills itself at d, if that is given. Whoever
// calls it ends it.
func (c *cell) employ(d *mortal.Death) *process.Process {
	config := c.config
	config.Death = d
	w, err := mortal.Start(config)
	if err != nil {
		c.Error(err)
		return nil
	}
	c.Cleanup(func() {
		if said := w.Output(); c.Failed() && said != "" {
			c.Logf("%s said:\n%s", w, said)
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worker = w
	return w
}

// current is the latest worker.
func (c *cell) current() *process.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.worker
}
