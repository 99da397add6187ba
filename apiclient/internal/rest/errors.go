package rest

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

var (
	// ErrStreamIdle means that a stream was silent for longer than its idle timeout.
	ErrStreamIdle = errors.New("event stream is idle")
	// ErrEventTooLarge means that one event exceeds the stream's bound.
	ErrEventTooLarge = errors.New("event is too large")
)

// Error is an answer with a status other than 2xx, as the server gave it.
type Error struct {
	StatusCode int
	// Code and Type are the machine-readable kinds that some bodies carry.
	Code string
	Type string
	// Message is one line for people, never empty, of up to 1 KiB.
	Message string
	// Fields lists what a 422 body says about single fields.
	Fields []FieldError
	// RetryAfter is the delay the server asked for; zero is a valid request.
	RetryAfter time.Duration
	// HasRetryAfter reports whether the server asked for a delay at all.
	HasRetryAfter bool
	// Body is the beginning of the body, up to 4 KiB of valid UTF-8.
	Body string
	// Method and Path name the call; the path is escaped and has no query.
	Method string
	Path   string
}

// FieldError is one complaint about one field of a request.
type FieldError struct {
	Path    string // dotted, such as "body.agent_name"; may be empty
	Message string
	Type    string
}

func (e *Error) Error() string {
	status := statusText(e.StatusCode)
	if e.Message == status {
		return fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.StatusCode, status)
	}
	return fmt.Sprintf("%s %s: %d %s: %s", e.Method, e.Path, e.StatusCode, status, e.Message)
}

// TransportError means that there is no answer: the connection, the TLS
// handshake or the wait for the answer failed, or the context ended.
type TransportError struct {
	Method string
	Path   string
	// Sent reports whether the server may have received the request. False is
	// certain; true is a possibility.
	Sent bool
	Err  error
}

func (e *TransportError) Error() string {
	if e.Sent {
		return fmt.Sprintf("%s %s: no answer, the request may have arrived: %v", e.Method, e.Path, e.Err)
	}
	return fmt.Sprintf("%s %s: not sent: %v", e.Method, e.Path, e.Err)
}

func (e *TransportError) Unwrap() error { return e.Err }

// BodyError means that the server answered 2xx with a body that is cut off,
// too large or not what the API promises. The act has most likely happened.
type BodyError struct {
	StatusCode int
	Method     string
	Path       string
	Err        error
}

func (e *BodyError) Error() string {
	return fmt.Sprintf("%s %s: status %d with an unreadable body: %v", e.Method, e.Path, e.StatusCode, e.Err)
}

func (e *BodyError) Unwrap() error { return e.Err }

// StreamError means that an open event stream ended otherwise than by its
// proper end. It wraps [ErrStreamIdle], [ErrEventTooLarge],
// [io.ErrUnexpectedEOF], the context's error or the connection's.
type StreamError struct {
	Method string
	Path   string
	Err    error
}

func (e *StreamError) Error() string {
	return fmt.Sprintf("%s %s: event stream broke: %v", e.Method, e.Path, e.Err)
}

func (e *StreamError) Unwrap() error { return e.Err }

func newTransportError(req *http.Request, sent bool, err error) *TransportError {
	return &TransportError{Method: req.Method, Path: req.URL.EscapedPath(), Sent: sent, Err: err}
}

func newBodyError(resp *http.Response, err error) *BodyError {
	return &BodyError{
		StatusCode: resp.StatusCode,
		Method:     resp.Request.Method,
		Path:       resp.Request.URL.EscapedPath(),
		Err:        err,
	}
}

const (
	maxErrorBody     = 64 << 10 // read
	maxErrorBodyKept = 4 << 10
)

// newError reads what it can of the body: the status is a fact whether or not
// the body arrives whole.
func newError(resp *http.Response, redact func([]byte) []byte) *Error {
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	raw = redact(raw)

	e := &Error{
		StatusCode: resp.StatusCode,
		Body:       truncate(strings.ToValidUTF8(string(raw), "\uFFFD"), maxErrorBodyKept),
		Method:     resp.Request.Method,
		Path:       resp.Request.URL.EscapedPath(),
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	said := parseErrorBody(raw, mediaType)
	e.Code, e.Type, e.Message, e.Fields = said.code, said.kind, said.message, said.fields
	e.RetryAfter, e.HasRetryAfter = retryAfter(resp.Header)
	if !e.HasRetryAfter {
		e.RetryAfter, e.HasRetryAfter = seconds(said.retryAfter)
	}
	if location := resp.Header.Get("Location"); location != "" && resp.StatusCode/100 == 3 {
		e.Message = "redirect" + redirectTarget(location) + " not followed: check the base URL"
	}
	if e.Message == "" {
		e.Message = statusText(e.StatusCode)
	}
	return e
}

// redirectTarget names the host alone, as a query may hold a secret.
func redirectTarget(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		return ""
	}
	return " to " + u.Scheme + "://" + u.Host
}

func statusText(code int) string {
	if text := http.StatusText(code); text != "" {
		return text
	}
	return fmt.Sprintf("HTTP %d", code)
}
