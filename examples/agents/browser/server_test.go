//go:build examples

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver"
	"github.com/errand-dev/errand/sessionserver/agent/exec"
)

// server is a session server with the browser as its agent.
type server struct {
	t *testing.T
	*httptest.Server
}

func openServer(t *testing.T) server {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(asAgent, "1")
	s, err := sessionserver.New(sessionserver.Config{
		Dir:      t.TempDir(),
		Programs: map[string]exec.Config{"browser": {Command: []string{self}, Env: []string{asAgent, "CHROMIUM_PATH"}}},
		Logger:   slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	serving := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, s.Close(ctx))
		serving.Close()
	})
	return server{t, serving}
}

// call makes a call of the vendor's API and expects it to succeed.
func (s server) call(method, path string, body line) line {
	s.t.Helper()
	data, err := json.Marshal(body)
	require.NoError(s.t, err)
	req, err := http.NewRequest(method, s.URL+"/v1/sessions"+path, bytes.NewReader(data))
	require.NoError(s.t, err)
	res, err := s.Client().Do(req)
	require.NoError(s.t, err)
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, res.StatusCode, "%s", said)
	var answer line
	require.NoError(s.t, json.Unmarshal(said, &answer))
	return answer
}

func (s server) screenshot(at string) line {
	s.t.Helper()
	shot := s.call("GET", at+"/screenshot", nil)
	jpeg, ok := strings.CutPrefix(shot.Text("screenshot"), "data:image/jpeg;base64,")
	require.True(s.t, ok)
	shot["jpeg"] = jpeg
	return shot
}

func TestABrowserIsOpenFromTheStartOfItsSession(t *testing.T) {
	shop, s := openShop(t), openServer(t)
	at := "/" + s.call("POST", "", line{"agent_name": "browser"}).Text("session_id")
	require.Equal(t, "about:blank", s.screenshot(at).Text("url"))
	require.Equal(t, shop.URL+"/teapot", s.call("POST", at+"/navigate", line{"url": shop.URL + "/teapot"}).Text("current_url"))
	shot := s.screenshot(at)
	require.Equal(t, []string{shop.URL + "/teapot", "Shop"}, []string{shot.Text("url"), shot.Text("title")})
	requirePicture(t, shot)
	s.call("POST", at+"/message", line{"message": "Report the price"}) // of the page that is open
	var list line
	require.Eventually(t, func() bool {
		list = s.call("GET", at+"/messages", nil)
		return list.Text("status") == "finished"
	}, time.Minute, 20*time.Millisecond)
	all := list["messages"].([]any)
	result := all[len(all)-1].(map[string]any)["content"]
	require.Equal(t, map[string]any{"name": "Blue Teapot", "price": "24,50", "currency": "€", "url": shop.URL + "/teapot"}, result)

	data := requirePicture(t, s.screenshot(at)) // its script has drawn it by now
	if file := os.Getenv("BROWSER_TEST_SERVED_SCREENSHOT"); file != "" {
		require.NoError(t, os.WriteFile(file, data, 0o600))
	}
	s.call("DELETE", at+"?save_snapshot_mode=memory", nil)
	next := "/" + s.call("POST", "", line{"agent_name": "browser", "restore_from_session_id": at[1:]}).Text("session_id")
	require.Equal(t, shop.URL+"/teapot", s.screenshot(next).Text("url"), "a restored session shows its page")
}
