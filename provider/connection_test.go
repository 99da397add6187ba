package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestASecretIsNeverPrinted(t *testing.T) {
	c := Connection{Name: "shop", Provider: "agi", APIKey: testKey}
	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T %[1]v", "%6.2f"} {
		fmt.Fprintf(&printed, verb+"\n", c.APIKey)
		fmt.Fprintf(&printed, verb+"\n", c)
		fmt.Fprintf(&printed, verb+"\n", &c)
		fmt.Fprintf(&printed, verb+"\n", []any{c, map[Secret]Secret{c.APIKey: c.APIKey}})
	}
	fmt.Fprintln(&printed, c.APIKey, c.APIKey.String(), errors.New("key "+c.APIKey.String()))
	for _, handler := range []slog.Handler{slog.NewTextHandler(&printed, nil), slog.NewJSONHandler(&printed, nil)} {
		slog.New(handler).Info("opened", "connection", c, "pointer", &c, "key", c.APIKey)
	}
	asJSON, err := json.Marshal([]any{c, &c, c.APIKey, map[string]Secret{"key": c.APIKey}})
	require.NoError(t, err)
	printed.Write(asJSON)

	require.NotContains(t, printed.String(), testKey)
	require.NotContains(t, printed.String(), fmt.Sprintf("%x", testKey))
	require.NotContains(t, printed.String(), fmt.Sprintf("%X", testKey))
	require.Contains(t, printed.String(), "[redacted]")
	require.Contains(t, string(asJSON), `"APIKey":"[redacted]"`)
}

func TestAProviderPrintsNoKey(t *testing.T) {
	p := adapterOf(t, "http://vendor.invalid")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", p, p, p), testKey)
}

func TestAConnectionThatCannotWorkIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		c    Connection
		want string
	}{
		"an unknown provider": {
			Connection{Name: "shop", Provider: "acme"}, `connection "shop": unknown provider "acme": choose ` + strings.Join(Names(), " or "),
		},
		"a base URL that is none": {
			Connection{Name: "shop", Provider: "agi", BaseURL: "shop.example"}, `connection "shop": agi: base URL: use an absolute http:// or https:// URL`,
		},
		"a key with a line break": {
			Connection{Name: "shop", Provider: "agi", APIKey: testKey + "\n"}, `connection "shop": agi: API key holds a line break or control character: remove it`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.c)
			require.EqualError(t, err, test.want)
			_, err = NewSet(test.c)
			require.EqualError(t, err, test.want)
		})
	}
}

func TestEveryNamedProviderCanBeOpened(t *testing.T) {
	for _, name := range Names() {
		p, err := New(Connection{Name: "c", Provider: name})
		require.NoError(t, err)
		require.Positive(t, p.Capabilities().PollInterval)
	}
}

func TestASetFindsConnectionsByName(t *testing.T) {
	s, err := NewSet(Connection{Name: "shop", Provider: "agi"}, Connection{Name: "lab", Provider: "agi"})
	require.NoError(t, err)
	shop, err := s.Provider("shop")
	require.NoError(t, err)
	lab, err := s.Provider("lab")
	require.NoError(t, err)
	require.NotSame(t, shop, lab)

	_, err = s.Provider("home")
	var unknown *UnknownConnectionError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, &UnknownConnectionError{Name: "home", Known: []string{"lab", "shop"}}, unknown)
	require.EqualError(t, err, `there is no connection "home" here (there is lab, shop): add [connections.home] to errand.toml`)
}

func TestAnEmptySetSaysThatItIsEmpty(t *testing.T) {
	_, err := new(Set).Provider("home")
	require.EqualError(t, err, `there is no connection "home" here (there is none): add [connections.home] to errand.toml`)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAConnectionKeepsItsRequestRate(t *testing.T) {
	for name, test := range map[string]struct {
		perSecond float64
		want      []time.Duration // when each request leaves
	}{
		"two a second":                 {2, []time.Duration{0, 0, 500 * time.Millisecond, time.Second, 1500 * time.Millisecond}},
		"one in ten seconds":           {0.1, []time.Duration{0, 10 * time.Second, 20 * time.Second}},
		"a bit more than one a second": {1.25, []time.Duration{0, 800 * time.Millisecond, 1600 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := Connection{RequestsPerSecond: test.perSecond}.httpClient().Transport.(*limitedTransport)
				began := time.Now()
				var left []time.Duration
				transport.next = roundTripper(func(*http.Request) (*http.Response, error) {
					left = append(left, time.Since(began).Round(time.Millisecond))
					return &http.Response{Body: http.NoBody}, nil
				})
				request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://vendor.invalid/", nil)
				for range test.want {
					answer, err := transport.RoundTrip(request)
					require.NoError(t, err)
					require.NoError(t, answer.Body.Close())
				}
				require.Equal(t, test.want, left)
			})
		})
	}
}

func TestALimitedConnectionHoldsRequestsBack(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		fmt.Fprint(w, listOf("running"))
	}))
	t.Cleanup(server.Close)
	p, err := New(Connection{Name: "shop", Provider: "agi", BaseURL: server.URL, RequestsPerSecond: 1.0 / 3600})
	require.NoError(t, err)

	_, err = p.Read(t.Context(), sessionID, "")
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = p.Read(ctx, sessionID, "")
	require.True(t, IsKind(err, ErrorUnavailable), "%v", err)

	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	_, err = p.Read(ctx, sessionID, "")
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, 1, requests.Load())
}
