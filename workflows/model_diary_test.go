package workflows

import (
	"sync"
	"time"
)

// diary keeps the things that happen in a story apart, so that a plan has one
// story: what happens in the same instant is a matter of the scheduler, and
// what happens soon after, too, for the test environment lets real time pass
// while an activity runs. What the task itself waits for comes between.
type diary struct {
	sync.Mutex
	taken map[time.Time]bool
}

// moment is the time between two things of a kind.
const moment = 10 * time.Second

// kind is when in a moment something happens.
type kind time.Duration

const (
	byPeople = kind(0)
	byAgents = kind(3 * time.Second)
	byCalls  = kind(6 * time.Second)

	// What the task waits for is a whole number of moments and one of these.
	aBit     = time.Second
	aBitMore = 1500 * time.Millisecond
)

// wait is about how long to wait for something.
func (d *diary) wait(k kind, now time.Time, about time.Duration) time.Duration {
	d.Lock()
	defer d.Unlock()
	at := now.Add(about).Truncate(moment).Add(time.Duration(k))
	for d.taken[at] || !at.After(now) {
		at = at.Add(moment)
	}
	d.taken[at] = true
	return at.Sub(now)
}
