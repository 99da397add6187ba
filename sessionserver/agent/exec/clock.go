package exec

import (
	"sync"
	"time"
)

// clock measures the time of a task, which stands still at pauses and while a
// question is open.
type clock struct {
	mu      sync.Mutex
	timer   *time.Timer
	left    time.Duration
	since   time.Time
	running bool
}

func newClock(limit time.Duration) *clock {
	timer := time.NewTimer(limit)
	timer.Stop()
	return &clock{timer: timer, left: limit}
}

func (c *clock) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running {
		c.running, c.since = true, time.Now()
		c.timer.Reset(max(c.left, 0))
	}
}

func (c *clock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		c.running = false
		c.timer.Stop()
		c.left -= time.Since(c.since)
	}
}
