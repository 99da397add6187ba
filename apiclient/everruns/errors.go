package everruns

import "github.com/errand-dev/errand/apiclient/internal/rest"

// The errors are the same types in every vendor's client, so that one
// errors.As finds them whichever client a call went through.
type (
	// Error is an answer with a status other than 2xx.
	Error = rest.Error
	// FieldError is what a 422 answer says about one field.
	FieldError = rest.FieldError
	// TransportError means that there is no answer.
	TransportError = rest.TransportError
	// BodyError means a 2xx answer that cannot be read.
	BodyError = rest.BodyError
	// StreamError means that an open event stream broke.
	StreamError = rest.StreamError
)

var (
	// ErrInvalidRequest means that nothing was sent, for example because a
	// session id is empty.
	ErrInvalidRequest = rest.ErrInvalidRequest
	// ErrStreamIdle means that a stream was silent for longer than its idle timeout.
	ErrStreamIdle = rest.ErrStreamIdle
	// ErrEventTooLarge means that one event exceeds 4 MiB.
	ErrEventTooLarge = rest.ErrEventTooLarge
)

// Timestamp is a time as the API gives it: RFC 3339, UTC. It is zero when the
// API gave none, or something that is not a time.
type Timestamp = rest.Timestamp
