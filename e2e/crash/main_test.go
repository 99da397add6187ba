// Package crash kills Errand's worker and its servers at every step of an
// agent task, parts them from each other, and looks in the vendor's own books
// for what the agent was told.
//
// Each cell has a Temporal namespace, a worker and a vendor for itself. Temporal
// and the vendor are the errand command in processes of their own, built once;
// the worker is this test binary, started again, so that it can be killed at a
// chosen call. A cell in which nothing was killed or spoilt fails.
package crash

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/errand-dev/errand/e2e/internal/errand"
	"github.com/errand-dev/errand/e2e/internal/mortal"
)

// Of all tests.
var (
	command  errand.Command   // of vendors
	server   errand.Command   // of Temporal servers
	temporal *errand.Temporal // of cells that do not kill it
)

// atOnce is how many cells run in parallel. They wait most of their time, for
// the timeouts by which Temporal finds out about a dead worker.
func atOnce() int {
	if errand.Race {
		return 8
	}
	return 16
}

func TestMain(m *testing.M) {
	mortal.Play()
	flag.Parse()
	parallel := false
	flag.Visit(func(f *flag.Flag) { parallel = parallel || f.Name == "test.parallel" })
	if !parallel {
		if err := flag.Set("test.parallel", strconv.Itoa(atOnce())); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(rehearsal{m})
}

// rehearsal runs the tests between the start and the end of what all share.
type rehearsal struct{ tests *testing.M }

func (r rehearsal) Run() int {
	status, err := r.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

func (r rehearsal) run() (_ int, err error) {
	dir, err := os.MkdirTemp("", "errand-crash-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	// The Temporal server may have to be compiled.
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	if command, err = errand.Build(ctx, dir); err != nil {
		return 0, err
	}
	server = command
	if errand.Race {
		if server, err = errand.BuildTemporal(ctx, dir); err != nil {
			return 0, err
		}
	}
	if temporal, err = server.Temporal(ctx, dir); err != nil {
		return 0, err
	}
	defer temporal.Kill()
	return r.tests.Run(), nil
}
