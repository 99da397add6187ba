package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/provider"
)

// Fate is what is known of a call that was tried before.
type Fate string

// The fates of a call.
const (
	FateNone    Fate = ""        // it had no effect, or was not made
	FateDecided Fate = "decided" // the vendor's own server has answered: if it acts, it has acted
	FatePending Fate = "pending" // it was given up, and may have an effect, now or later
	FateUnheard Fate = "unheard" // nobody has told: it may even be under way still
	FateDone    Fate = "done"    // it had its effect, and its worker did not live to report it
)

// fateOf is the fate of a call that ended so.
func fateOf(err error) Fate {
	var e *provider.Error
	switch {
	case err == nil:
		return FateNone
	case !errors.As(err, &e): // cancelled in the middle, for one
		return FatePending
	case e.Pending:
		return FatePending
	case e.Ambiguous:
		return FateDecided
	default:
		return FateNone
	}
}

// tryNote is what one try of an activity leaves for the next in its heartbeat.
type tryNote struct {
	Attempt int32 `json:"attempt"`
	Fate    Fate  `json:"fate,omitempty"`
}

// newTryNote is a note of the try under way.
func newTryNote(ctx context.Context, fate Fate) tryNote {
	return tryNote{Attempt: activity.GetInfo(ctx).Attempt, Fate: fate}
}

// past is what the note of an earlier try says about the try before this one.
// A note that is older than that says nothing: the worker died with its try, or
// is cut off with it.
func (n tryNote) past(ctx context.Context) Fate {
	if n.Attempt == activity.GetInfo(ctx).Attempt-1 {
		return n.Fate
	}
	return FateUnheard
}

// note leaves the fate of this try for the next. Should it not arrive, the
// next try assumes the worst.
func note(ctx context.Context, fate Fate) {
	if !activity.GetInfo(ctx).IsLocalActivity {
		activity.RecordHeartbeat(ctx, newTryNote(ctx, fate))
	}
}

// past is the fate of the try before this one; told is what the workflow knows
// of one. Nobody knows whether a local activity runs for the first time.
func past(ctx context.Context, told Fate) Fate {
	info := activity.GetInfo(ctx)
	if info.IsLocalActivity {
		return FateUnheard
	}
	if info.Attempt <= 1 {
		return told
	}
	var before tryNote
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &before) == nil {
		return before.past(ctx)
	}
	return FateUnheard
}

// withFate puts the fate of a call among the details of its converted error.
func withFate(converted error, fate Fate) error {
	var app *temporal.ApplicationError
	if fate == FateNone || !errors.As(converted, &app) {
		return converted
	}
	return temporal.NewApplicationErrorWithOptions(app.Message(), app.Type(), temporal.ApplicationErrorOptions{
		NonRetryable:   app.NonRetryable(),
		NextRetryDelay: app.NextRetryDelay(),
		Details:        []any{fate},
	})
}

// FateOf is the fate of the call that an activity's error tells of.
func FateOf(err error) Fate {
	var app *temporal.ApplicationError
	var fate Fate
	if errors.As(err, &app) && app.HasDetails() && app.Details(&fate) == nil {
		return fate
	}
	if temporal.IsTimeoutError(err) || temporal.IsCanceledError(err) {
		return FateUnheard
	}
	return FateNone
}
