package conformance

import (
	"bytes"
	"encoding/base64"
	"image/jpeg"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
)

var pageRows = []row[*agi]{
	{"a page to open must be absolute, http or https, and short", given, nothing, func(t *agi) {
		at := t.path()
		for _, body := range []object{{}, {"url": "shop"}, {"url": "ftp://a.example"}, {"url": longURL(2001)}} {
			t.reads(t.call("POST", at+"/navigate", body).code, 400, 422)
		}
	}},
	{"a page can be opened right after the create, and tells where that led", inferred, nothing, func(t *agi) {
		at := t.path()
		require.Regexp(t, `^https?://`, t.ok("POST", at+"/navigate", object{"url": t.page()})["current_url"])
		require.Contains(t, []any{"ready", "running"}, t.ok("GET", at+"/status", nil)["status"])
	}},
	{"a screenshot can be taken right after the create", inferred, nothing, func(t *agi) {
		t.isScreenshot(t.ok("GET", t.path()+"/screenshot", nil))
	}},
	{"a screenshot is a JPEG as a data URL, with the page's address and title", given, nothing, func(t *agi) {
		at := t.path()
		current := t.ok("POST", at+"/navigate", object{"url": t.page()})["current_url"]
		shot := t.ok("GET", at+"/screenshot", nil)
		t.isScreenshot(shot)
		require.Equal(t, current, shot["url"])
		require.NotEmpty(t, shot["title"])
	}},
	{"a page that cannot be opened is a 400", inferred, reader, func(t *agi) {
		a := t.call("POST", t.path()+"/navigate", object{"url": "http://shop.localhost/down"})
		require.Equal(t, http.StatusBadRequest, a.code, a.body)
	}},
	{"a message works on the page that was opened", inferred, reader, func(t *agi) {
		at := t.path()
		t.ok("POST", at+"/navigate", object{"url": t.page()})
		t.send(at, "Report the name")
		all := t.until(at, "finished")
		require.Equal(t, object{"name": "Blue Teapot"}, all[len(all)-1]["content"])
	}},
	{"an agent without a browser has no screenshot", unknown, script, func(t *agi) {
		require.Equal(t, http.StatusBadRequest, t.call("GET", t.at("")+"/screenshot", nil).code)
	}},
}

// page is the address of a page that the server can open.
func (t *agi) page() string {
	if t.local {
		return "http://shop.localhost/teapot"
	}
	return "https://example.com/"
}

func (t *agi) isScreenshot(shot object) {
	t.Helper()
	require.IsType(t, "", shot["url"])
	require.IsType(t, "", shot["title"])
	text, _ := shot["screenshot"].(string)
	encoded, ok := strings.CutPrefix(text, "data:image/jpeg;base64,")
	require.True(t, ok, "%.40s", text)
	data, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	_, err = jpeg.Decode(bytes.NewReader(data))
	require.NoError(t, err)
}
