package activities

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/sessionserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	connection = "shop"
	patient    = 20 * time.Second
	pollEvery  = 5 * time.Millisecond
	settleTime = 100 * time.Millisecond
)

// only is the one connection that there is.
type only struct{ p provider.Provider }

func (o only) Provider(name string) (provider.Provider, error) {
	if name != connection {
		return nil, &provider.UnknownConnectionError{Name: name, Known: []string{connection}}
	}
	return o.p, nil
}

func activitiesOn(p provider.Provider) *Activities { return &Activities{Connections: only{p}} }

// environment runs activities as a worker would.
func environment(a *Activities) *testsuite.TestActivityEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(a)
	return env
}

// perform runs one activity to its end; O is its output type.
func perform[O any](t *testing.T, env *testsuite.TestActivityEnvironment, activity, in any) (O, error) {
	t.Helper()
	var out O
	value, err := env.ExecuteActivity(activity, in)
	if err == nil && value.HasValue() {
		require.NoError(t, value.Get(&out))
	}
	return out, err
}

// requireType checks how an activity failed.
func requireType(t *testing.T, err error, errType string, retryable bool) *temporal.ApplicationError {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, errType, app.Type(), "%v", err)
	require.Equal(t, retryable, !app.NonRetryable(), "retryable: %v", err)
	return app
}

// vendorAt is the vendor at that address.
func vendorAt(t *testing.T, baseURL string) provider.Provider {
	t.Helper()
	p, err := provider.New(provider.Connection{Name: connection, Provider: "agi", BaseURL: baseURL, Agent: "script", SettleTime: settleTime})
	require.NoError(t, err)
	return p
}

// localVendor starts the session server, whose agent does what its message
// says, behind a front that may answer in its place; nil: no front.
func localVendor(t *testing.T, front func(http.ResponseWriter, *http.Request, http.Handler)) provider.Provider {
	t.Helper()
	s, err := sessionserver.New(sessionserver.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	if front == nil {
		front = func(w http.ResponseWriter, r *http.Request, s http.Handler) { s.ServeHTTP(w, r) }
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { front(w, r, s.Handler()) }))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		require.NoError(t, s.Close(ctx))
		server.Close()
	})
	return vendorAt(t, server.URL)
}

// newSession makes a session and gives it a message.
func newSession(t *testing.T, p provider.Provider, message string) string {
	t.Helper()
	s, err := p.Create(t.Context(), provider.CreateRequest{})
	require.NoError(t, err)
	if message != "" {
		require.NoError(t, p.Send(t.Context(), s.ID, provider.Message{Text: message}))
	}
	return s.ID
}
