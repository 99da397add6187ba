package sessionserver

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheAPIAsksForAKnownKey(t *testing.T) {
	_, c := serve(t, Config{Keys: []Key{{Value: "first-key"}, {Value: "second-key"}}})
	for name, header := range map[string]string{
		"no header":         "",
		"an unknown key":    "Bearer other-key",
		"an empty key":      "Bearer ",
		"another scheme":    "Basic first-key",
		"a key's beginning": "Bearer first",
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/v1/sessions", "/v1/models", "/v1/nothing"} {
				req, err := http.NewRequest("GET", c.base+path, nil)
				require.NoError(t, err)
				req.Header.Set("Authorization", header)
				res, err := c.http.Do(req)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, http.StatusUnauthorized, res.StatusCode)
				require.Equal(t, "Bearer", res.Header.Get("WWW-Authenticate"))
			}
		})
	}
	for _, key := range []string{"first-key", "second-key"} {
		c.key = key
		c.ok("GET", "/v1/sessions", nil, nil)
	}
	c.key = ""
	c.ok("GET", "/healthz", nil, nil)
	code, _ := c.call("GET", "/shop/", "")
	require.Equal(t, http.StatusOK, code)
}

func TestTheSessionPageNeedsItsTokenWhereKeysAreAskedFor(t *testing.T) {
	_, c := serve(t, Config{Keys: []Key{{Value: "k"}}})
	c.key = "k"
	s := c.createWith(map[string]any{"agent_name": "script"})
	c.send(s.SessionID, "think <script>alert(1)</script>\nfinish ok")
	c.until(s.SessionID, "finished")
	c.key = "" // a browser

	view, err := url.Parse(s.VNCURL)
	require.NoError(t, err)
	require.NotEmpty(t, view.Query().Get("token"))
	code, body := c.call("GET", view.RequestURI(), "")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "&lt;script&gt;alert(1)")
	require.NotContains(t, body, "<script>alert(1)")

	stream := c.events(view.Path + "/events?from=1&" + view.RawQuery)
	for _, want := range []frame{{event: "thought", id: "2"}, {event: "done", id: "3"}} { // the ids are positions
		got, ok := stream.next()
		require.True(t, ok)
		require.Equal(t, want, frame{event: got.event, id: got.id})
	}
	require.NoError(t, stream.body.Close())

	for _, path := range []string{view.Path, view.Path + "?token=x", view.Path + "/events", view.Path + "/events?token=x"} {
		code, body = c.call("GET", path, "")
		require.Equal(t, http.StatusNotFound, code, path)
		require.NotContains(t, body, "alert")
	}
}

func TestThePagePolicyAllowsItsOwnScript(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	res := c.request("GET", "/session/"+id, "")
	defer func() { _ = res.Body.Close() }()
	_, body := c.call("GET", "/session/"+id, "")
	_, script, found := strings.Cut(body, "<script>")
	require.True(t, found)
	script, _, _ = strings.Cut(script, "</script>")
	require.Equal(t, contentPolicy(script), res.Header.Get("Content-Security-Policy"))
}

func TestPagesOfOtherSitesCannotAct(t *testing.T) {
	_, c := serve(t, Config{})
	req, err := http.NewRequest("POST", c.base+"/v1/sessions", strings.NewReader("{}"))
	require.NoError(t, err)
	req.Header.Set("Origin", "https://other.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := c.http.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusForbidden, res.StatusCode)
}

func TestWithoutKeysOnlyLoopbackIsServed(t *testing.T) {
	s, err := New(Config{Dir: t.TempDir()})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	require.ErrorContains(t, s.Serve(l), "needs an API key")
}

func TestAnEmptyKeyIsRefused(t *testing.T) {
	_, err := New(Config{Dir: t.TempDir(), Keys: []Key{{Value: "k"}, {Value: ""}}})
	require.ErrorContains(t, err, "must not be empty")
}
