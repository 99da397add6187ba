package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"google.golang.org/grpc"

	"github.com/errand-dev/errand/batchstore"
	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/internal/engine"
	"github.com/errand-dev/errand/internal/transcript"
	"github.com/errand-dev/errand/ledger"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/worker"
	"github.com/errand-dev/errand/workflows"
)

const (
	// dialTimeout bounds the first contact with Temporal.
	dialTimeout = 5 * time.Second

	// workerPatience is how long to look for a worker before there is none.
	workerPatience = 2 * time.Second
)

// link is what a command works through: a client of Temporal, and whatever has
// to run in this process for that.
type link struct {
	tasks       *starter.Client
	connections *connections
	transcripts transcript.Dir
	ledger      *ledger.Ledger // nil before a worker runs here
	batches     *batchstore.Store

	config   *config.Config
	logger   *slog.Logger
	temporal client.Client
	engine   *engine.Engine // nil with a server that was named

	life     context.Context // ends with the link
	endLife  context.CancelFunc
	watching sync.WaitGroup   // while it lasts, worker is the watch's
	worker   sdkworker.Worker // nil while the tasks are another process's to work on
}

// linkOptions say what a command needs, besides Temporal.
type linkOptions struct {
	logger   *slog.Logger
	temporal engine.TemporalOptions // of an embedded server
	noWorker bool                   // the command ends before a task has got anywhere
}

// open reaches the Temporal server that is configured, or else that of the data
// directory, which this process runs if no other does. Whichever process runs
// it works on its tasks too; the others take over both when that one ends.
func (a *app) open(ctx context.Context, c *config.Config, o linkOptions) (_ *link, err error) {
	o.logger = cmp.Or(o.logger, a.logger(slog.LevelWarn))
	l := &link{
		connections: newConnections(c, o.logger),
		transcripts: transcriptsOf(c),
		batches:     batchstore.At(c.Batches),
		config:      c,
		logger:      o.logger,
	}
	l.life, l.endLife = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	options := c.Temporal.Options()
	if !c.Temporal.Named {
		if err := l.openEngine(ctx, o); err != nil {
			return nil, err
		}
		options = l.engineClient()
	}
	options.Logger = newSDKLogger(o.logger)
	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if l.temporal, err = client.DialContext(dialCtx, options); err != nil {
		return nil, usagef("cannot reach Temporal at %s: %w: check --address or TEMPORAL_ADDRESS", options.HostPort, err)
	}
	l.tasks = starter.New(l.temporal, starter.Options{Namespace: options.Namespace, Batches: l.batches})
	switch {
	case !l.embedded() || o.noWorker:
	case l.ownsTemporal():
		err = l.startWorker(l.workerStopped)
	default:
		l.watchTakeOver()
	}
	return l, err
}

// withLink does something with a link that is open for as long as that.
func (a *app) withLink(ctx context.Context, do func(*link) error) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	l, err := a.open(ctx, c, linkOptions{})
	if err != nil {
		return err
	}
	if l.embedded() && l.ownsTemporal() {
		a.tellServers(l)
	}
	return errors.Join(do(l), l.Close())
}

func transcriptsOf(c *config.Config) transcript.Dir {
	return transcript.Dir(filepath.Join(c.DataDir, "transcripts"))
}

// embedded reports whether the Temporal server is that of the data directory.
func (l *link) embedded() bool { return l.engine != nil }

// ownsTemporal reports whether this process runs the Temporal server.
func (l *link) ownsTemporal() bool { return l.engine.Temporal().PID == os.Getpid() }

func (l *link) openEngine(ctx context.Context, o linkOptions) (err error) {
	engine.TuneProcess()
	o.temporal.Namespace = l.config.Temporal.Namespace
	o.temporal.SearchAttributes = workflows.SearchAttributes()
	l.engine, err = engine.Open(ctx, engine.Options{Dir: l.config.DataDir, Temporal: &o.temporal, Logger: l.logger})
	if err != nil {
		return usage(err)
	}
	return nil
}

