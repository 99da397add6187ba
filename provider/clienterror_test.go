package provider

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAStatusDecidesTheKindOfAnError(t *testing.T) {
	for status, test := range map[int]struct {
		kind      ErrorKind
		ambiguous bool
	}{
		302: {kind: ErrorInvalid},
		400: {kind: ErrorInvalid},
		401: {kind: ErrorUnauthorized},
		402: {kind: ErrorInvalid},
		403: {kind: ErrorUnauthorized},
		404: {kind: ErrorNotFound},
		405: {kind: ErrorInvalid},
		408: {kind: ErrorBusy},
		409: {kind: ErrorBusy},
		410: {kind: ErrorNotFound},
		413: {kind: ErrorInvalid},
		422: {kind: ErrorInvalid},
		425: {kind: ErrorBusy},
		429: {kind: ErrorRateLimited},
		500: {kind: ErrorUnavailable, ambiguous: true},
		501: {kind: ErrorUnavailable, ambiguous: true},
		502: {kind: ErrorUnavailable, ambiguous: true},
		503: {kind: ErrorUnavailable, ambiguous: true},
		504: {kind: ErrorUnavailable, ambiguous: true},
		529: {kind: ErrorUnavailable, ambiguous: true},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			_, err := answering(t, status, `{"detail":"so it is"}`).Create(t.Context(), CreateRequest{})
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, test.kind, e.Kind)
			require.Equal(t, test.ambiguous, e.Ambiguous, "ambiguous")
			require.Equal(t, status, e.Status)
			require.EqualError(t, err, fmt.Sprintf("create session: HTTP %d: so it is", status))
			require.Error(t, e.Unwrap())
		})
	}
}

func TestAnErrorNamesWhatWasTried(t *testing.T) {
	p := answering(t, http.StatusServiceUnavailable, `{"detail":"away"}`)
	ctx := t.Context()
	for op, call := range map[string]func() error{
		"create session":    func() error { _, err := p.Create(ctx, CreateRequest{}); return err },
		"list sessions":     func() error { _, err := p.Sessions(ctx); return err },
		"send message":      func() error { return p.Send(ctx, sessionID, Message{Text: "go"}) },
		"look for message":  func() error { _, err := p.Find(ctx, sessionID, Message{Text: "go"}, ""); return err },
		"read messages":     func() error { _, err := p.Read(ctx, sessionID, ""); return err },
		"open event stream": func() error { return p.Watch(ctx, sessionID, func() {}) },
		"pause session":     func() error { return p.Pause(ctx, sessionID) },
		"resume session":    func() error { return p.Resume(ctx, sessionID) },
		"cancel session":    func() error { return p.Cancel(ctx, sessionID) },
		"delete session":    func() error { _, err := p.Delete(ctx, sessionID, DeleteRequest{}); return err },
	} {
		require.EqualError(t, call(), op+": HTTP 503: away")
	}
}

func TestRetryAfterIsHandedOn(t *testing.T) {
	for name, header := range map[string]string{
		"in seconds": "90",
		"as a date":  "Thu, 15 Jan 2026 09:31:30 GMT",
	} {
		t.Run(name, func(t *testing.T) {
			p := vendor(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", "Thu, 15 Jan 2026 09:30:00 GMT")
				w.Header().Set("Retry-After", header)
				w.WriteHeader(http.StatusTooManyRequests)
			})
			_, err := p.Read(t.Context(), sessionID, "")
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, ErrorRateLimited, e.Kind)
			require.GreaterOrEqual(t, e.RetryAfter, 89*time.Second) // of which some has passed
			require.LessOrEqual(t, e.RetryAfter, 90*time.Second*5/4, "and those who are held back come apart")
		})
	}
}

// overdue is a context whose deadline a test brings about.
type overdue struct {
	context.Context
	due chan struct{}
}

func (o overdue) Done() <-chan struct{} { return o.due }

func (o overdue) Err() error {
	select {
	case <-o.due:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestAMissingAnswerIsAmbiguousIfTheRequestHadLeft(t *testing.T) {
	send := func(ctx context.Context, p Provider) *Error {
		var e *Error
		require.ErrorAs(t, p.Send(ctx, sessionID, Message{Text: "go"}), &e)
		return e
	}
	t.Run("nobody listens", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		e := send(t.Context(), adapterOf(t, server.URL))
		require.Equal(t, ErrorUnavailable, e.Kind)
		require.False(t, e.Ambiguous)
		require.False(t, e.Pending)
		require.Zero(t, e.Status)
		require.Contains(t, e.Error(), "send message: POST /v1/sessions/"+sessionID+"/message: not sent")
	})
	t.Run("the connection is cut instead of an answer", func(t *testing.T) {
		e := send(t.Context(), vendor(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		require.Equal(t, ErrorUnavailable, e.Kind)
		require.True(t, e.Ambiguous)
		require.Zero(t, e.Status)
	})
	t.Run("the answer cannot be read", func(t *testing.T) {
		e := send(t.Context(), answering(t, http.StatusOK, `<html>`))
		require.Equal(t, ErrorUnavailable, e.Kind)
		require.True(t, e.Ambiguous)
		require.True(t, e.Pending)
		require.Equal(t, http.StatusOK, e.Status)
	})
	t.Run("the time is up while waiting for the answer", func(t *testing.T) {
		ctx := overdue{Context: t.Context(), due: make(chan struct{})}
		e := send(ctx, vendor(t, func(_ http.ResponseWriter, r *http.Request) {
			close(ctx.due)
			hang(r)
		}))
		require.Equal(t, ErrorUnavailable, e.Kind)
		require.True(t, e.Ambiguous)
		require.ErrorIs(t, e, context.DeadlineExceeded)
	})
}

func TestARequestThatCannotBeBuiltIsInvalid(t *testing.T) {
	p := vendor(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	_, err := p.Delete(t.Context(), "", DeleteRequest{})
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, ErrorInvalid, e.Kind)
	require.False(t, e.Ambiguous)
}

func TestACancelledCallIsNoErrorOfTheVendor(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := vendor(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		hang(r)
	})
	err := p.Send(ctx, sessionID, Message{Text: "go"})
	require.ErrorIs(t, err, context.Canceled)
	var e *Error
	require.NotErrorAs(t, err, &e)
}

func TestIsKindLooksThroughWrapping(t *testing.T) {
	err := fmt.Errorf("while tidying: %w", &Error{Kind: ErrorBusy, Op: "delete session", Message: "later"})
	require.True(t, IsKind(err, ErrorBusy))
	require.False(t, IsKind(err, ErrorInvalid))
	require.False(t, IsKind(ErrUnsupported, ErrorBusy))
	require.False(t, IsKind(nil, ErrorBusy))
	require.EqualError(t, err, "while tidying: delete session: later")
}
