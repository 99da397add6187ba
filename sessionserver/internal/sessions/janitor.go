package sessions

import (
	"errors"
	"time"
)

// How often the engine looks for sessions and snapshots that have had their time.
const (
	shortestRound = 100 * time.Millisecond
	longestRound  = time.Minute
)

// clean ends what has had its time, until the engine closes.
func (e *Engine) clean() {
	round := longestRound
	if e.TTL > 0 {
		round = min(max(e.TTL/4, shortestRound), longestRound)
	}
	tick := time.NewTicker(round)
	defer tick.Stop()
	for {
		e.expire()
		if err := e.snapshots.prune(e.Retention); err != nil {
			e.Logger.Warn("old snapshots not removed", "error", err)
		}
		select {
		case <-tick.C:
		case <-e.ctx.Done():
			return
		}
	}
}

// expire deletes the sessions in which nothing has happened for too long.
func (e *Engine) expire() {
	if e.TTL <= 0 {
		return
	}
	e.mu.RLock()
	var old []*Session
	for _, s := range e.sessions {
		if s.idle() > e.TTL {
			old = append(old, s)
		}
	}
	e.mu.RUnlock()
	for _, s := range old {
		err := s.delete(e.ctx, SnapshotOptions{Mode: SnapshotNone}, ByAge)
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrClosed) {
			e.Logger.Warn("expired session not deleted", "session_id", s.ID, "error", err)
		}
	}
}
