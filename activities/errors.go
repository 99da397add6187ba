package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/provider"
)

// The types of the errors that activities end with. Only the type survives the
// way into a workflow, so these names are a contract.
const (
	ErrTypeUnauthorized      = "Unauthorized"      // the vendor refuses the key
	ErrTypeInvalidRequest    = "InvalidRequest"    // the vendor will never take this request
	ErrTypeUnknownConnection = "UnknownConnection" // the worker has no such connection
	ErrTypeUnsupported       = "Unsupported"       // the vendor has no such call
	ErrTypeSessionGone       = "SessionGone"       // expired, or deleted by someone else
	ErrTypeUnavailable       = "Unavailable"       // 5xx or network; tried again
	ErrTypeBusy              = "Busy"              // not now; tried again
	ErrTypeRateLimited       = "RateLimited"       // tried again when the vendor allows
	ErrTypeTurnTimeout       = "TurnTimeout"       // the turn took longer than allowed
	ErrTypeStalled           = "Stalled"           // the agent said nothing for too long
	ErrTypeNoOutcome         = "NoOutcome"         // the agent stopped without result, question or error
	ErrTypeResultMismatch    = "ResultMismatch"    // the result does not fit the result schema
	ErrTypeResultTooLarge    = "ResultTooLarge"    // the result does not fit into a workflow's history
	ErrTypeAmbiguousSend     = "AmbiguousSend"     // whether a message has arrived cannot be told
	ErrTypeWorkerStopping    = "WorkerStopping"    // the worker is going away; tried again by another
)

// maxMessage bounds the words of an error, in bytes: the server cuts a failure
// that is kept for a retry at 4 KiB.
const maxMessage = 2048

// convertError turns the error of a provider into a Temporal error. It is
// called last: whatever wraps its result would make a final error retryable.
func convertError(connection string, err error) error {
	if err == nil {
		return nil
	}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if _, ok := errors.AsType[*provider.UnknownConnectionError](err); ok {
		return finalError(ErrTypeUnknownConnection, err.Error())
	}
	var e *provider.Error
	if !errors.As(err, &e) {
		message := fmt.Sprintf("connection %q: %s", connection, err)
		if errors.Is(err, provider.ErrUnsupported) {
			return finalError(ErrTypeUnsupported, message)
		}
		return retryableError(ErrTypeUnavailable, message, 0)
	}
	message := fmt.Sprintf("connection %q: %s", connection, e)
	switch e.Kind {
	case provider.ErrorUnauthorized:
		return finalError(ErrTypeUnauthorized, fmt.Sprintf(
			"connection %q: the vendor refused the key (%s): check api_key and its rights", connection, e))
	case provider.ErrorInvalid:
		return finalError(ErrTypeInvalidRequest, message)
	case provider.ErrorNotFound:
		return finalError(ErrTypeSessionGone, message+": the session expired or was deleted by someone else")
	case provider.ErrorBusy:
		return retryableError(ErrTypeBusy, message, e.RetryAfter)
	case provider.ErrorRateLimited:
		return retryableError(ErrTypeRateLimited, message, e.RetryAfter)
	default:
		if e.Kind == provider.ErrorUnavailable && e.Status == 0 {
			message = fmt.Sprintf("connection %q: the vendor cannot be reached: %s", connection, e)
		}
		return retryableError(ErrTypeUnavailable, message, e.RetryAfter)
	}
}

func finalError(errType, message string) error {
	return temporal.NewNonRetryableApplicationError(bound(message), errType, nil)
}

// retryableError is tried again after that delay; 0: after the retry policy's.
func retryableError(errType, message string, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(bound(message), errType, temporal.ApplicationErrorOptions{NextRetryDelay: after})
}

// IsType reports whether err is an application error of that type.
func IsType(err error, errType string) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == errType
}

func bound(s string) string { return boundTo(s, maxMessage) }

// boundTo cuts s to at most n bytes and a mark, never inside a character.
func boundTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := n
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not inside a UTF-8 sequence
		cut--
	}
	return s[:cut] + "…"
}
