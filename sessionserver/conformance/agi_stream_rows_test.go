package conformance

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"
)

func number(id float64) string { return strconv.Itoa(int(id)) }

var streamRows = []row[*agi]{
	{"the stream tells the task and ends with it", given, script, func(t *agi) {
		at := t.at("")
		t.send(at, `think a; log b; wait 20ms; finish {"c":1}`)
		frames := t.stream(at+"/events", nil)
		require.Equal(t, []string{"user", "thought", "log", "done"}, told(frames))
		for _, f := range frames {
			if f.event == "heartbeat" {
				require.Empty(t, f.id)
				t.isTime(f.data["timestamp"])
				continue
			}
			require.Equal(t, f.id, number(f.data["message_id"].(float64)))
			require.IsType(t, "", f.data["text"])
		}
		require.Equal(t, object{"c": 1.0}, frames[len(frames)-1].data["result"])
	}},
	{"a question is told and does not end the stream", given, script, func(t *agi) {
		at := t.at("ask Which?; finish ok")
		frames := t.stream(at+"/events", func(f frame) bool {
			if f.event == "question" {
				require.Equal(t, "Which?", f.data["text"])
				t.send(at, "this one")
			}
			return false
		})
		require.Equal(t, []string{"user", "question", "user", "done"}, told(frames))
	}},
	{"an error ends the stream", given, script, func(t *agi) {
		frames := t.stream(t.at("wait 20ms; fail no luck")+"/events", nil)
		last := frames[len(frames)-1]
		require.Equal(t, "error", last.event)
		require.Equal(t, "no luck", last.data["error"])
		require.IsType(t, 0.0, last.data["status_code"])
	}},
	{"history comes first, and all of it again on a new stream", given, script, func(t *agi) {
		at := t.at("think a; finish ok")
		t.until(at, "finished")
		first := t.stream(at+"/events", nil)
		require.Equal(t, []string{"user", "thought", "done"}, told(first))
		require.Equal(t, first, t.stream(at+"/events", nil))
	}},
	{"history can be left out", given, script, func(t *agi) {
		at := t.at("think a; wait 200ms; finish ok")
		frames := t.stream(at+"/events?include_history=false", nil)
		require.Equal(t, "done", frames[len(frames)-1].event)
		require.NotContains(t, told(frames), "user")
	}},
	{"the result of an earlier task does not end the stream of the next", inferred, script, func(t *agi) {
		at := t.at("finish one")
		t.until(at, "finished")
		t.send(at, "wait 50ms; finish two")
		require.Equal(t, []string{"user", "done", "user", "done"}, told(t.stream(at+"/events", nil)))
	}},
	{"event types can be chosen", given, script, func(t *agi) {
		at := t.at("think a; log b; finish ok")
		t.until(at, "finished")
		require.Equal(t, []string{"thought", "done"}, told(t.stream(at+"/events?event_types=thought,done", nil)))
	}},
	{"pause and resume are told", given, script, func(t *agi) {
		at := t.at("wait 50ms; finish ok")
		t.ok("POST", at+"/pause", nil)
		t.ok("POST", at+"/resume", nil)
		require.Equal(t, []string{"user", "paused", "resumed", "done"}, told(t.stream(at+"/events", nil)))
	}},
	{"a quiet stream has heartbeats", given, script, func(t *agi) {
		frames := t.stream(t.at("wait 1h")+"/events", func(f frame) bool { return f.event == "heartbeat" })
		require.Equal(t, "heartbeat", frames[len(frames)-1].event)
	}},
	{"sanitize and include_history must be booleans", inferred, nothing, func(t *agi) {
		at := t.path()
		t.isFieldError(t.call("GET", at+"/events?sanitize=perhaps", nil), "sanitize")
		t.isFieldError(t.call("GET", at+"/events?include_history=perhaps", nil), "include_history")
	}},
}

var webhookRows = []row[*agi]{
	{"webhooks tell the life of a session", given, script, func(t *agi) {
		got := make(chan object, 100)
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var body object
			if json.NewDecoder(r.Body).Decode(&body) == nil {
				got <- object{"body": body, "header": r.Header.Get("X-Event-Type"), "agent": r.Header.Get("User-Agent"), "type": r.Header.Get("Content-Type")}
			}
		}))
		defer receiver.Close()
		s := t.create(object{"agent_name": "script", "webhook_url": receiver.URL})
		at := "/v1/sessions/" + s["session_id"].(string)
		t.send(at, "ask Which?; finish ok")
		t.until(at, "waiting_for_input")
		t.send(at, "this one")
		t.until(at, "finished")
		t.send(at, "fail no luck")
		t.until(at, "error")
		t.ok("DELETE", at, nil)

		extra := map[string][]string{
			"session.created":        nil,
			"session.status_changed": {"old_status", "new_status"},
			"session.deleted":        nil,
			"task.started":           {"message"},
			"task.completed":         {"result"},
			"task.question":          {"question", "context"},
			"task.error":             {"error", "details"},
		}
		seen := map[string]bool{}
		for len(seen) < len(extra) { // the order is not promised
			select {
			case hook := <-got:
				body := hook["body"].(object)
				event := body["event"].(string)
				seen[event] = true
				require.Equal(t, []any{event, "AgencyAPI-Webhooks/1.0", "application/json"}, []any{hook["header"], hook["agent"], hook["type"]})
				t.isTime(body["timestamp"])
				session := body["session"].(object)
				require.Equal(t, s["session_id"], session["id"])
				require.Subset(t, keys(session), []string{"id", "status", "agent_name", "created_at", "vnc_url"})
				require.Subset(t, keys(body), extra[event])
			case <-time.After(patience):
				require.Fail(t, "webhooks are missing", "seen: %v", seen)
			}
		}
	}},
}

func keys(o object) []string {
	var all []string
	for key := range o {
		all = append(all, key)
	}
	return all
}
