package provider

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Waker keeps a session's event stream open, reopens it when it ends, and says
// when reading is worth while. Where the vendor has no stream it stays silent,
// and Interval tells its caller to read often enough without.
type Waker struct {
	c    chan struct{}
	live atomic.Bool
	poll time.Duration // the next interval without a stream
	from time.Duration // where it begins after news
	most time.Duration // how far it grows
}

const (
	// pollBesideStream is how often to read although the stream is silent: a
	// stream can be up and say nothing.
	pollBesideStream = 15 * time.Second
	reopenAtFirst    = time.Second
	reopenAtMost     = 30 * time.Second
)

// NewWaker watches the session until ctx ends, for entries of the given types
// or of all types. No goroutine is left once ctx has ended.
func NewWaker(ctx context.Context, p Provider, sessionID string, types ...EntryType) *Waker {
	c := p.Capabilities()
	w := &Waker{c: make(chan struct{}, 1), poll: c.PollInterval, from: c.PollInterval, most: max(c.PollInterval, c.PollAtMost)}
	if c.Stream {
		go w.run(ctx, p, sessionID, types)
	}
	return w
}

// C receives when reading is worth while: the stream has opened, has said
// something or has ended.
func (w *Waker) C() <-chan struct{} { return w.c }

// Interval is how long to wait for C before reading anyway, after a read that
// brought news or did not: a session that says nothing is asked less and less
// often. It varies by a tenth, so that many waiters do not read in step.
// One goroutine may call it.
func (w *Waker) Interval(news bool) time.Duration {
	if news {
		w.poll = w.from
	}
	d := w.poll
	w.poll = min(w.poll*3/2, w.most)
	if w.live.Load() {
		d = max(d, pollBesideStream)
	}
	return vary(d)
}

// vary changes d by up to a tenth.
func vary(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }

func (w *Waker) run(ctx context.Context, p Provider, sessionID string, types []EntryType) {
	delay := reopenAtFirst
	for ctx.Err() == nil {
		began := time.Now()
		err := p.Watch(ctx, sessionID, func() {
			w.live.Store(true)
			w.wake()
		}, types...)
		if errors.Is(err, ErrUnsupported) {
			return
		}
		if w.live.Swap(false) {
			w.wake() // whatever was said while the stream was ending
		}
		if time.Since(began) > reopenAtMost { // to open is not enough: it may end at once
			delay = reopenAtFirst
		}
		select {
		case <-ctx.Done():
		case <-time.After(vary(delay)):
		}
		delay = min(2*delay, reopenAtMost)
	}
}

func (w *Waker) wake() {
	select {
	case w.c <- struct{}{}:
	default: // a wake-up is waiting already
	}
}
