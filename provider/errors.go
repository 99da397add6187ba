package provider

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnsupported is returned for calls that the vendor does not have.
var ErrUnsupported = errors.New("the vendor has no such call")

// Error is what a vendor or the way to it answered instead of success. It is
// a fact; whether to try again is the caller's to decide.
type Error struct {
	Kind       ErrorKind
	Op         string        // what was tried, "create session"
	Status     int           // HTTP status; 0 if there was none
	Message    string        // the vendor's own words, or those of the network
	RetryAfter time.Duration // what the vendor asked for; 0 if it did not

	// Ambiguous says that the call may have taken effect although no reply
	// said so: the request had left, and what came back does not settle it.
	Ambiguous bool

	// Pending says that nothing is known of an ambiguous call: no answer of the
	// vendor's own server could be read, which may still be at it.
	Pending bool

	Err error // cause, if there is one
}

// ErrorKind sorts errors by what can be done about them.
type ErrorKind string

// The kinds of errors.
const (
	ErrorUnauthorized ErrorKind = "unauthorized" // 401, 403: key or rights
	ErrorInvalid      ErrorKind = "invalid"      // any other 3xx or 4xx: the request will never do
	ErrorNotFound     ErrorKind = "not_found"    // 404, 410: the session is gone
	ErrorBusy         ErrorKind = "busy"         // 408, 409: not now
	ErrorRateLimited  ErrorKind = "rate_limited" // 429
	ErrorUnavailable  ErrorKind = "unavailable"  // 5xx, network, a reply that cannot be read
)

// KindOfStatus is the kind of an HTTP status that is no success.
func KindOfStatus(status int) ErrorKind {
	switch {
	case status == 401 || status == 403:
		return ErrorUnauthorized
	case status == 404 || status == 410:
		return ErrorNotFound
	case status == 408 || status == 409 || status == 425:
		return ErrorBusy
	case status == 429:
		return ErrorRateLimited
	case status >= 300 && status < 500: // a redirect that is not followed is a wrong base URL
		return ErrorInvalid
	default:
		return ErrorUnavailable
	}
}

func (e *Error) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("%s: HTTP %d: %s", e.Op, e.Status, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Op, e.Message)
}

func (e *Error) Unwrap() error { return e.Err }

// IsKind reports whether err is an [*Error] of that kind.
func IsKind(err error, kind ErrorKind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}
