package conformance

import (
	"strings"

	"github.com/stretchr/testify/require"
)

var messageRows = []row[*agi]{
	{"a new session has no messages", given, nothing, func(t *agi) {
		list := t.ok("GET", t.path()+"/messages", nil)
		require.Empty(t, list["messages"])
		require.IsType(t, []any{}, list["messages"])
		require.Contains(t, []any{"ready", "running"}, list["status"])
		require.IsType(t, true, list["has_agent"])
	}},
	{"a message must be there and not empty", given, nothing, func(t *agi) {
		at := t.path()
		t.isFieldError(t.call("POST", at+"/message", object{}), "message")
		t.isFieldError(t.call("POST", at+"/message", object{"message": ""}), "message")
		t.isFieldError(t.call("POST", at+"/message", object{"message": 1}), "message")
	}},
	{"a message has at most 10,000 characters", given, nothing, func(t *agi) {
		t.isFieldError(t.call("POST", t.path()+"/message", object{"message": strings.Repeat("x", 10_001)}), "message")
	}},
	{"10,000 characters are taken, however many bytes", given, script, func(t *agi) {
		t.send(t.at(""), "finish "+strings.Repeat("é", 9_993))
	}},
	{"a start URL has at most 2,000 characters", given, nothing, func(t *agi) {
		t.isFieldError(t.call("POST", t.path()+"/message", object{"message": "x", "start_url": longURL(2001)}), "start_url")
	}},
	{"config_updates and context are taken", inferred, script, func(t *agi) {
		at := t.at("")
		t.ok("POST", at+"/message", object{"message": "finish ok", "config_updates": object{"timeout": 30}, "context": object{"a": "b"}})
		t.until(at, "finished")
	}},
	{"after_id is exclusive and must be a number", given, script, func(t *agi) {
		at := t.at("think a; think b; finish c")
		all := t.until(at, "finished")
		second := all[1]["id"].(float64)
		rest := objects(t.ok("GET", at+"/messages?after_id="+number(second), nil)["messages"])
		require.Equal(t, all[2:], rest)
		t.isFieldError(t.call("GET", at+"/messages?after_id=x", nil), "after_id")
		t.isFieldError(t.call("GET", at+"/messages?sanitize=perhaps", nil), "sanitize")
	}},
	{"messages have increasing ids, a type, a time and metadata", given, script, func(t *agi) {
		at := t.at(`think a; log b; finish {"c":[1]}`)
		all := t.until(at, "finished")
		require.Equal(t, []any{"USER", "THOUGHT", "LOG", "DONE"}, types(all))
		require.Equal(t, object{"c": []any{1.0}}, all[3]["content"])
		last := 0.0
		for _, m := range all {
			require.Greater(t, m["id"], last)
			last = m["id"].(float64)
			t.isTime(m["timestamp"])
			require.IsType(t, object{}, m["metadata"])
		}
	}},
}

var taskRows = []row[*agi]{
	{"a task goes from ready over running to finished", given, script, func(t *agi) {
		at := t.at("")
		require.Equal(t, "ready", t.ok("GET", at+"/status", nil)["status"])
		t.send(at, "wait 1h")
		t.both(at, "running", "running")
		t.ok("POST", at+"/cancel", nil)
		t.send(at, "finish ok")
		t.until(at, "finished")
		t.both(at, "ready", "finished")
	}},
	{"a question waits for the next message", given, script, func(t *agi) {
		at := t.at("ask Which?; finish {{answer}}")
		require.Equal(t, []any{"USER", "QUESTION"}, types(t.until(at, "waiting_for_input")))
		t.both(at, "running", "waiting_for_input")
		t.send(at, "this one")
		all := t.until(at, "finished")
		require.Equal(t, []any{"USER", "QUESTION", "USER", "DONE"}, types(all))
		require.Equal(t, "this one", all[3]["content"])
	}},
	{"a failure is an error on both axes", given, script, func(t *agi) {
		at := t.at("fail no luck")
		require.Equal(t, []any{"USER", "ERROR"}, types(t.until(at, "error")))
		t.both(at, "error", "error")
	}},
	{"a finished session takes a second task, whose ids go on", given, script, func(t *agi) {
		at := t.at("finish one")
		first := t.until(at, "finished")
		t.send(at, "wait 20ms; finish two")
		var all []object
		for len(all) < 4 {
			all = t.until(at, "finished") // may still be that of the first
		}
		require.Equal(t, first, all[:2])
		require.Equal(t, "two", all[3]["content"])
	}},
	{"a failed session takes a second task", inferred, script, func(t *agi) {
		at := t.at("fail no luck")
		t.until(at, "error")
		t.send(at, "finish ok")
		t.until(at, "finished")
	}},
	{"a message while the agent works is taken", unknown, script, func(t *agi) {
		at := t.at("wait 1h")
		t.send(at, "by the way")
		t.both(at, "running", "running")
	}},
	{"a pause holds the task and a resume lets it go on", given, script, func(t *agi) {
		at := t.at("wait 50ms; finish ok")
		require.Equal(t, true, t.ok("POST", at+"/pause", nil)["success"])
		t.both(at, "paused", "paused")
		require.Equal(t, true, t.ok("POST", at+"/resume", nil)["success"])
		t.until(at, "finished")
	}},
	{"a message may be sent while paused", inferred, script, func(t *agi) {
		at := t.at("ask Which?; finish {{answer}}")
		t.until(at, "waiting_for_input")
		t.ok("POST", at+"/pause", nil)
		t.send(at, "this one")
		t.both(at, "paused", "paused")
		t.ok("POST", at+"/resume", nil)
		t.until(at, "finished")
	}},
	{"a pause or resume that changes nothing succeeds", unknown, nothing, func(t *agi) {
		at := t.path()
		for _, verb := range []string{"/pause", "/pause", "/resume", "/resume"} {
			a := t.call("POST", at+verb, nil)
			t.reads(a.code, 200, 409, 400)
			if t.local {
				require.Equal(t, true, a.object()["success"])
			}
		}
	}},
	{"a cancel ends the task and keeps the session, without a DONE or ERROR", given, script, func(t *agi) {
		for _, message := range []string{"wait 1h", "ask Which?"} {
			at := t.at(message)
			if message != "wait 1h" {
				t.until(at, "waiting_for_input")
			}
			require.Equal(t, true, t.ok("POST", at+"/cancel", nil)["success"])
			t.both(at, "ready", "ready")
			list := t.ok("GET", at+"/messages", nil)
			require.NotContains(t, types(objects(list["messages"])), "DONE")
			require.NotContains(t, types(objects(list["messages"])), "ERROR")
			t.send(at, "finish ok")
			t.until(at, "finished")
		}
	}},
	{"a paused task can be cancelled", given, script, func(t *agi) {
		at := t.at("wait 1h")
		t.ok("POST", at+"/pause", nil)
		t.ok("POST", at+"/cancel", nil)
		t.both(at, "ready", "ready")
	}},
}

// both expects a session status and an execution status.
func (t *agi) both(at, session, execution string) {
	t.Helper()
	require.Equal(t, session, t.ok("GET", at, nil)["status"])
	require.Equal(t, execution, t.ok("GET", at+"/status", nil)["status"])
	require.Equal(t, execution, t.ok("GET", at+"/messages", nil)["status"])
}
