package conformance

import (
	"flag"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver"
)

var agenServer = place{
	url: flag.String("agen-url", "", "`URL` of the Agen server to test, without /api/v1; empty: the local one"),
	key: flag.String("agen-key", "", "`env:NAME` or file:PATH of its key"),
}

// agen is a row about the Agen API being tried. Its sessions cannot be deleted,
// so no row that runs elsewhere gives one any work.
type agen struct{ *trial }

func TestTheServerKeepsToTheAgenAPI(t *testing.T) {
	rows := slices.Concat(agenAccessRows, agenSessionRows, agenListRows, agenTimelineRows, agenTurnRows)
	run(t, agenServer.open(t, "/agen", sessionserver.Config{}), rows, func(t *trial) *agen { return &agen{t} })
}

// TestTheServerKeepsToItsOptionsForTheAgenAPI tries what other servers may do.
func TestTheServerKeepsToItsOptionsForTheAgenAPI(t *testing.T) {
	if *agenServer.url != "" {
		t.Skip("the options are those of the local server")
	}
	s := agenServer.open(t, "/agen", sessionserver.Config{Agen: sessionserver.AgenOptions{
		CreateStatus: 201, ErrorBody: "error", DedupeClientIDs: true, AllowClose: true, NoGet: true, PageSize: 2,
		CursorQuery: "after", Thoughts: "agent_message", Finish: "message", Order: "newest_first",
	}})
	run(t, s, agenOptionRows, func(t *trial) *agen { return &agen{t} })
}

func (t *agen) callAs(key, method, path string, body any) answer {
	t.Helper()
	header := http.Header{}
	if key != "" {
		header.Set("x-api-key", key)
	}
	res := t.request(method, "/api/v1"+path, body, "", header)
	defer res.Body.Close()
	return t.read(res)
}

func (t *agen) call(method, path string, body any) answer {
	t.Helper()
	return t.callAs(t.key, method, path, body)
}

// ok calls and expects a 2xx with a JSON object.
func (t *agen) ok(method, path string, body any) object {
	t.Helper()
	a := t.call(method, path, body)
	require.Equal(t, 2, a.code/100, a.body)
	require.NotNil(t, a.object(), a.body)
	return a.object()
}

func (t *agen) create(body object) object {
	t.Helper()
	if _, given := body["branch_name"]; !given {
		body["branch_name"] = nil
	}
	return t.ok("POST", "/sessions", body)
}

// path gives the path of a new session; at makes it with the script agent and
// gives it a message.
func (t *agen) path() string {
	t.Helper()
	return "/sessions/" + t.create(object{})["id"].(string)
}

func (t *agen) at(message string) string {
	t.Helper()
	at := "/sessions/" + t.create(object{"model": "script"})["id"].(string)
	if message != "" {
		t.send(at, message)
	}
	return at
}

func (t *agen) send(at, message string) object {
	t.Helper()
	e := t.ok("POST", at+"/messages", object{"message": message})
	t.isEvent(e)
	return e
}

func (t *agen) timeline(at string) []object {
	t.Helper()
	a := t.call("GET", at+"/events", nil)
	require.Equal(t, 2, a.code/100, a.body)
	require.IsType(t, []any{}, a.json, "a bare list")
	return objects(a.json)
}

// until waits until an event of this type and status is there, and gives all.
func (t *agen) until(at, kind, status string) []object {
	t.Helper()
	var all []object
	require.Eventually(t, func() bool {
		all = t.timeline(at)
		return slices.ContainsFunc(all, func(e object) bool { return e["type"] == kind && e["status"] == status })
	}, patience, t.poll(), "%s %s", kind, status)
	return all
}

// steps gives the types and statuses of events, in order.
func steps(events []object) []any {
	var all []any
	for _, e := range events {
		all = append(all, e["type"].(string)+" "+e["status"].(string))
	}
	return all
}

func (t *agen) isSession(s object) {
	t.Helper()
	for _, name := range []string{"id", "title", "workspace_id", "user_id", "status", "origin"} {
		require.IsType(t, "", s[name], name)
	}
	require.NotEmpty(t, s["id"])
	require.NotEmpty(t, s["status"])
	require.Contains(t, s, "branch_name")
	require.IsType(t, true, s["auto_commit"])
	t.isTime(s["created_at"])
	t.isTime(s["updated_at"])
}

func (t *agen) isEvent(e object) {
	t.Helper()
	for _, name := range []string{"id", "session_id", "type"} {
		require.IsType(t, "", e[name], name)
		require.NotEmpty(t, e[name], name)
	}
	require.IsType(t, object{}, e["payload"])
	require.Contains(t, []any{"completed", "queued", "processing", "canceled"}, e["status"])
	t.isTime(e["created_at"])
	t.isTime(e["updated_at"])
}

// refused expects an error in the form that is thought to be the vendor's.
func (t *agen) refused(a answer, code int) {
	t.Helper()
	require.Equal(t, code, a.code, a.body)
	if !t.local {
		return
	}
	require.EqualValues(t, code, a.object()["statusCode"], a.body)
	require.Equal(t, http.StatusText(code), a.object()["error"])
	require.NotEmpty(t, a.object()["message"])
}
