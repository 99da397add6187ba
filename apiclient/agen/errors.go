package agen

import (
	"errors"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// The errors are the same types in every vendor's client, so that one
// errors.As finds them whichever client a call went through.
type (
	// Error is an answer with a status other than 2xx.
	Error = rest.Error
	// FieldError is what an answer says about one field.
	FieldError = rest.FieldError
	// TransportError means that there is no answer.
	TransportError = rest.TransportError
	// BodyError means a 2xx answer that cannot be read.
	BodyError = rest.BodyError
)

var (
	// ErrInvalidRequest means that nothing was sent, for example because a
	// session id is empty.
	ErrInvalidRequest = rest.ErrInvalidRequest
	// ErrRepeatedPage means that the API gave a page of a list again instead of
	// the one behind it.
	ErrRepeatedPage = errors.New("the API gave the same page of the list again")
)

// Timestamp is a time as the API gives it: ISO 8601, UTC. It is zero when the
// API gave none, or something that is not a time.
type Timestamp = rest.Timestamp
