package auth

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits keeps the requests of each user to a rate.
type Limits struct {
	rate  rate.Limit
	burst int

	mu    sync.Mutex
	users map[string]*rate.Limiter
}

// NewLimits allows each user so many requests a second, and burst at once. A
// rate of 0 is no limit; a burst of 0 is one second's worth, at least 1.
func NewLimits(perSecond float64, burst int) *Limits {
	if burst == 0 {
		burst = max(1, int(perSecond))
	}
	return &Limits{rate: rate.Limit(perSecond), burst: burst, users: map[string]*rate.Limiter{}}
}

// Wait says how long the user has to wait before the next request; 0 counts
// the request as made. There are as many users as keys, so none is forgotten.
func (l *Limits) Wait(user string) time.Duration {
	if l.rate <= 0 {
		return 0
	}
	l.mu.Lock()
	limiter, ok := l.users[user]
	if !ok {
		limiter = rate.NewLimiter(l.rate, l.burst)
		l.users[user] = limiter
	}
	l.mu.Unlock()
	r := limiter.Reserve()
	wait := r.Delay()
	if wait > 0 {
		r.Cancel()
	}
	return wait
}
