package cli

import (
	"context"
	"errors"
	"log/slog"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
)

// sdkLogger hands the messages of the Temporal SDK to slog. The SDK reports
// every activity that ends with an error as an error of its own; most are the
// task's to tell, or are tried again.
type sdkLogger struct{ log.Logger }

var _ log.WithLogger = sdkLogger{}

func newSDKLogger(l *slog.Logger) sdkLogger { return sdkLogger{log.NewStructuredLogger(l)} }

// With implements [log.WithLogger].
func (l sdkLogger) With(keyvals ...any) log.Logger { return sdkLogger{log.With(l.Logger, keyvals...)} }

// Error implements [log.Logger].
func (l sdkLogger) Error(msg string, keyvals ...any) {
	err := activityError(msg, keyvals)
	app, _ := errors.AsType[*temporal.ApplicationError](err)
	switch {
	case err == nil:
		l.Logger.Error(msg, keyvals...)
	case errors.Is(err, context.Canceled): // the workflow wanted that
		l.Debug(msg, keyvals...)
	case app != nil && app.NonRetryable(): // the task ends with it, or takes another way
		l.Info(msg, keyvals...)
	default:
		l.Warn(msg, keyvals...)
	}
}

// activityError is the error that a message reports an activity with, nil if
// it is about something else.
func activityError(msg string, keyvals []any) error {
	if msg != "Activity error." {
		return nil
	}
	for i := 0; i+1 < len(keyvals); i += 2 {
		if err, ok := keyvals[i+1].(error); ok {
			return err
		}
	}
	return nil
}
