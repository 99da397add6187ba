package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/errand-dev/errand/provider"
)

const (
	sendTimeout = time.Minute // of one Send

	// decidedTime is how long a message may take to show in its session after
	// the vendor's own server has answered its send with an error.
	decidedTime = 3 * time.Second

	// lookAgain is the time between two looks for a message that may be under way.
	lookAgain = time.Second
)

// deliver brings the turn's message to the session once. A first try sends. A
// later one looks behind the watermark: what is there is not sent again, what
// is not there once nothing can be under way any more is sent, and where the
// session does not tell it ends with ErrTypeAmbiguousSend.
func (w *turnWatch) deliver(ctx context.Context, p provider.Provider) error {
	if w.in.Message == nil || !w.SentAt.IsZero() {
		return nil
	}
	m := provider.Message{Text: w.in.Message.Text, StartURL: w.in.Message.StartURL}
	before := w.in.Message.Before
	if activity.GetInfo(ctx).Attempt > 1 {
		before = w.Note.past(ctx)
	}
	if before != FateNone {
		if there, err := w.look(ctx, p, m, before); err != nil || there {
			return err
		}
	}
	// A try that leaves no word is taken to be pending, so this costs no
	// heartbeat as long as all goes well.
	err := w.beating(ctx, func(ctx context.Context) error { return p.Send(ctx, w.in.SessionID, m) })
	if err != nil {
		w.leave(ctx, fateOf(err))
		return err
	}
	w.there()
	return nil
}

// look reports whether the message of a former try is there, once that is sure.
func (w *turnWatch) look(ctx context.Context, p provider.Provider, m provider.Message, before Fate) (bool, error) {
	w.leave(ctx, before)
	settled := p.Capabilities().SettleTime
	if before == FateDecided {
		settled = min(settled, decidedTime)
	}
	for end := time.Now().Add(settled); ; {
		callCtx, cancel := context.WithTimeout(ctx, readTimeout)
		arrival, err := p.Find(callCtx, w.in.SessionID, m, w.in.After)
		cancel()
		wait := min(lookAgain, time.Until(end))
		switch {
		case err != nil:
			return false, err
		case arrival == provider.Arrived:
			w.there()
			return true, nil
		case wait <= 0 && arrival == provider.Missing:
			return false, nil
		case wait <= 0:
			return false, finalError(ErrTypeAmbiguousSend, fmt.Sprintf(
				"connection %q: the answer to a send was lost, and the session does not tell whether the message arrived", w.in.Connection))
		}
		select {
		case <-time.After(wait):
			w.leave(ctx, before)
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// there notes that the message has arrived: once the next heartbeat has said
// so, no later try has to look.
func (w *turnWatch) there() {
	w.SentAt = time.Now().UTC()
	w.LastProgress = w.SentAt
}

// leave tells the next try what is known of this one.
func (w *turnWatch) leave(ctx context.Context, fate Fate) {
	w.Note = newTryNote(ctx, fate)
	activity.RecordHeartbeat(ctx, w.turnProgress)
}

// beating makes one call that is bounded in time, and keeps the activity alive
// meanwhile.
func (w *turnWatch) beating(ctx context.Context, call func(context.Context) error) error {
	callCtx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call(callCtx) }()
	beat := time.NewTicker(w.beatEvery)
	defer beat.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-beat.C:
			activity.RecordHeartbeat(ctx, w.turnProgress)
		}
	}
}
