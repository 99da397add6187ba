package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/provider"
)

const (
	readTimeout = 30 * time.Second // of one Read

	// A turn that may have ended is looked at again soon, and then less and
	// less soon: the vendor may never say more about it.
	settleAtFirst = 500 * time.Millisecond
	settleAtMost  = 15 * time.Second

	// idleGrace is how long a session may look idle before its turn counts as
	// ended without an outcome: a message may wait in a queue while the state
	// is still that of the turn before.
	idleGrace = 2 * time.Minute

	// patience is how long reading may fail in a row before the activity fails
	// and Temporal takes over the retries, where people can see them.
	patience      = time.Minute
	retryAtFirst  = time.Second
	retryAtMost   = 15 * time.Second
	longestAnswer = 16 << 10 // bytes of a question's or an error's text
)

// turnProgress is what a heartbeat carries to the next attempt.
type turnProgress struct {
	Cursor       provider.Watermark `json:"cursor"`
	LastProgress time.Time          `json:"last_progress"`
	SentAt       time.Time          `json:"sent_at,omitzero"` // when the message was known to be there
	Note         tryNote            `json:"note,omitzero"`    // about its send
}

// turnWatch is the state of one TakeTurn.
type turnWatch struct {
	a  *Activities
	in TakeTurnInput

	turnProgress
	deadline    time.Time      // of the turn
	aliveAt     time.Time      // when this attempt was seen to go on, before its send
	overdue     bool           // it stood still for longer than its heartbeat timeout
	lastEntry   string         // id of the newest entry read; empty: none yet
	state       provider.State // empty: not read yet
	idleSince   time.Time      // zero while the session is not idle
	told        bool           // the last read brought news
	settleDelay time.Duration  // until the next look at a turn that may have ended; 0: it has not

	failingSince time.Time // zero while reading works
	retryDelay   time.Duration
	fresh        bool // something was read since the last heartbeat
	beatEvery    time.Duration
}

func newTurnWatch(ctx context.Context, a *Activities, in TakeTurnInput) *turnWatch {
	w := &turnWatch{a: a, in: in, aliveAt: time.Now(), turnProgress: turnProgress{Cursor: in.After, LastProgress: time.Now()}}
	if activity.HasHeartbeatDetails(ctx) {
		var before turnProgress
		if err := activity.GetHeartbeatDetails(ctx, &before); err == nil {
			w.turnProgress = before
		}
	}
	return w
}

// run sends what is to be sent and reads until the turn has ended. The stream
// only says when to read.
func (w *turnWatch) run(ctx context.Context, p provider.Provider) (Turn, error) {
	activityCtx := ctx
	w.beatEvery = heartbeatInterval(ctx)
	if err := w.deliver(ctx, p); err != nil {
		return Turn{}, err
	}
	w.setDeadline()
	ctx, cancel := context.WithDeadlineCause(ctx, w.deadline, errTurnTimeout)
	defer cancel()

	beat := time.NewTicker(w.beatEvery)
	defer beat.Stop()

	var waker *provider.Waker
	for {
		turn, err := w.read(ctx, p)
		if err != nil || turn != nil {
			return w.ended(ctx, turn, err)
		}
		if waker == nil { // not before the first look: many turns are over by then
			waker = provider.NewWaker(ctx, p, w.in.SessionID,
				provider.EntryDone, provider.EntryQuestion, provider.EntryError)
		}
		next := time.NewTimer(w.wait(waker))
		for read := false; !read; {
			select {
			case <-waker.C():
				read = w.failingSince.IsZero() // a failing vendor is not asked sooner
			case <-next.C:
				read = true
			case <-beat.C:
				w.heartbeat(activityCtx)
			case <-activity.GetWorkerStopChannel(activityCtx):
				next.Stop()
				return Turn{}, w.handOver(activityCtx)
			case <-ctx.Done():
				next.Stop()
				return w.ended(ctx, nil, ctx.Err())
			}
		}
		next.Stop()
	}
}

var errTurnTimeout = errors.New("turn deadline")

// setDeadline says when the turn must have ended.
func (w *turnWatch) setDeadline() {
	w.deadline = w.in.Deadline
	if w.in.TurnTimeout <= 0 {
		return
	}
	if w.SentAt.IsZero() { // it was there before this activity began
		w.SentAt = time.Now().UTC()
	}
	if end := w.SentAt.Add(w.in.TurnTimeout); w.deadline.IsZero() || end.Before(w.deadline) {
		w.deadline = end
	}
}

// ended is the end of a wait, in the caller's words if the deadline was it.
func (w *turnWatch) ended(ctx context.Context, turn *Turn, err error) (Turn, error) {
	switch {
	case turn != nil:
		return *turn, nil
	case errors.Is(context.Cause(ctx), errTurnTimeout):
		return Turn{}, finalError(ErrTypeTurnTimeout, fmt.Sprintf(
			"the agent had not finished its turn by %s", w.deadline.UTC().Format(time.RFC3339)))
	default:
		return Turn{}, err
	}
}

// handOver ends this attempt so that another worker goes on at once, without
// waiting for the heartbeat timeout.
func (w *turnWatch) handOver(ctx context.Context) error {
	w.fresh = true
	w.heartbeat(ctx)
	return temporal.NewApplicationErrorWithOptions("the worker is stopping; another goes on", ErrTypeWorkerStopping,
		temporal.ApplicationErrorOptions{NextRetryDelay: time.Millisecond, Category: temporal.ApplicationErrorCategoryBenign})
}

