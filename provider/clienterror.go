package provider

import (
	"context"
	"errors"
	"net/http"

	"github.com/errand-dev/errand/apiclient/agi"
)

// fromClient brings an error of any vendor's client to an [*Error]; the
// clients share their error types.
func fromClient(op string, err error) error {
	if err == nil {
		return nil
	}
	var (
		answer    *agi.Error
		transport *agi.TransportError
		body      *agi.BodyError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &answer):
		return &Error{
			Kind:       KindOfStatus(answer.StatusCode),
			Op:         op,
			Status:     answer.StatusCode,
			Message:    answer.Message,
			RetryAfter: min(answer.RetryAfter, longestRetryAfter),
			Ambiguous:  answer.StatusCode >= 500,
			Pending:    answer.StatusCode == http.StatusBadGateway || answer.StatusCode == http.StatusGatewayTimeout,
			Err:        err,
		}
	case errors.As(err, &body):
		return &Error{Kind: ErrorUnavailable, Op: op, Status: body.StatusCode, Message: body.Error(), Ambiguous: true, Pending: true, Err: err}
	case errors.As(err, &transport):
		return &Error{Kind: ErrorUnavailable, Op: op, Message: transport.Error(), Ambiguous: transport.Sent, Pending: transport.Sent, Err: err}
	case errors.Is(err, agi.ErrInvalidRequest):
		return &Error{Kind: ErrorInvalid, Op: op, Message: err.Error(), Err: err}
	default:
		return &Error{Kind: ErrorUnavailable, Op: op, Message: err.Error(), Ambiguous: true, Pending: true, Err: err}
	}
}
