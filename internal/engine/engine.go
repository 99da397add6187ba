package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/errand-dev/errand/devserver"
)

// Options says which servers are wanted. Dir is required.
type Options struct {
	// Dir is the data directory, made if it is not there.
	Dir string
	// Temporal is the Temporal server wanted, nil for none.
	Temporal *TemporalOptions
	// Sessions makes the session server, nil for none. It gets a directory of its
	// own and the one key that it shall accept.
	Sessions func(dir, key string) (SessionServer, error)
	// Logger receives take-overs and the servers' warnings; nil drops them.
	Logger *slog.Logger
}

// TemporalOptions are those of the Temporal server, used when this process comes
// to run it. For the meaning of zero values see devserver.Options; a port that is
// 0 here is that of the last time, if it is free.
type TemporalOptions struct {
	Port, UIPort     int
	Namespace        string
	SearchAttributes map[string]enumspb.IndexedValueType
	Retention        time.Duration
}

// Engine is an open data directory.
type Engine struct {
	dir      string
	temporal *part // nil when not wanted
	sessions *part // nil when not wanted
	key      string
	close    func() error

	mu      sync.Mutex
	changed chan struct{}
}

// Temporal says where the Temporal server is and which process runs it.
type Temporal struct {
	Address   string // host:port
	Namespace string
	UIAddress string // host:port of the Web UI
	PID       int
}

// Sessions says where the session server is and which process runs it.
type Sessions struct {
	BaseURL string
	Key     string
	PID     int
}

// Open runs the servers that are wanted, or finds the processes that do. It
// returns when all of them serve; ctx bounds that alone. What is wrong with the
// directory or the database is told in the error, and nothing is overwritten.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(o.Dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", o.Dir, err)
	}
	e := &Engine{dir: dir, changed: make(chan struct{})}
	e.close = sync.OnceValue(e.closeParts)
	if err := e.open(ctx, o); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context, o Options) (err error) {
	if o.Sessions != nil {
		s := sessionServer{dir: e.dir, newSession: o.Sessions, logger: o.Logger}
		e.sessions = newPart(e.dir, "sessions", s, o.Logger, e.announce)
		if err := e.sessions.open(ctx); err != nil {
			return err
		}
		if e.key, err = sessionKey(e.dir); err != nil {
			return err
		}
	}
	if t := o.Temporal; t != nil {
		s := temporalServer{options: devserver.Options{
			Dir:              e.dir,
			Port:             t.Port,
			UI:               true,
			UIPort:           t.UIPort,
			Namespace:        cmp.Or(t.Namespace, "default"),
			SearchAttributes: t.SearchAttributes,
			Retention:        t.Retention,
			Logger:           o.Logger,
		}}
		e.temporal = newPart(e.dir, "temporal", s, o.Logger, e.announce)
		if err := e.temporal.open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Temporal is the Temporal server as it is now, zero when none was wanted.
func (e *Engine) Temporal() Temporal {
	if e.temporal == nil {
		return Temporal{}
	}
	r := e.temporal.current()
	return Temporal{Address: r.Address, Namespace: r.Namespace, UIAddress: r.UIAddress, PID: r.PID}
}

// Sessions is the session server as it is now, zero when none was wanted.
func (e *Engine) Sessions() Sessions {
	if e.sessions == nil {
		return Sessions{}
	}
	r := e.sessions.current()
	return Sessions{BaseURL: "http://" + r.Address, Key: e.key, PID: r.PID}
}

// Changed is closed when a server has moved to another process or, which happens
// only when its port was taken meanwhile, to another address.
func (e *Engine) Changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

func (e *Engine) announce() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.changed)
	e.changed = make(chan struct{})
}

// Close stops the servers that this process runs; another process that has the
// directory open takes them over. A second call returns the same.
func (e *Engine) Close() error {
	return e.close()
}

func (e *Engine) closeParts() error {
	var errs []error
	for _, p := range []*part{e.temporal, e.sessions} {
		if p != nil {
			errs = append(errs, p.close())
		}
	}
	return errors.Join(errs...)
}
