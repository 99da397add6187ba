//go:build unix

package sessionserver

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent/exec"
)

// shell is an agent in a few lines of shell, which knows the page that was
// opened and its own process.
const shell = `
page=none
while read -r line; do
	case $line in
	*'"type":"start"'*) echo '{"type":"ready","can":["navigate","screenshot"]}' ;;
	*'"type":"navigate"'*)
		page=${line##*'"url":"'} page=${page%%'"'*}
		printf '{"type":"navigated","url":"%s"}\n' "$page" ;;
	*'"type":"screenshot"'*) printf '{"type":"screenshot","jpeg":"","url":"%s","title":"%s"}\n' "$page" $$ ;;
	*'"type":"message"'*) printf '{"type":"done","result":{"page":"%s","pid":"%s"}}\n' "$page" $$ ;;
	esac
done`

func TestAProgramIsThereForItsScreenBeforeTheFirstMessage(t *testing.T) {
	_, c := serve(t, Config{Programs: map[string]exec.Config{
		"shell":  {Command: []string{"sh", "-c", shell}},
		"broken": {Command: []string{"sh", "-c", "echo no luck >&2; exit 2"}},
		"blind":  {Command: []string{"sh", "-c", `echo '{"type":"ready"}'; cat >/dev/null`}},
		"none":   {Command: []string{filepath.Join(t.TempDir(), "none")}},
	}})
	id := c.create("shell")
	require.Equal(t, "http://a.example/x", c.navigate(id, "http://a.example/x"))
	var shot screenshotJSON
	c.ok("GET", "/v1/sessions/"+id+"/screenshot", nil, &shot)
	require.Equal(t, "http://a.example/x", shot.URL)
	c.send(id, "what do you see?")
	require.Equal(t, map[string]any{"page": "http://a.example/x", "pid": shot.Title}, c.until(id, "finished").last().Content)

	for name, want := range map[string]string{
		"broken": "The agent's process ended with exit status 2:\nno luck",
		"blind":  "The agent of this session has no browser; send a message with a start_url instead",
		"none":   "cannot be started",
	} {
		id := c.create(name)
		for _, call := range []string{"POST /v1/sessions/{id}/navigate", "GET /v1/sessions/{id}/screenshot"} {
			var refusal map[string]string
			code := c.json(method(call), path(call, id), `{"url":"http://a.example/"}`, &refusal)
			require.Equal(t, http.StatusBadRequest, code, name)
			require.Contains(t, refusal["detail"], want, name)
		}
	}
}
