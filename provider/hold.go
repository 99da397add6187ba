package provider

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// The pause after "too many requests" where the vendor names none, doubled
	// while that goes on. From the reference's reading of the AGI API.
	holdAtFirst = time.Second
	holdAtMost  = time.Minute

	// longestRetryAfter is how long a vendor is believed that asks for more: a
	// wrong header must not stop a connection for days.
	longestRetryAfter = time.Hour

	// waitInPlace is how long a call waits for the end of a pause. It is less
	// than what a workflow task may take; what has to wait longer is refused
	// with the time that is left.
	waitInPlace = 5 * time.Second
)

// held keeps all calls of a connection back once the vendor has said that they
// are too many (429): the limit is the key's, not the call's. It holds for this
// process; another hears of the limit by itself.
type held struct {
	Provider

	mu    sync.Mutex
	until time.Time
	pause time.Duration // the last one that the vendor did not name
}

// do makes one call when the vendor allows.
func (p *held) do(ctx context.Context, op string, call func() error) error {
	if err := p.wait(ctx, op); err != nil {
		return err
	}
	began := time.Now()
	return p.heard(began, call())
}

// wait returns once the pause is over, or refuses a call that would have to
// wait for long. The calls that were held back do not go all at once.
func (p *held) wait(ctx context.Context, op string) error {
	for {
		p.mu.Lock()
		left := time.Until(p.until)
		p.mu.Unlock()
		if left <= 0 {
			return ctx.Err()
		}
		spread := rand.N(left/4 + 1)
		deadline, bounded := ctx.Deadline()
		if left > waitInPlace || (bounded && time.Until(deadline) < 2*(left+spread)) {
			return &Error{
				Kind: ErrorRateLimited, Op: op, RetryAfter: left + spread,
				Message: fmt.Sprintf("not sent: the vendor had too many requests and takes none for %s", left.Round(time.Second)),
			}
		}
		select {
		case <-time.After(left + spread):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// heard learns from the answer to a call that began then, and gives one that was
// too many the time of the whole connection.
func (p *held) heard(began time.Time, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var e *Error
	switch {
	case !errors.As(err, &e) || e.Kind != ErrorRateLimited:
		if answered := err == nil || (e != nil && e.Status != 0); answered && began.After(p.until) {
			p.pause = 0
		}
		return err
	case e.RetryAfter > 0:
		p.hold(e.RetryAfter)
	case began.Before(p.until): // of the same crowd as the one that began the pause
	default:
		p.pause = min(max(2*p.pause, holdAtFirst), holdAtMost)
		p.hold(p.pause)
	}
	told := *e
	told.RetryAfter = max(time.Until(p.until), 0)
	told.RetryAfter += rand.N(told.RetryAfter/4 + 1)
	return &told
}

func (p *held) hold(d time.Duration) {
	if until := time.Now().Add(min(d, longestRetryAfter)); until.After(p.until) {
		p.until = until
	}
}

func (p *held) Create(ctx context.Context, in CreateRequest) (s Session, err error) {
	err = p.do(ctx, "create session", func() (err error) { s, err = p.Provider.Create(ctx, in); return err })
	return s, err
}

func (p *held) Sessions(ctx context.Context) (l Listing, err error) {
	err = p.do(ctx, "list sessions", func() (err error) { l, err = p.Provider.Sessions(ctx); return err })
	return l, err
}

func (p *held) Send(ctx context.Context, sessionID string, m Message) error {
	return p.do(ctx, "send message", func() error { return p.Provider.Send(ctx, sessionID, m) })
}

func (p *held) Find(ctx context.Context, sessionID string, m Message, after Watermark) (a Arrival, err error) {
	err = p.do(ctx, "look for message", func() (err error) { a, err = p.Provider.Find(ctx, sessionID, m, after); return err })
	return a, err
}

func (p *held) Read(ctx context.Context, sessionID string, after Watermark) (progress Progress, err error) {
	err = p.do(ctx, "read messages", func() (err error) { progress, err = p.Provider.Read(ctx, sessionID, after); return err })
	return progress, err
}

func (p *held) Watch(ctx context.Context, sessionID string, wake func(), types ...EntryType) error {
	return p.do(ctx, "watch session", func() error { return p.Provider.Watch(ctx, sessionID, wake, types...) })
}

func (p *held) Pause(ctx context.Context, sessionID string) error {
	return p.do(ctx, "pause session", func() error { return p.Provider.Pause(ctx, sessionID) })
}

func (p *held) Resume(ctx context.Context, sessionID string) error {
	return p.do(ctx, "resume session", func() error { return p.Provider.Resume(ctx, sessionID) })
}

func (p *held) Cancel(ctx context.Context, sessionID string) error {
	return p.do(ctx, "cancel session", func() error { return p.Provider.Cancel(ctx, sessionID) })
}

func (p *held) Delete(ctx context.Context, sessionID string, in DeleteRequest) (d Deletion, err error) {
	err = p.do(ctx, "delete session", func() (err error) { d, err = p.Provider.Delete(ctx, sessionID, in); return err })
	return d, err
}
