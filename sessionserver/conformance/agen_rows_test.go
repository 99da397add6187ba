package conformance

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"
)

var agenAccessRows = []row[*agen]{
	{"a call without a key is refused", given, nothing, func(t *agen) {
		t.refused(t.callAs("", "GET", "/sessions", nil), http.StatusUnauthorized)
	}},
	{"a call with an unknown key is refused", unknown, nothing, func(t *agen) {
		t.refused(t.callAs("nobody", "GET", "/sessions", nil), http.StatusUnauthorized)
	}},
	{"a key in the Authorization header is none", unknown, script, func(t *agen) {
		a := t.read(t.request("GET", "/api/v1/sessions", nil, t.key, nil))
		t.refused(a, http.StatusUnauthorized)
	}},
	{"an unknown path is a 404", unknown, nothing, func(t *agen) {
		require.Equal(t, http.StatusNotFound, t.call("GET", "/no-such-thing", nil).code)
	}},
	{"there is no call to delete, pause, resume or cancel", inferred, script, func(t *agen) {
		at := t.path()
		t.refused(t.call("DELETE", at, nil), http.StatusMethodNotAllowed)
		t.refused(t.call("DELETE", "/sessions", nil), http.StatusMethodNotAllowed)
		for _, name := range []string{"pause", "resume", "cancel"} {
			t.refused(t.call("POST", at+"/"+name, nil), http.StatusNotFound)
		}
	}},
}

var agenSessionRows = []row[*agen]{
	{"a created session is whole", given, nothing, func(t *agen) {
		s := t.create(object{"auto_commit": true})
		t.isSession(s)
		require.Equal(t, []any{nil, true}, []any{s["branch_name"], s["auto_commit"]})
		t.reads(s["status"], "active")
		t.reads(s["origin"], "api")
	}},
	{"a session has the branch that was asked for", given, script, func(t *agen) {
		s := t.create(object{"branch_name": "fix/retry"})
		require.Equal(t, []any{"fix/retry", false}, []any{s["branch_name"], s["auto_commit"]})
	}},
	{"branch_name must be there, if only as null", given, nothing, func(t *agen) {
		t.refused(t.call("POST", "/sessions", object{}), http.StatusBadRequest)
		t.refused(t.call("POST", "/sessions", object{"auto_commit": true}), http.StatusBadRequest)
	}},
	{"fields of the wrong type are refused", given, nothing, func(t *agen) {
		for _, body := range []any{
			object{"branch_name": 7}, object{"branch_name": nil, "auto_commit": "yes"}, object{"branch_name": nil, "model": 7},
			"{", "", "[]", "null", "\"\xff\"",
		} {
			t.refused(t.call("POST", "/sessions", body), http.StatusBadRequest)
		}
	}},
	{"an unknown model is refused", unknown, script, func(t *agen) {
		a := t.call("POST", "/sessions", object{"branch_name": nil, "model": "nobody"})
		t.refused(a, http.StatusBadRequest)
		require.Contains(t, a.body, "script")
	}},
	{"a session can be read", unknown, nothing, func(t *agen) {
		s := t.create(object{})
		again := t.ok("GET", "/sessions/"+s["id"].(string), nil)
		t.isSession(again)
		require.Equal(t, []any{s["id"], s["created_at"]}, []any{again["id"], again["created_at"]})
	}},
	{"an unknown session is a 404", inferred, nothing, func(t *agen) {
		for _, id := range []string{"ses_nobody", "a%2Fb"} {
			at := "/sessions/" + id
			require.Equal(t, 404, t.call("GET", at, nil).code)
			require.Equal(t, 404, t.call("GET", at+"/events", nil).code)
			require.Equal(t, 404, t.call("POST", at+"/messages", object{"message": "x"}).code)
			require.Equal(t, 404, t.call("PATCH", at, object{}).code)
		}
	}},
	{"a title can be changed", unknown, nothing, func(t *agen) {
		s := t.create(object{})
		at := "/sessions/" + s["id"].(string)
		changed := t.ok("PATCH", at, object{"title": "Mine", "auto_commit": true})
		t.isSession(changed)
		require.Equal(t, []any{"Mine", true}, []any{changed["title"], changed["auto_commit"]})
		t.ok("PATCH", at, object{})
		require.Equal(t, "Mine", t.ok("GET", at, nil)["title"])
	}},
	{"what cannot be changed is refused", unknown, script, func(t *agen) {
		at := t.at("")
		for _, body := range []any{
			object{"title": 7}, object{"auto_commit": "no"}, object{"model": "nobody"}, object{"model": "reader"},
			object{"status": "closed"}, object{"status": "active"}, "[]",
		} {
			t.refused(t.call("PATCH", at, body), http.StatusBadRequest)
		}
		require.Equal(t, "script", t.ok("PATCH", at, object{"model": "script"})["model"])
	}},
	{"the title is made out of the first message", given, script, func(t *agen) {
		at := t.at("")
		require.Empty(t, t.ok("GET", at, nil)["title"])
		t.send(at, "think one\nfinish two")
		t.until(at, "session_finished", "completed")
		t.send(at, "finish two")
		require.Equal(t, "think one", t.ok("GET", at, nil)["title"])
		at = t.at("think " + strings.Repeat("word ", 40))
		require.Len(t, []rune(t.ok("GET", at, nil)["title"].(string)), 60)
	}},
}

