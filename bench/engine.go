package main

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/errand-dev/errand/batchstore"
	"github.com/errand-dev/errand/devserver"
	"github.com/errand-dev/errand/internal/engine"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/worker"
	"github.com/errand-dev/errand/workflows"
)

// heartbeat is the heartbeat timeout that the errand command gives its tasks on
// an embedded engine.
const heartbeat = 15 * time.Second

// connection is the name of the one connection of every measurement.
const connection = "bench"

// temporalDefaults are Temporal's own SQLite settings: none.
var temporalDefaults = map[string]string{}

// dial reaches an engine as the errand command does.
func dial(address string) (client.Client, error) {
	return client.Dial(client.Options{
		HostPort:          address,
		Logger:            log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		ConnectionOptions: client.ConnectionOptions{GrpcCompression: &client.GrpcCompressionNone{}},
	})
}

func newConnections(sessions string, maxSessions int) (*provider.Set, error) {
	return provider.NewSet(provider.Connection{
		Name: connection, Provider: "agi", BaseURL: sessions, Agent: "script", MaxSessions: maxSessions,
	})
}

// playEngine is engine and worker in one process, as in `errand dev`.
func playEngine(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("engine", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dir := flags.String("dir", "", "")
	sessions := flags.String("sessions", "", "")
	defaults := flags.Bool("defaults", false, "")
	noWorker := flags.Bool("no-worker", false, "")
	maxSessions := flags.Int("max-sessions", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	engine.TuneProcess()
	o := devserver.Options{Dir: *dir, SearchAttributes: workflows.SearchAttributes()}
	if *defaults {
		o.Pragmas = temporalDefaults
	}
	server, err := devserver.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop() }()
	if !*noWorker {
		c, err := dial(server.Address())
		if err != nil {
			return err
		}
		defer c.Close()
		stop, err := startWorker(c, *sessions, *dir, *maxSessions)
		if err != nil {
			return err
		}
		defer stop()
	}
	if err := say(server.Address()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// playWorker is a worker on its own: worker TEMPORAL SESSIONS.
func playWorker(ctx context.Context, args []string) error {
	c, err := dial(args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	stop, err := startWorker(c, args[1], "", 0)
	if err != nil {
		return err
	}
	defer stop()
	if err := say("ready"); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// startWorker starts a worker, one that runs batches if it has the engine's
// folder.
func startWorker(c client.Client, sessions, engineDir string, maxSessions int) (stop func(), err error) {
	connections, err := newConnections(sessions, maxSessions)
	if err != nil {
		return nil, err
	}
	config := worker.Config{Client: c, Connections: connections}
	if engineDir != "" {
		config.Batches = batchesOf(engineDir)
	}
	w := worker.New(config)
	return w.Stop, w.Start()
}

// rig is a session server and an engine with a worker, each in a process of
// its own, and our client to them.
type rig struct {
	dir              string
	sessions, engine *part
	sessionsURL      string
	temporal         string
	client           client.Client
	batches          *batchstore.Store
	*starter.Client
}

func newRig(ctx context.Context, engineFlags ...string) (*rig, error) {
	return newRigWith(ctx, "", engineFlags...)
}

// newRigWith has the session server keep a truth log, unless that is empty.
func newRigWith(ctx context.Context, truth string, engineFlags ...string) (_ *rig, err error) {
	r := &rig{}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.dir, err = os.MkdirTemp("", "errand-bench"); err != nil {
		return nil, err
	}
	if r.sessions, err = start(ctx, &r.sessionsURL, "sessions", r.dir+"/sessions", truth); err != nil {
		return nil, err
	}
	args := append([]string{"-dir", r.dir + "/engine", "-sessions", r.sessionsURL}, engineFlags...)
	if r.engine, err = start(ctx, &r.temporal, "engine", args...); err != nil {
		return nil, err
	}
	if r.client, err = dial(r.temporal); err != nil {
		return nil, err
	}
	r.batches = batchesOf(r.dir + "/engine")
	r.Client = starter.New(r.client, starter.Options{Batches: r.batches})
	time.Sleep(2 * time.Second) // until the first polls wait, as they do all day
	return r, nil
}

func (r *rig) close() {
	if r.client != nil {
		r.client.Close()
	}
	for _, p := range []*part{r.engine, r.sessions} {
		if p != nil {
			p.stop()
		}
	}
	_ = os.RemoveAll(r.dir) // in the folder for temporary files anyway
}