// engineClient are the options of a client that follows the embedded server
// from process to process.
func (l *link) engineClient() client.Options {
	return client.Options{
		HostPort:  l.engine.Temporal().Address,
		Namespace: l.config.Temporal.Namespace,
		ConnectionOptions: client.ConnectionOptions{
			GrpcCompression: &client.GrpcCompressionNone{}, // nothing leaves this machine
			DialOptions: []grpc.DialOption{
				grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
					var d net.Dialer
					return d.DialContext(ctx, "tcp", l.engine.Temporal().Address)
				}),
			},
		},
	}
}

// startWorker makes this process work on tasks. What stops the worker for good
// goes to fatal.
func (l *link) startWorker(fatal func(error)) error {
	var err error
	if l.ledger, err = ledger.Open(context.Background(), l.config.Ledger); err != nil {
		return err
	}
	w := worker.New(worker.Config{
		Client: l.temporal, Connections: l.connections, Transcripts: l.transcripts, Ledger: l.ledger,
		Batches: l.batches, Notifications: l.config.Monitors, OnFatalError: fatal,
	})
	if err := w.Start(); err != nil {
		return fmt.Errorf("the worker did not start: %w", err)
	}
	l.worker = w
	l.watching.Go(l.scheduleReapers)
	return nil
}

// scheduleReapers sees to it that what tasks leave behind is deleted, on every
// connection that works here. It is no condition of anything else.
func (l *link) scheduleReapers() {
	usual, _ := l.config.DefaultName() // empty where there is none
	for _, name := range l.config.Names() {
		chosen, err := l.config.Choose(name)
		if err != nil || (chosen.Embedded && name != usual) { // not worth a session server of its own
			continue
		}
		if v, err := provider.VendorNamed(chosen.Provider); err != nil || !v.Capabilities.Delete {
			continue
		}
		in := workflows.ReaperInput{Connection: name, Exclusive: chosen.Exclusive}
		ctx, cancel := context.WithTimeout(l.life, dialTimeout)
		err = l.tasks.ScheduleReaper(ctx, workflows.DefaultReapInterval, in)
		cancel()
		if err != nil && l.life.Err() == nil {
			l.logger.Warn("reaper not scheduled; sessions that tasks leave behind are deleted by errand sessions reap alone", "connection", name, "error", err)
		}
	}
}

func (l *link) workerStopped(err error) {
	l.logger.Error("the worker has stopped; tasks go on when errand runs again", "error", err)
}

// watchTakeOver starts a worker once this process has come to run the server.
func (l *link) watchTakeOver() {
	l.watching.Go(func() {
		for changed := l.engine.Changed(); !l.ownsTemporal(); changed = l.engine.Changed() {
			select {
			case <-changed:
			case <-l.life.Done():
				return
			}
		}
		if err := l.startWorker(l.workerStopped); err != nil {
			l.logger.Error("tasks do not go on here", "error", err)
		}
	})
}

// checkWorkers refuses to talk to tasks that nobody works on. In an embedded
// server the process that runs it does. A worker that has just started gets a
// moment to be seen.
func (l *link) checkWorkers(ctx context.Context) error {
	if l.embedded() {
		return nil
	}
	patience := time.NewTimer(workerPatience)
	defer patience.Stop()
	for {
		err := l.tasks.CheckWorkers(ctx)
		if _, none := errors.AsType[*starter.NoWorkerError](err); !none {
			return err
		}
		select {
		case <-time.After(workerPatience / 20):
		case <-patience.C:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close stops what runs in this process; other processes and workers go on.
func (l *link) Close() error {
	l.endLife()
	l.watching.Wait()
	if l.worker != nil {
		l.worker.Stop()
	}
	if l.ledger != nil {
		_ = l.ledger.Close() // it holds nothing back
	}
	_ = l.batches.Close() // it holds nothing back
	if l.temporal != nil {
		l.temporal.Close()
	}
	err := l.connections.Close()
	if l.engine != nil {
		err = errors.Join(err, l.engine.Close())
	}
	return err
}
