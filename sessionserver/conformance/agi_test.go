package conformance

import (
	"flag"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver"
)

var agiServer = place{
	url: flag.String("base-url", "", "`URL` of the AGI server to test, without /v1; empty: the local one"),
	key: flag.String("api-key", "", "`env:NAME` or file:PATH of its key"),
}

// agi is a row about the AGI API being tried.
type agi struct{ *trial }

func TestTheServerKeepsToTheAGIAPI(t *testing.T) {
	s := agiServer.open(t, "", sessionserver.Config{AGI: sessionserver.AGIOptions{Heartbeat: 50 * time.Millisecond}})
	s.scheme = "Bearer "
	rows := slices.Concat(accessRows, sessionRows, messageRows, taskRows, streamRows, snapshotRows, webhookRows, pageRows)
	run(t, s, rows, func(t *trial) *agi { return &agi{t} })
}

// create makes a session and deletes it when the row is done.
func (t *agi) create(body object) object {
	t.Helper()
	s := t.ok("POST", "/v1/sessions", body)
	id, ok := s["session_id"].(string)
	require.True(t, ok, s)
	t.undo("/v1/sessions/" + id)
	return s
}

// path gives the path of a new session, below which its calls are; at makes it
// with the script agent and gives it a message.
func (t *agi) path() string {
	t.Helper()
	return "/v1/sessions/" + t.create(object{})["session_id"].(string)
}

func (t *agi) at(message string) string {
	t.Helper()
	at := "/v1/sessions/" + t.create(object{"agent_name": "script"})["session_id"].(string)
	if message != "" {
		t.send(at, message)
	}
	return at
}

func (t *agi) send(at, message string) {
	t.Helper()
	require.Equal(t, true, t.ok("POST", at+"/message", object{"message": message})["success"])
}

// until waits for an execution status and gives the messages.
func (t *agi) until(at, status string) []object {
	t.Helper()
	var list object
	require.Eventually(t, func() bool {
		list = t.ok("GET", at+"/messages", nil)
		return list["status"] == status
	}, patience, t.poll(), "status %s", status)
	return objects(list["messages"])
}

// types gives the types of messages, in order.
func types(messages []object) []any {
	all := make([]any, len(messages))
	for i, m := range messages {
		all[i] = m["type"]
	}
	return all
}

// isSession expects a whole session object.
func (t *agi) isSession(s object) {
	t.Helper()
	id, _ := s["session_id"].(string)
	require.NoError(t, uuid.Validate(id), s)
	require.IsType(t, "", s["agent_name"])
	require.NotEmpty(t, s["agent_name"])
	require.Contains(t, []any{"initializing", "ready", "running", "paused", "completed", "error", "terminated", "waiting_for_input", "finished"}, s["status"])
	t.isTime(s["created_at"])
	if url, there := s["vnc_url"]; there && url != nil {
		require.Regexp(t, `^https?://`, url)
	}
}

// isFieldError expects a 422 that names the field.
func (t *agi) isFieldError(a answer, field string) {
	t.Helper()
	require.Equal(t, http.StatusUnprocessableEntity, a.code, a.body)
	require.Contains(t, a.body, field)
	if !t.local {
		return
	}
	for _, problem := range objects(a.object()["detail"]) {
		require.Contains(t, problem["loc"], field)
		require.NotEmpty(t, problem["msg"])
		require.NotEmpty(t, problem["type"])
	}
}

// told gives the names of events, without heartbeats.
func told(frames []frame) []string {
	var names []string
	for _, f := range frames {
		if f.event != "heartbeat" {
			names = append(names, f.event)
		}
	}
	return names
}
