package agen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewAcceptsTheBaseURLInEveryUsualForm(t *testing.T) {
	paths := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.Path + " " + r.Header.Get("x-api-key") + " " + r.UserAgent()
		_, _ = io.WriteString(w, `{"items":[],"next_cursor":null}`)
	}))
	t.Cleanup(server.Close)
	for suffix, want := range map[string]string{
		"":              "/api/v1/sessions",
		"/":             "/api/v1/sessions",
		"/api/v1":       "/api/v1/sessions",
		"/api/v1/":      "/api/v1/sessions",
		"/proxy/api/v1": "/proxy/api/v1/sessions",
		"/api":          "/api/api/v1/sessions",
	} {
		client, err := New(Config{BaseURL: server.URL + suffix, HTTPClient: server.Client(), UserAgent: "mine/2"})
		require.NoError(t, err)
		_, err = client.ListSessions(t.Context(), ListOptions{})
		require.NoError(t, err)
		require.Equal(t, want+"  mine/2", <-paths) // no key, no header
	}

	_, err := New(Config{})
	require.NoError(t, err)
	_, err = New(Config{BaseURL: "api.agenhq.com"})
	require.EqualError(t, err, "agen: base URL: use an absolute http:// or https:// URL")
}

func TestTheKeyIsNeverPrinted(t *testing.T) {
	cfg := Config{BaseURL: "https://api.example.com", APIKey: testKey}
	client, err := New(cfg)
	require.NoError(t, err)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X"} {
		for _, value := range []any{
			cfg, &cfg, []Config{cfg}, struct{ C Config }{cfg},
			client, *client, struct{ c *Client }{client}, struct{ c Client }{*client},
		} {
			got := fmt.Sprintf(format, value)
			require.NotContains(t, got, testKey)
			require.NotContains(t, got, fmt.Sprintf("%x", testKey))
			require.NotContains(t, got, fmt.Sprintf("%X", testKey))
		}
	}
	require.Equal(t, `agen.Config{BaseURL: "https://api.example.com", APIKey: [redacted], UserAgent: ""}`, fmt.Sprint(cfg))
	require.Contains(t, Config{}.String(), "APIKey: none")

	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("made", "config", cfg, "client", client)
	encoded, err := json.Marshal(cfg)
	require.NoError(t, err)
	require.NotContains(t, out.String()+string(encoded), testKey)
}