var agenListRows = []row[*agen]{
	{"the list has items and a cursor", given, nothing, func(t *agen) {
		s := t.create(object{})
		page := t.ok("GET", "/sessions", nil)
		require.Contains(t, page, "next_cursor")
		require.IsType(t, []any{}, page["items"])
		for _, item := range objects(page["items"]) {
			t.isSession(item)
		}
		if page["next_cursor"] == nil {
			require.Contains(t, fields("id", objects(page["items"])), s["id"])
		}
	}},
	{"the list is narrowed by status and user", given, script, func(t *agen) {
		at := t.at("finish ok")
		t.until(at, "session_finished", "completed")
		s := t.ok("GET", at, nil)
		query := func(q url.Values) []any {
			return fields("id", objects(t.ok("GET", "/sessions?"+q.Encode(), nil)["items"]))
		}
		user := s["user_id"].(string)
		require.Contains(t, query(url.Values{"status": {"finished"}, "user_id": {user}, "include": {"mr_pipeline_summary"}}), s["id"])
		require.NotContains(t, query(url.Values{"status": {"active"}}), s["id"])
		require.Empty(t, query(url.Values{"user_id": {"usr_nobody"}}))
		require.Empty(t, query(url.Values{"status": {"no-such-status"}}))
	}},
	{"the list has pages of 50", unknown, script, func(t *agen) {
		made := map[any]bool{}
		for range 51 {
			made[t.create(object{})["id"]] = true
		}
		cursor, sizes := "", []int{}
		for first := true; first || cursor != ""; first = false {
			page := t.ok("GET", "/sessions?cursor="+cursor, nil)
			items := objects(page["items"])
			sizes = append(sizes, len(items))
			for _, item := range items {
				delete(made, item["id"])
			}
			cursor, _ = page["next_cursor"].(string)
		}
		require.Empty(t, made, "every session is on a page")
		require.GreaterOrEqual(t, len(sizes), 2)
		require.Equal(t, 50, sizes[0])
	}},
	{"a cursor that is none is refused", unknown, script, func(t *agen) {
		for _, cursor := range []string{"x", "!", "bm9uZQ"} {
			t.refused(t.call("GET", "/sessions?cursor="+cursor, nil), http.StatusBadRequest)
		}
	}},
}

var agenOptionRows = []row[*agen]{
	{"a create answers with 201", unknown, script, func(t *agen) {
		a := t.call("POST", "/sessions", object{"branch_name": nil, "model": "script"})
		require.Equal(t, http.StatusCreated, a.code)
		a = t.call("POST", "/sessions/"+a.object()["id"].(string)+"/messages", object{"message": "finish x"})
		require.Equal(t, http.StatusCreated, a.code)
	}},
	{"an error has another body", unknown, script, func(t *agen) {
		a := t.call("POST", "/sessions", object{})
		require.Equal(t, http.StatusBadRequest, a.code)
		require.Len(t, a.object(), 1)
		require.Contains(t, a.object()["error"], "branch_name")
	}},
	{"there is no call for one session", unknown, script, func(t *agen) {
		require.Equal(t, http.StatusMethodNotAllowed, t.call("GET", t.path(), nil).code)
	}},
	{"the pages are small, and the cursor has another name", unknown, script, func(t *agen) {
		for range 3 {
			t.path()
		}
		first := t.ok("GET", "/sessions", nil)
		require.Len(t, first["items"], 2)
		require.Equal(t, first, t.ok("GET", "/sessions?cursor="+first["next_cursor"].(string), nil), "a name that is not known")
		second := t.ok("GET", "/sessions?after="+first["next_cursor"].(string), nil)
		require.NotEqual(t, first["items"], second["items"])
	}},
	{"a second message of one client_id is the first", unknown, script, func(t *agen) {
		at := t.at("")
		first := t.ok("POST", at+"/messages", object{"message": "finish one", "client_id": "k-1"})
		second := t.ok("POST", at+"/messages", object{"message": "finish two", "client_id": "k-1"})
		require.Equal(t, first["id"], second["id"])
		require.Equal(t, first["payload"], second["payload"])
		t.send(at, "finish one")
		t.send(at, "finish one")
		require.Eventually(t, func() bool { return len(of("agent_message", t.timeline(at))) == 3 }, patience, t.poll())
		require.Len(t, of("user_message", t.timeline(at)), 3)
	}},
	{"a task ends with a message alone, the newest event first", unknown, script, func(t *agen) {
		at := t.at(`think one; finish two`)
		require.Eventually(t, func() bool { return len(of("agent_message", t.timeline(at))) == 2 }, patience, t.poll())
		all := t.timeline(at)
		require.Equal(t, []any{"agent_message completed", "agent_message completed", "user_message completed"}, steps(all))
		require.Equal(t, "two", field(all[0], "payload", "message"))
	}},
	{"a session can be closed", unknown, script, func(t *agen) {
		at := t.at("think one; wait 1h")
		t.until(at, "agent_message", "completed")
		t.send(at, "wait 2h")
		s := t.ok("PATCH", at, object{"status": "closed"})
		require.Equal(t, "closed", s["status"])
		all := t.timeline(at)
		require.Equal(t, []any{
			"session_closed completed", "user_message canceled", "agent_message completed", "user_message canceled",
		}, steps(all))
		require.Equal(t, http.StatusConflict, t.call("POST", at+"/messages", object{"message": "x"}).code)
		require.Equal(t, "closed", t.ok("PATCH", at, object{"status": "closed"})["status"], "twice is as good as once")
		require.Equal(t, all, t.timeline(at))
	}},
}
