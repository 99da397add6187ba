package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/errand-dev/errand/provider"
)

const (
	leastSendTimeout = 5 * time.Second

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
	m := w.message(p)
	before := w.in.Message.Before
	switch info := activity.GetInfo(ctx); {
	case info.Attempt > 1:
		before = w.Note.past(ctx)
	case w.in.RunID != "" && w.in.RunID != info.WorkflowExecution.RunID: // a reset makes it a first try again
		before = FateUnheard
	}
	if before != FateNone {
		if there, err := w.look(ctx, p, m, before); err != nil || there {
			return err
		}
	}
	most := sendTimeout(p)
	if err := w.fenced(ctx); err != nil {
		return err
	}
	// A try that leaves no word is unheard of, so this costs no heartbeat as
	// long as all goes well.
	err := w.beating(ctx, most, func(ctx context.Context) error { return p.Send(ctx, w.in.SessionID, m) })
	if err != nil {
		w.leave(ctx, fateOf(err))
		return err
	}
	w.there()
	return nil
}

// message is the turn's message as the vendor takes it.
func (w *turnWatch) message(p provider.Provider) provider.Message {
	m := provider.Message{Text: w.in.Message.Text, StartURL: w.in.Message.StartURL, ReplyTo: w.in.Message.ReplyTo}
	if m.StartURL != "" && !p.Capabilities().StartURL {
		m.Text, m.StartURL = fmt.Sprintf("%s\n\nStart at %s", m.Text, m.StartURL), ""
	}
	if n := w.in.Message.Number; n > 0 {
		m.Key = fmt.Sprintf("errand-%s-%d", w.in.TaskID, n)
	}
	return m
}

// sendTimeout bounds one send: what takes longer than this is no more likely to
// be heard of than to have got lost.
func sendTimeout(p provider.Provider) time.Duration {
	return max(leastSendTimeout, p.Capabilities().SettleTime)
}

// look reports whether the message of a former try is there, once that is sure.
func (w *turnWatch) look(ctx context.Context, p provider.Provider, m provider.Message, before Fate) (bool, error) {
	w.leave(ctx, before)
	settled := p.Capabilities().SettleTime
	switch before {
	case FateDecided:
		settled = min(settled, decidedTime)
	case FateUnheard:
		settled += sendTimeout(p) // it may give up only then
	}
	for end := time.Now().Add(settled); ; {
		var arrival provider.Arrival
		err := w.beating(ctx, readTimeout, func(ctx context.Context) (err error) {
			arrival, err = p.Find(ctx, w.in.SessionID, m, w.in.After)
			return err
		})
		wait := min(lookAgain, time.Until(end))
		if err != nil {
			if err := w.failed(err); err != nil {
				return false, err
			}
			wait = w.retryDelay
		} else {
			w.failingSince, w.retryDelay = time.Time{}, 0
		}
		switch {
		case err != nil:
		case arrival == provider.Arrived:
			w.there()
			return true, nil
		case wait <= 0 && arrival == provider.Missing:
			return false, nil
		case wait <= 0:
			return false, finalError(ErrTypeAmbiguousSend, fmt.Sprintf(
				"connection %q: the answer to a send was lost, and the session does not tell whether the message arrived", w.in.Connection))
		}
		if err := w.idle(ctx, wait, before); err != nil {
			return false, err
		}
	}
}

// idle waits, and keeps the activity alive meanwhile.
func (w *turnWatch) idle(ctx context.Context, d time.Duration, before Fate) error {
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return ctx.Err()
		}
		select {
		case <-time.After(min(left, w.beatEvery)):
			w.leave(ctx, before)
		case <-ctx.Done():
			return ctx.Err()
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
	w.alive(ctx)
	activity.RecordHeartbeat(ctx, w.turnProgress)
}

// alive notes that this attempt goes on, and whether it stood still for so long
// that it may have been given up.
func (w *turnWatch) alive(ctx context.Context) {
	timeout := activity.GetInfo(ctx).HeartbeatTimeout
	w.overdue = w.overdue || (timeout > 0 && time.Since(w.aliveAt) > timeout)
	w.aliveAt = time.Now()
}

// fenced keeps an attempt from sending that another may have taken over from:
// what it would send now, the other may have sent already.
func (w *turnWatch) fenced(ctx context.Context) error {
	if w.alive(ctx); w.overdue {
		return retryableError(ErrTypeWorkerStopping, "the worker was held up before it could send", 0)
	}
	return ctx.Err()
}

// beating makes one call that is bounded in time, and keeps the activity alive
// meanwhile.
func (w *turnWatch) beating(ctx context.Context, most time.Duration, call func(context.Context) error) error {
	callCtx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	err := beatDuring(w.beatEvery, func() {
		w.alive(ctx)
		activity.RecordHeartbeat(ctx, w.turnProgress)
	}, func() error { return call(callCtx) })
	w.alive(ctx)
	return err
}
