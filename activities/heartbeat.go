package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// heartbeatInterval leaves a sixth of the timeout for a late heartbeat, and is
// longer than the SDK's own throttle of four fifths, so none is held back.
func heartbeatInterval(ctx context.Context) time.Duration {
	if timeout := activity.GetInfo(ctx).HeartbeatTimeout; timeout > 0 {
		return timeout * 5 / 6
	}
	return time.Minute // nobody waits for it, but a cancellation comes with its reply
}

// beatDuring makes a call that ends by itself, and beats while it lasts: a
// vendor may take minutes over a snapshot, and a dead worker is to be noticed
// sooner.
func beatDuring(every time.Duration, beat func(), call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ticker.C:
			beat()
		}
	}
}
