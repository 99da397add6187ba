package sessionserver

import (
	"bytes"
	"encoding/base64"
	"image/jpeg"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// screenshotJSON is a screenshot, with the picture that was in it.
type screenshotJSON struct {
	Screenshot    string `json:"screenshot"`
	URL           string `json:"url"`
	Title         string `json:"title"`
	Width, Height int
}

func (c *caller) screenshot(id string) screenshotJSON {
	c.t.Helper()
	var shot screenshotJSON
	c.ok("GET", "/v1/sessions/"+id+"/screenshot", nil, &shot)
	encoded, ok := strings.CutPrefix(shot.Screenshot, "data:image/jpeg;base64,")
	require.True(c.t, ok, "%.40s", shot.Screenshot)
	data, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(c.t, err)
	size, err := jpeg.DecodeConfig(bytes.NewReader(data))
	require.NoError(c.t, err)
	require.Equal(c.t, []int{shot.Width, shot.Height}, []int{size.Width, size.Height})
	return shot
}

func (c *caller) navigate(id, url string) string {
	c.t.Helper()
	var went struct {
		CurrentURL string `json:"current_url"`
	}
	c.ok("POST", "/v1/sessions/"+id+"/navigate", map[string]any{"url": url}, &went)
	return went.CurrentURL
}

const teapotURL = "http://shop.localhost/teapot"

// The calls of the browser example of the vendor's Node SDK, with the bodies
// that the SDK sends.
func TestTheVendorsBrowserExample(t *testing.T) {
	_, c := serve(t, Config{Keys: []Key{{Value: "k"}}})
	c.key = "k"
	id := c.createWith(map[string]any{"agent_name": "agi-0", "max_steps": 100}).SessionID
	require.Equal(t, teapotURL, c.navigate(id, teapotURL))
	shot := c.screenshot(id)
	require.Equal(t, []any{teapotURL, 1280, 800}, []any{shot.URL, shot.Width, shot.Height})
	require.Contains(t, shot.Title, "Blue Teapot")
	c.send(id, "Report the product's name and price")
	require.Equal(t, map[string]any{"name": "Blue Teapot", "price": 24.5, "currency": "EUR"}, c.until(id, "finished").last().Content)
	c.ok("DELETE", "/v1/sessions/"+id, nil, nil)
}

func TestTheReaderShowsAPageOrSaysWhyNot(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("reader")
	blank := c.screenshot(id)
	require.Equal(t, []string{"", ""}, []string{blank.URL, blank.Title})
	code, body := c.call("POST", "/v1/sessions/"+id+"/navigate", `{"url":"http://shop.localhost/down"}`)
	require.Equal(t, http.StatusBadRequest, code)
	require.JSONEq(t, `{"detail":"the page http://shop.localhost/down is not available, its site has a problem (503 Service Unavailable)"}`, body)
	require.Equal(t, blank, c.screenshot(id))
	c.navigate(id, teapotURL)
	require.NotEqual(t, blank.Screenshot, c.screenshot(id).Screenshot)
	code, _ = c.call("GET", "/session/"+id+"/screen", "")
	require.Equal(t, http.StatusOK, code, "the live page shows it, too")
}

func TestAPageThatWasOpenedOutlivesTheServerAndTheSession(t *testing.T) {
	dir := t.TempDir()
	cmd, dying := child(t, dir)
	id := dying.create("reader")
	dying.navigate(id, teapotURL)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())

	_, c := serve(t, Config{Dir: dir})
	require.Equal(t, teapotURL, c.screenshot(id).URL)
	c.ok("DELETE", "/v1/sessions/"+id+"?save_snapshot_mode=memory", nil, nil)
	next := c.createWith(map[string]any{"agent_name": "reader", "restore_from_session_id": id}).SessionID
	require.Equal(t, teapotURL, c.screenshot(next).URL)
	c.send(next, "Report the name")
	require.Equal(t, map[string]any{"name": "Blue Teapot"}, c.until(next, "finished").last().Content)
	fresh := c.createWith(map[string]any{"agent_name": "reader", "restore_from_session_id": id, "enable_memory_snapshot": false}).SessionID
	require.Empty(t, c.screenshot(fresh).URL)
}
