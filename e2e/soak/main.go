// Command soak runs many agent tasks while everything around them fails: the
// vendor loses requests and replies, workers and servers are killed. When all
// tasks have ended and the reaper has had its turn, it checks the books.
//
//	go run ./e2e/soak                          # 200 tasks, as in the tests of every change
//	go run ./e2e/soak -tasks 10000 -seed 7     # a release
//	go run ./e2e/soak -seed 7                  # the same faults and tasks again
//
// More can fail than that:
//
//	go run ./e2e/soak -persistence-faults 0.05 # the Temporal server's calls to its database
//	go run ./e2e/soak -power-cuts              # power, and with it the end of the database's log
//	go run ./e2e/soak -full-disk               # there is no room for a while; as root
//	go run ./e2e/soak -address 127.0.0.1:7233  # on a Temporal server that is there already
//	go run ./e2e/soak -from REVISION           # an upgrade of the workers, and its roll-back
//
// It ends with status 1 when a promise was broken, or when no fault fired. What
// it knows then stays in the folder that it names.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/errand-dev/errand/e2e/internal/shaky"
)

func main() {
	shaky.Play()
	var o options
	flag.IntVar(&o.tasks, "tasks", 200, "`number` of tasks")
	flag.Uint64Var(&o.seed, "seed", 0, "`seed` of faults, kills and tasks (default: a new one)")
	flag.IntVar(&o.atOnce, "at-once", 40, "`number` of tasks that are open at once")
	flag.IntVar(&o.workers, "workers", 3, "`number` of workers")
	flag.DurationVar(&o.calm, "calm", 4*time.Second, "mean `time` between two kills")
	flag.DurationVar(&o.most, "most", 15*time.Minute, "`time` after which the run is given up")
	flag.StringVar(&o.dir, "dir", "", "`folder` for what the run leaves (default: a temporary one, removed after a good run)")
	flag.StringVar(&o.address, "address", "", "`HOST:PORT` of a Temporal server that is there already (default: one of its own)")
	flag.StringVar(&o.by, "temporal", "", "`command` that runs the Temporal server at -address, to be killed and run again (default: it is left alone)")
	flag.Float64Var(&o.persistenceFaults, "persistence-faults", 0, "`probability` that a call of the Temporal server to its database fails")
	flag.StringVar(&o.crash, "crash", "", "`command` that crashes what that server stands on, and brings it back")
	flag.BoolVar(&o.powerCuts, "power-cuts", false, "have power cuts, too, which lose the end of the embedded server's log")
	flag.BoolVar(&o.fullDisk, "full-disk", false, "have a full disk, too; root's to do, it mounts a small one")
	flag.StringVar(&o.from, "from", "", "git `revision` whose workers begin the tasks, for an upgrade and a roll-back instead of faults and kills")
	flag.Parse()
	if o.seed == 0 {
		o.seed = rand.Uint64N(1 << 32)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := soak(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
	if err != nil || !ok {
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}
