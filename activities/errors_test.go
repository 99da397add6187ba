package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/provider"
)

func TestAnErrorOfAVendorBecomesATemporalError(t *testing.T) {
	for name, test := range map[string]struct {
		err       error
		errType   string
		retryable bool
		after     time.Duration // next retry delay
		message   string
	}{
		"the key is refused": {
			err:     &provider.Error{Kind: provider.ErrorUnauthorized, Op: "create session", Status: 401, Message: "bad key"},
			errType: ErrTypeUnauthorized,
			message: `connection "shop": the vendor refused the key (create session: HTTP 401: bad key): check api_key and its rights`,
		},
		"the request is invalid": {
			err:     &provider.Error{Kind: provider.ErrorInvalid, Op: "create session", Status: 422, Message: "agent_name: unknown"},
			errType: ErrTypeInvalidRequest,
			message: `connection "shop": create session: HTTP 422: agent_name: unknown`,
		},
		"the session is gone": {
			err:     &provider.Error{Kind: provider.ErrorNotFound, Op: "read messages", Status: 404, Message: "Session not found"},
			errType: ErrTypeSessionGone,
			message: `connection "shop": read messages: HTTP 404: Session not found: the session expired or was deleted by someone else`,
		},
		"the session is busy": {
			err:     &provider.Error{Kind: provider.ErrorBusy, Op: "send message", Status: 409, Message: "a task is running"},
			errType: ErrTypeBusy, retryable: true,
			message: `connection "shop": send message: HTTP 409: a task is running`,
		},
		"the session is busy for a while": {
			err:     &provider.Error{Kind: provider.ErrorBusy, Op: "send message", Status: 409, Message: "later", RetryAfter: 7 * time.Second},
			errType: ErrTypeBusy, retryable: true, after: 7 * time.Second,
			message: `connection "shop": send message: HTTP 409: later`,
		},
		"the vendor limits the rate": {
			err:     &provider.Error{Kind: provider.ErrorRateLimited, Op: "list sessions", Status: 429, Message: "slow down", RetryAfter: 90 * time.Second},
			errType: ErrTypeRateLimited, retryable: true, after: 90 * time.Second,
			message: `connection "shop": list sessions: HTTP 429: slow down`,
		},
		"the vendor is away": {
			err:     &provider.Error{Kind: provider.ErrorUnavailable, Op: "read messages", Status: 503, Message: "maintenance", RetryAfter: time.Minute},
			errType: ErrTypeUnavailable, retryable: true, after: time.Minute,
			message: `connection "shop": read messages: HTTP 503: maintenance`,
		},
		"the network is away": {
			err:     &provider.Error{Kind: provider.ErrorUnavailable, Op: "read messages", Message: "connection refused"},
			errType: ErrTypeUnavailable, retryable: true,
			message: `connection "shop": the vendor cannot be reached: read messages: connection refused`,
		},
		"a kind that is not known yet": {
			err:     &provider.Error{Kind: "haunted", Op: "read messages", Message: "boo"},
			errType: ErrTypeUnavailable, retryable: true,
			message: `connection "shop": read messages: boo`,
		},
		"the vendor has no such call": {
			err:     fmt.Errorf("pause session: %w", provider.ErrUnsupported),
			errType: ErrTypeUnsupported,
			message: `connection "shop": pause session: the vendor has no such call`,
		},
		"the worker has no such connection": {
			err:     &provider.UnknownConnectionError{Name: "shop", Known: []string{"lab"}},
			errType: ErrTypeUnknownConnection,
			message: `there is no connection "shop" here (there is lab): add [connections.shop] to errand.toml`,
		},
		"an error of another kind": {
			err:     errors.New("disk full"),
			errType: ErrTypeUnavailable, retryable: true,
			message: `connection "shop": disk full`,
		},
		"a final error that something wrapped": {
			err:     fmt.Errorf("awaiting: %w", finalError(ErrTypeStalled, "nothing was said")),
			errType: ErrTypeStalled,
			message: "nothing was said",
		},
		"an error of a vendor that something wrapped": {
			err:     fmt.Errorf("reading: %w", &provider.Error{Kind: provider.ErrorUnauthorized, Op: "read messages", Status: 403, Message: "no"}),
			errType: ErrTypeUnauthorized,
			message: `connection "shop": the vendor refused the key (read messages: HTTP 403: no): check api_key and its rights`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := convertError(connection, test.err)
			app := requireType(t, err, test.errType, test.retryable)
			require.Same(t, app, err, "nothing may wrap it")
			require.Equal(t, test.message, app.Message())
			require.Equal(t, test.after, app.NextRetryDelay())
			require.True(t, IsType(err, test.errType))
			require.False(t, IsType(err, "another type"))

			require.Same(t, err, convertError(connection, err), "a second conversion changes nothing")
		})
	}
}

func TestNoErrorAndACancellationStayWhatTheyAre(t *testing.T) {
	require.NoError(t, convertError(connection, nil))
	cancelled := fmt.Errorf("send message: %w", context.Canceled)
	require.Equal(t, cancelled, convertError(connection, cancelled))
	require.False(t, IsType(cancelled, ErrTypeUnavailable))
	require.False(t, IsType(nil, ErrTypeUnavailable))
}

func TestTheWordsOfAVendorAreBounded(t *testing.T) {
	for name, err := range map[string]error{
		"of a final error":     &provider.Error{Kind: provider.ErrorInvalid, Op: "create session", Message: strings.Repeat("ä", 10_000)},
		"of a retryable error": &provider.Error{Kind: provider.ErrorUnavailable, Op: "create session", Message: strings.Repeat("日", 10_000)},
	} {
		t.Run(name, func(t *testing.T) {
			var app *temporal.ApplicationError
			require.ErrorAs(t, convertError(connection, err), &app)
			require.LessOrEqual(t, len(app.Message()), maxMessage+len("…"))
			require.Greater(t, len(app.Message()), maxMessage-utf8.UTFMax)
			require.True(t, utf8.ValidString(app.Message()))
			require.True(t, strings.HasSuffix(app.Message(), "…"))
		})
	}
	require.Equal(t, "short", bound("short"))
}
