package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testKey = "key-0123456789"

// serve starts a server and returns a client of it that sends testKey.
func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return clientOf(t, server.URL, nil)
}

func clientOf(t *testing.T, base string, hc *http.Client) *Client {
	t.Helper()
	client, err := New(Config{
		BaseURL:    base,
		Authorize:  func(h http.Header) { h.Set("X-Api-Key", testKey) },
		Secret:     testKey,
		HTTPClient: hc,
	})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

var getThing = Request{Method: http.MethodGet, Path: []string{"v1", "thing"}}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
