package cli

import (
	"context"
	"errors"
	"log/slog"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
)

// sdkLogger hands the messages of the Temporal SDK to slog. The SDK makes much
// of errors that are no trouble: what was cancelled on purpose, and activities
// whose error is the task's to tell or that are tried again.
type sdkLogger struct{ log.Logger }

var _ log.WithLogger = sdkLogger{}

func newSDKLogger(l *slog.Logger) sdkLogger { return sdkLogger{log.NewStructuredLogger(l)} }

// With implements [log.WithLogger].
func (l sdkLogger) With(keyvals ...any) log.Logger { return sdkLogger{log.With(l.Logger, keyvals...)} }

// Warn implements [log.Logger].
func (l sdkLogger) Warn(msg string, keyvals ...any) {
	if cancelled(errorOf(keyvals)) {
		l.Debug(msg, keyvals...)
		return
	}
	l.Logger.Warn(msg, keyvals...)
}

// Error implements [log.Logger].
func (l sdkLogger) Error(msg string, keyvals ...any) {
	err := errorOf(keyvals)
	app, _ := errors.AsType[*temporal.ApplicationError](err)
	switch {
	case cancelled(err):
		l.Debug(msg, keyvals...)
	case msg != "Activity error." || err == nil:
		l.Logger.Error(msg, keyvals...)
	case app != nil && app.NonRetryable():
		l.Info(msg, keyvals...)
	default:
		l.Logger.Warn(msg, keyvals...)
	}
}

func cancelled(err error) bool {
	_, ok := errors.AsType[*serviceerror.Canceled](err)
	return ok || errors.Is(err, context.Canceled)
}

// errorOf is the error among the fields of a message, nil if there is none.
func errorOf(keyvals []any) error {
	for i := 1; i < len(keyvals); i += 2 {
		if err, ok := keyvals[i].(error); ok {
			return err
		}
	}
	return nil
}
