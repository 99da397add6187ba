package rest

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// MaxRetryAfter bounds what a server may make a stream wait.
const MaxRetryAfter = 15 * time.Minute

// Permanent reports whether another connection would fail in the same way as
// the one that gave this error.
func Permanent(err error) bool {
	if answer, ok := errors.AsType[*Error](err); ok {
		switch answer.StatusCode {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return false
		}
		return answer.StatusCode < 500
	}
	_, unreadable := errors.AsType[*BodyError](err)
	return unreadable || errors.Is(err, ErrInvalidRequest) || errors.Is(err, ErrEventTooLarge)
}

// Backoff is the wait between two connections. It doubles from First up to
// Most, and is spread at random over its upper half.
type Backoff struct {
	First, Most time.Duration

	now time.Duration
}

// Reset begins with the first wait again.
func (b *Backoff) Reset() { b.now = 0 }

// Next is the wait after a connection that failed so. What the server asked for
// is a lower bound that is spread as well, so that those it turned away do not
// return all at once.
func (b *Backoff) Next(err error) time.Duration {
	most := max(b.Most, b.First)
	switch {
	case b.now == 0:
		b.now = b.First
	case b.now < most/2:
		b.now *= 2
	default:
		b.now = most
	}
	spread := rand.N(b.now/2 + 1)
	return max(b.now-spread, min(askedFor(err), MaxRetryAfter)+b.now/2-spread)
}

// OrDefault is the value, or the fallback for one that is not positive.
func OrDefault(value, fallback time.Duration) time.Duration {
	return cmp.Or(max(value, 0), fallback)
}

// askedFor is what a server that has too much to do asks for, or 0.
func askedFor(err error) time.Duration {
	answer, ok := errors.AsType[*Error](err)
	if !ok {
		return 0
	}
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return answer.RetryAfter
	}
	return 0
}

// Pause reports whether the context lasted through the wait.
func Pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
