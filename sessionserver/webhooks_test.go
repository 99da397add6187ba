package sessionserver

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/faults"
)

// hooks receives webhooks and gives each as "EVENT SESSION_STATUS".
func hooks(t *testing.T) (url string, next func() map[string]any) {
	t.Helper()
	got := make(chan map[string]any, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Header.Get("X-Event-Type") != body["event"] {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		got <- body
	}))
	t.Cleanup(server.Close)
	return server.URL, func() map[string]any {
		t.Helper()
		select {
		case body := <-got:
			return body
		case <-time.After(patience):
			require.Fail(t, "no webhook came")
			return nil
		}
	}
}

func TestWebhooksTellTheLifeOfASession(t *testing.T) {
	url, next := hooks(t)
	_, c := serve(t, Config{})
	s := c.createWith(map[string]any{"agent_name": "script", "webhook_url": url})
	told := func(event, status string) map[string]any {
		t.Helper()
		body := next()
		require.Equal(t, event, body["event"])
		session := body["session"].(map[string]any)
		require.Equal(t, s.SessionID, session["id"])
		require.Equal(t, status, session["status"])
		require.Equal(t, "script", session["agent_name"])
		require.Equal(t, s.VNCURL, session["vnc_url"])
		require.Equal(t, s.CreatedAt, session["created_at"])
		require.NotEmpty(t, body["timestamp"])
		return body
	}
	told("session.created", "ready")

	c.send(s.SessionID, "ask Which?; finish {\"size\":\"{{answer}}\"}")
	changed := told("session.status_changed", "running")
	require.Equal(t, []any{"ready", "running"}, []any{changed["old_status"], changed["new_status"]})
	require.Equal(t, "ask Which?; finish {\"size\":\"{{answer}}\"}", told("task.started", "running")["message"])
	question := told("task.question", "running")
	require.Equal(t, []any{"Which?", map[string]any{}}, []any{question["question"], question["context"]})
	c.send(s.SessionID, "M") // no task.started: the task goes on
	told("session.status_changed", "ready")
	require.Equal(t, map[string]any{"status": "success", "message": map[string]any{"size": "M"}}, told("task.completed", "ready")["result"])

	c.send(s.SessionID, "fail no luck")
	told("session.status_changed", "running")
	told("task.started", "running")
	told("session.status_changed", "error")
	failure := told("task.error", "error")
	require.Equal(t, []any{"no luck", map[string]any{}}, []any{failure["error"], failure["details"]})

	c.ok("DELETE", "/v1/sessions/"+s.SessionID, nil, nil)
	told("session.deleted", "terminated")
}

func TestFaultsAreRehearsedCountedAndReported(t *testing.T) {
	url, next := hooks(t)
	plan, err := faults.New(faults.Config{Rules: []faults.Rule{
		{On: []string{"status"}, Fault: faults.InternalError, Times: 1},
		{On: []string{"webhook"}, Fault: faults.DropWebhook, Times: 1},
		{On: []string{"turn"}, Fault: faults.Stuck, Times: 1},
		{On: []string{"get"}, Fault: faults.Vanish, Skip: 1, Times: 1},
		{On: []string{"models"}, Fault: faults.TooMany},
	}})
	require.NoError(t, err)
	_, c := serve(t, Config{Faults: plan, Keys: []Key{{Value: "k"}}})
	c.key = "k"
	s := c.createWith(map[string]any{"agent_name": "script", "webhook_url": url})
	at := "/v1/sessions/" + s.SessionID
	code, _ := c.call("GET", at+"/status", "")
	require.Equal(t, http.StatusInternalServerError, code)
	c.ok("GET", at+"/status", nil, nil)

	c.send(s.SessionID, "finish never")
	require.Equal(t, "session.status_changed", next()["event"]) // session.created was dropped
	require.Equal(t, "running", c.messages(s.SessionID).Status)
	c.ok("POST", at+"/cancel", nil, nil)
	c.send(s.SessionID, "finish ok")
	c.until(s.SessionID, "finished")

	c.ok("GET", at, nil, nil)
	code, _ = c.call("GET", at, "")
	require.Equal(t, http.StatusNotFound, code)
	code, _ = c.call("GET", at+"/status", "")
	require.Equal(t, http.StatusNotFound, code)

	var report faults.Report
	c.ok("GET", "/faults", nil, &report)
	require.Equal(t, map[faults.Kind]int{"500": 1, "drop-webhook": 1, "stuck": 1, "vanish": 1}, report.Fired)
	require.Equal(t, []int{5}, report.Idle)
	c.key = ""
	code, _ = c.call("GET", "/faults", "")
	require.Equal(t, http.StatusUnauthorized, code)
	code, _ = c.call("GET", "/v1/models", "")
	require.Equal(t, http.StatusUnauthorized, code, "who has no key meets no fault")
}
