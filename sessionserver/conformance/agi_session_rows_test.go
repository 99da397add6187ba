package conformance

import (
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var accessRows = []row[*agi]{
	{"a call without a key is refused", given, nothing, func(t *agi) {
		t.reads(t.callAs("", "GET", "/v1/models", nil).code, 401, 403)
	}},
	{"a call with an unknown key is refused", inferred, nothing, func(t *agi) {
		t.reads(t.callAs("no-key-of-anybody", "GET", "/v1/sessions", nil).code, 401, 403)
		t.reads(t.callAs("no-key-of-anybody", "POST", "/v1/sessions", object{}).code, 401, 403)
	}},
	{"the models are a list", inferred, nothing, func(t *agi) {
		models, ok := t.ok("GET", "/v1/models", nil)["models"].([]any)
		require.True(t, ok)
		require.NotEmpty(t, models)
		for _, m := range models {
			if o, isObject := m.(object); isObject {
				m = o["id"]
			}
			require.IsType(t, "", m)
		}
		t.ok("GET", "/v1/models?filter=cdp", nil)
	}},
	{"an unknown path is a 404", inferred, nothing, func(t *agi) {
		require.Equal(t, http.StatusNotFound, t.call("GET", "/v1/no-such-thing", nil).code)
	}},
}

var sessionRows = []row[*agi]{
	{"a created session is whole and ready", given, nothing, func(t *agi) {
		a := t.call("POST", "/v1/sessions", object{"agent_name": "agi-0"})
		t.reads(a.code, 200, 201)
		t.isSession(a.object())
		require.Equal(t, "agi-0", a.object()["agent_name"])
		require.Contains(t, []any{"initializing", "ready", "running"}, a.object()["status"])
		t.ok("DELETE", "/v1/sessions/"+a.object()["session_id"].(string), nil)
	}},
	{"an agent that is not named is agi-0", given, nothing, func(t *agi) {
		require.Equal(t, "agi-0", t.create(object{})["agent_name"])
	}},
	{"the SDKs' fields are taken", inferred, nothing, func(t *agi) {
		t.isSession(t.create(object{"agent_name": "agi-0", "goal": "nothing", "max_steps": 100, "enable_memory_snapshot": false}))
	}},
	{"an unknown agent is a field error", given, nothing, func(t *agi) {
		t.isFieldError(t.call("POST", "/v1/sessions", object{"agent_name": "nobody-knows-this-agent"}), "agent_name")
	}},
	{"a webhook URL must be http or https", given, nothing, func(t *agi) {
		t.isFieldError(t.call("POST", "/v1/sessions", object{"webhook_url": "ftp://a.example/hook"}), "webhook_url")
	}},
	{"a webhook URL has at most 2,000 characters", given, nothing, func(t *agi) {
		t.isFieldError(t.call("POST", "/v1/sessions", object{"webhook_url": longURL(2001)}), "webhook_url")
	}},
	{"a session to restore must be a UUID", given, nothing, func(t *agi) {
		t.isFieldError(t.call("POST", "/v1/sessions", object{"restore_from_session_id": "not-a-uuid"}), "restore_from_session_id")
	}},
	{"a body that is no JSON is refused", inferred, nothing, func(t *agi) {
		t.reads(t.call("POST", "/v1/sessions", "{").code, 422, 400)
	}},
	{"a session can be read", given, nothing, func(t *agi) {
		s := t.create(object{})
		again := t.ok("GET", "/v1/sessions/"+s["session_id"].(string), nil)
		t.isSession(again)
		require.Equal(t, s["session_id"], again["session_id"])
		require.Equal(t, s["created_at"], again["created_at"])
	}},
	{"the list is a bare array that has the session", given, nothing, func(t *agi) {
		s := t.create(object{})
		a := t.call("GET", "/v1/sessions", nil)
		require.Equal(t, http.StatusOK, a.code)
		require.IsType(t, []any{}, a.json)
		var ids []any
		for _, listed := range objects(a.json) {
			t.isSession(listed)
			ids = append(ids, listed["session_id"])
		}
		require.Contains(t, ids, s["session_id"])
	}},
	{"an unknown session is a 404", given, nothing, func(t *agi) {
		at := "/v1/sessions/" + uuid.NewString()
		for _, path := range []string{at, at + "/status", at + "/messages", at + "/events"} {
			require.Equal(t, http.StatusNotFound, t.call("GET", path, nil).code, path)
		}
		require.Equal(t, http.StatusNotFound, t.call("POST", at+"/message", object{"message": "x"}).code)
		require.Equal(t, http.StatusNotFound, t.call("POST", at+"/navigate", object{"url": t.page()}).code)
		require.Equal(t, http.StatusNotFound, t.call("GET", at+"/screenshot", nil).code)
		for _, verb := range []string{"/pause", "/resume", "/cancel"} {
			require.Equal(t, http.StatusNotFound, t.call("POST", at+verb, nil).code, verb)
		}
	}},
	{"an unknown session is deleted without an error", given, nothing, func(t *agi) {
		a := t.call("DELETE", "/v1/sessions/"+uuid.NewString(), nil)
		t.reads(a.code, 200, 404)
		if a.code == http.StatusOK {
			require.Equal(t, []any{true, false}, []any{a.object()["success"], a.object()["deleted"]})
		}
	}},
	{"a deleted session is gone", inferred, nothing, func(t *agi) {
		at := t.path()
		deleted := t.ok("DELETE", at, nil)
		require.Equal(t, []any{true, true}, []any{deleted["success"], deleted["deleted"]})
		require.IsType(t, "", deleted["message"])
		// The vendor's own tests wait a moment before they look.
		require.Eventually(t, func() bool { return t.call("GET", at, nil).code == http.StatusNotFound }, patience, t.poll())
		require.Equal(t, http.StatusNotFound, t.call("GET", at+"/status", nil).code)
	}},
	{"all sessions can be deleted", given, alone, func(t *agi) {
		first, second := t.path(), t.path()
		deleted := t.ok("DELETE", "/v1/sessions", nil)
		require.Equal(t, []any{true, true}, []any{deleted["success"], deleted["deleted"]})
		require.Equal(t, http.StatusNotFound, t.call("GET", first, nil).code)
		require.Equal(t, http.StatusNotFound, t.call("GET", second, nil).code)
		deleted = t.ok("DELETE", "/v1/sessions", nil)
		require.Equal(t, []any{true, false}, []any{deleted["success"], deleted["deleted"]})
		require.Empty(t, t.call("GET", "/v1/sessions", nil).json)
	}},
}

var snapshotRows = []row[*agi]{
	{"a snapshot mode that is none is a field error", given, nothing, func(t *agi) {
		t.isFieldError(t.call("DELETE", t.path()+"?save_snapshot_mode=always", nil), "save_snapshot_mode")
	}},
	{"a default without a snapshot is left aside", unknown, nothing, func(t *agi) {
		t.reads(t.call("DELETE", t.path()+"?save_as_default=true", nil).code, 200, 422, 400)
	}},
	{"a restored session has the environment of the first", inferred, script, func(t *agi) {
		for _, mode := range []string{"filesystem", "memory"} {
			s := t.create(object{"agent_name": "script"})
			at := "/v1/sessions/" + s["session_id"].(string)
			t.send(at, "write a.txt "+mode+"; finish ok")
			t.until(at, "finished")
			t.ok("DELETE", at+"?save_snapshot_mode="+mode+"&save_as_default=true", nil)
			for _, how := range []object{
				{"restore_from_session_id": s["session_id"]},
				{"restore_from_environment_id": s["environment_id"]},
				{"restore_default_environment_from_user_id": "me"},
				{"restore_from_session_id": s["session_id"], "restore_from_environment_id": uuid.NewString(), "restore_default_environment_from_user_id": "me"},
			} {
				how["agent_name"] = "script"
				restored := t.create(how)
				require.Equal(t, s["environment_id"], restored["environment_id"])
				at := "/v1/sessions/" + restored["session_id"].(string)
				t.send(at, "finish {{file a.txt}}")
				messages := t.until(at, "finished")
				require.Equal(t, mode, messages[len(messages)-1]["content"])
			}
		}
	}},
	{"an unknown snapshot still gives a session", inferred, nothing, func(t *agi) {
		t.isSession(t.create(object{"restore_from_environment_id": uuid.NewString()}))
	}},
}

// longURL is a good URL of that many characters.
func longURL(n int) string {
	const start = "https://a.example/"
	return start + strings.Repeat("x", n-len(start))
}
