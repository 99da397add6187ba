package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

const (
	// lockPoll is how often a process that uses another's server tries its lock.
	lockPoll = 200 * time.Millisecond
	// retryDelay follows a take-over that failed.
	retryDelay = 2 * time.Second
	// readyTimeout bounds the wait for the server of another process.
	readyTimeout = 30 * time.Second
	pingTimeout  = time.Second
)

// server is one kind of server the engine can run.
type server interface {
	// start starts the server, on the ports of last if it can.
	start(ctx context.Context, last record) (record, stopFunc, error)
	// ping asks the server of a record whether it serves.
	ping(ctx context.Context, r record) error
}

type stopFunc func() error

// part is one server of a data directory: ours while we hold its lock, else that
// of another process.
type part struct {
	name   string
	server server
	logger *slog.Logger
	// changed is called when the record has changed.
	changed func()

	lock *flock.Flock
	path string   // of the record
	stop stopFunc // nil while the server is another's

	endWatch context.CancelFunc
	watching sync.WaitGroup

	mu     sync.Mutex
	record record
}

func newPart(dir, name string, s server, logger *slog.Logger, changed func()) *part {
	return &part{
		name:     name,
		server:   s,
		logger:   logger.With("server", name),
		changed:  changed,
		lock:     flock.New(filepath.Join(dir, name+".lock"), flock.SetPermissions(0o600)),
		path:     filepath.Join(dir, name+".json"),
		endWatch: func() {},
	}
}

// open runs the server, or finds the process that does.
func (p *part) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		owned, err := p.tryOwn(ctx)
		if err != nil || owned {
			return err
		}
		r, err := readRecord(p.path)
		if err != nil {
			return err
		}
		if r.ready() && p.ping(ctx, r) == nil {
			p.attach(r)
			return nil
		}
		if err := sleep(ctx, lockPoll); err != nil {
			return fmt.Errorf("the %s server of this data directory is process %d, which does not answer (%w); end that process and try again",
				p.name, r.PID, err)
		}
	}
}

// tryOwn takes the lock, if it is free, and starts the server.
func (p *part) tryOwn(ctx context.Context) (bool, error) {
	locked, err := p.lock.TryLock()
	if err != nil || !locked {
		return false, err
	}
	if err := p.own(ctx); err != nil {
		return false, errors.Join(err, p.lock.Unlock())
	}
	return true, nil
}

// own starts the server under the lock. Its record names us from the first
// moment, so that a process that waits can say for whom.
func (p *part) own(ctx context.Context) error {
	last, err := readRecord(p.path)
	if err != nil {
		return err
	}
	last.PID, last.StartedAt = os.Getpid(), time.Time{}
	if err := last.write(p.path); err != nil {
		return err
	}
	r, stop, err := p.server.start(ctx, last)
	if err != nil {
		last.PID = 0
		return errors.Join(err, last.write(p.path))
	}
	r.PID, r.StartedAt = os.Getpid(), time.Now().UTC()
	if err := r.write(p.path); err != nil {
		return errors.Join(err, stop())
	}
	p.stop = stop
	p.set(r)
	return nil
}

// attach uses the server of another process and waits to take its place.
func (p *part) attach(r record) {
	p.set(r)
	ctx, cancel := context.WithCancel(context.Background())
	p.endWatch = cancel
	p.watching.Go(func() { p.watch(ctx) })
}

// watch follows the server as it moves from process to process, until it is ours.
func (p *part) watch(ctx context.Context) {
	for sleep(ctx, lockPoll) == nil {
		owned, err := p.tryOwn(ctx)
		if owned {
			p.logger.Info("took over the server of a process that has ended", "address", p.current().Address)
			return
		}
		if err != nil && ctx.Err() == nil {
			p.logger.Error("cannot take over the server of a process that has ended", "error", err)
			_ = sleep(ctx, retryDelay)
			continue
		}
		if r, err := readRecord(p.path); err == nil && r.ready() {
			p.set(r)
		}
	}
}

// current says who runs the server, and where.
func (p *part) current() record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.record
}

func (p *part) set(r record) {
	p.mu.Lock()
	same := p.record == r
	p.record = r
	p.mu.Unlock()
	if !same {
		p.changed()
	}
}

func (p *part) ping(ctx context.Context, r record) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return p.server.ping(ctx, r)
}

// close stops the server if it is ours, and leaves the lock to the next.
func (p *part) close() error {
	p.endWatch()
	p.watching.Wait()
	if p.stop == nil {
		return p.lock.Close()
	}
	err := p.stop()
	r := p.current()
	r.PID, r.StartedAt = 0, time.Time{}
	return errors.Join(err, r.write(p.path), p.lock.Close())
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
