package everruns

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
		paths <- r.URL.Path + " " + r.Header.Get("Authorization") + " " + r.UserAgent()
		_, _ = io.WriteString(w, `{"data":[],"total":0,"offset":0,"limit":20}`)
	}))
	t.Cleanup(server.Close)
	for suffix, want := range map[string]string{
		"":          "/v1/sessions",
		"/":         "/v1/sessions",
		"/v1":       "/v1/sessions",
		"/v1/":      "/v1/sessions",
		"/proxy/v1": "/proxy/v1/sessions",
		"/notv1":    "/notv1/v1/sessions",
	} {
		client, err := New(Config{BaseURL: server.URL + suffix, HTTPClient: server.Client(), UserAgent: "mine/2"})
		require.NoError(t, err)
		_, err = client.ListSessions(t.Context(), ListSessionsOptions{})
		require.NoError(t, err)
		require.Equal(t, want+"  mine/2", <-paths) // no key, no header
	}

	_, err := New(Config{})
	require.NoError(t, err)
	_, err = New(Config{BaseURL: "app.everruns.com"})
	require.EqualError(t, err, "everruns: base URL: use an absolute http:// or https:// URL")
}

func TestTheKeyIsNeverPrinted(t *testing.T) {
	cfg := Config{BaseURL: "https://api.example.com", APIKey: testKey, Organization: "org_1"}
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
	require.Equal(t, `everruns.Config{BaseURL: "https://api.example.com", APIKey: [redacted], Organization: "org_1", UserAgent: ""}`, fmt.Sprint(cfg))
	require.Contains(t, Config{}.String(), "APIKey: none")

	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("made", "config", cfg, "client", client)
	encoded, err := json.Marshal(cfg)
	require.NoError(t, err)
	require.NotContains(t, out.String()+string(encoded), testKey)
}

func TestTheKeyGoesRawAndTheOrganizationBesideIt(t *testing.T) {
	sent := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent <- r.Header
		_, _ = io.WriteString(w, `{"data":[]}`)
	}))
	t.Cleanup(server.Close)
	client, err := New(Config{BaseURL: server.URL, HTTPClient: server.Client(), APIKey: testKey, Organization: "org_1"})
	require.NoError(t, err)
	_, err = client.ListAgents(t.Context())
	require.NoError(t, err)
	header := <-sent
	require.Equal(t, []string{testKey}, header["Authorization"])
	require.Equal(t, []string{"org_1"}, header["X-Org-Id"])

	_, err = New(Config{Organization: "org_1\nX-Evil: 1"})
	require.ErrorContains(t, err, "everruns: organization holds a line break")
}
