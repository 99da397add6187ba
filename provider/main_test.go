package provider

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/sessionserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey   = "agi-key-0123456789"
	sessionID = "0c7f6a52-2d0e-4d5e-9c35-8d0c6f4b7e11"
	patience  = 20 * time.Second
	pollEvery = 5 * time.Millisecond
)

// vendor starts a vendor with that behaviour and returns its adapter.
func vendor(t *testing.T, behaviour http.HandlerFunc) Provider {
	t.Helper()
	server := httptest.NewServer(behaviour)
	t.Cleanup(server.Close)
	return adapterOf(t, server.URL)
}

// hang holds a request until its caller hangs up, which a server only notices
// once it has read the body.
func hang(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// answering is a vendor that gives the same answer to everything.
func answering(t *testing.T, status int, body string) Provider {
	t.Helper()
	return vendor(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

// localVendor starts the session server, whose agent "script" does what its
// message says.
func localVendor(t *testing.T) Provider {
	t.Helper()
	s, err := sessionserver.New(sessionserver.Config{
		Dir:    t.TempDir(),
		Keys:   []sessionserver.Key{{Value: testKey}},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, s.Close(ctx))
		server.Close()
	})
	return adapterOf(t, server.URL)
}

func adapterOf(t *testing.T, baseURL string) Provider {
	t.Helper()
	p, err := New(Connection{Name: "shop", Provider: "agi", BaseURL: baseURL, APIKey: testKey, Agent: "script"})
	require.NoError(t, err)
	return p
}