// heartbeat says that the wait is alive, but only if it really is: something
// was read since the last one.
func (w *turnWatch) heartbeat(ctx context.Context) {
	if !w.fresh {
		return
	}
	w.fresh = false
	activity.RecordHeartbeat(ctx, w.turnProgress)
}

// wait is how long to wait before the next read.
func (w *turnWatch) wait(waker *provider.Waker) time.Duration {
	if !w.failingSince.IsZero() {
		return w.retryDelay
	}
	delay := min(waker.Interval(w.told), w.beatEvery*2/3) // each heartbeat wants a read before it
	if w.settleDelay > 0 {
		return min(w.settleDelay, delay)
	}
	return delay
}

// read asks once what is new. It returns a turn when the turn has ended, an
// error when waiting on makes no sense, and neither otherwise.
func (w *turnWatch) read(ctx context.Context, p provider.Provider) (*Turn, error) {
	callCtx, cancel := context.WithTimeout(ctx, readTimeout)
	progress, err := p.Read(callCtx, w.in.SessionID, w.Cursor)
	cancel()
	if err != nil {
		return nil, w.failed(err)
	}
	w.failingSince, w.retryDelay, w.fresh = time.Time{}, 0, true
	progress.Entries = w.news(progress.Entries)

	if w.a.Transcripts != nil && len(progress.Entries) > 0 {
		if err := w.a.Transcripts.Append(w.in.TaskID, progress.Entries); err != nil {
			activity.GetLogger(ctx).Warn("transcript not written", "task", w.in.TaskID, "error", err)
		}
	}
	w.advance(progress, time.Now())
	if w.in.StrayPause && progress.State == provider.StatePaused {
		if err := p.Resume(ctx, w.in.SessionID); err != nil {
			activity.GetLogger(ctx).Warn("a pause that came too late was not taken back yet", "session", w.in.SessionID, "error", err)
		}
	}
	if o := progress.Outcome; o != nil {
		turn := &Turn{Outcome: o.Kind, Result: o.Result, Cursor: progress.Cursor, ReplyTo: o.ReplyTo}
		if o.Kind != provider.OutcomeFinished { // whose text is the result once more
			turn.Text = boundTo(o.Text, longestAnswer)
		}
		return turn, nil
	}
	return nil, w.stuck(progress, time.Now())
}

// news leaves out the entries that an earlier read gave already.
func (w *turnWatch) news(entries []provider.Entry) []provider.Entry {
	known := slices.IndexFunc(entries, func(e provider.Entry) bool { return e.ID == w.lastEntry })
	entries = entries[known+1:]
	if len(entries) > 0 {
		w.lastEntry = entries[len(entries)-1].ID
	}
	return entries
}

// advance notes what moved. A paused session is meant to stand still.
func (w *turnWatch) advance(p provider.Progress, now time.Time) {
	stateMoved := w.state != "" && w.state != p.State
	w.told = len(p.Entries) > 0 || stateMoved
	if w.told || p.State == provider.StatePaused {
		w.LastProgress = now
	}
	w.state, w.Cursor = p.State, p.Cursor
	if p.Unsettled {
		w.settleDelay = min(max(2*w.settleDelay, settleAtFirst), settleAtMost)
	} else {
		w.settleDelay = 0
	}
	switch p.State {
	case provider.StateIdle, provider.StateFailed, provider.StateGone:
		if w.idleSince.IsZero() || len(p.Entries) > 0 {
			w.idleSince = now
		}
	default:
		w.idleSince = time.Time{}
	}
}

// stuck says why waiting on makes no sense, if it does not.
func (w *turnWatch) stuck(p provider.Progress, now time.Time) error {
	if p.State == provider.StateGone {
		return finalError(ErrTypeSessionGone, fmt.Sprintf(
			"the session was ended (%s) by its vendor or by someone else", p.RawState))
	}
	if !w.idleSince.IsZero() && now.Sub(w.idleSince) > idleGrace {
		return finalError(ErrTypeNoOutcome, fmt.Sprintf(
			"the agent stopped (%s) without a result, a question or an error: it may have been cancelled from elsewhere", p.RawState))
	}
	if quiet := now.Sub(w.LastProgress); w.in.StallTimeout > 0 && quiet > w.in.StallTimeout {
		return finalError(ErrTypeStalled, fmt.Sprintf(
			"the agent has said nothing for %s (its session says %q)", quiet.Round(time.Second), p.RawState))
	}
	return nil
}

// failed decides about an error of Read: nil means try again here.
func (w *turnWatch) failed(err error) error {
	var e *provider.Error
	retryable := errors.As(err, &e) &&
		(e.Kind == provider.ErrorUnavailable || e.Kind == provider.ErrorRateLimited || e.Kind == provider.ErrorBusy)
	if !retryable {
		return err
	}
	now := time.Now()
	if w.failingSince.IsZero() {
		w.failingSince = now
	}
	w.retryDelay = max(e.RetryAfter, min(max(2*w.retryDelay, retryAtFirst), retryAtMost))
	if now.Add(w.retryDelay).Sub(w.failingSince) > patience {
		return err
	}
	return nil
}
