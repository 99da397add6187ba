package conformance

import (
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
)

const noSuch = "ffffffffffff7fffbfffffffffffffff" // the digits of an id that nothing has

var runsAccessRows = []row[*everruns]{
	{"a call without a key is refused", inferred, nothing, func(t *everruns) {
		a := t.callAs("", "GET", "/v1/sessions", nil)
		require.Equal(t, http.StatusUnauthorized, a.code)
		t.reads(a.object()["error"], "Unauthorized", nil)
	}},
	{"a call with an unknown key is refused", inferred, nothing, func(t *everruns) {
		require.Equal(t, http.StatusUnauthorized, t.callAs("evr_pat_nobody", "GET", "/v1/agents", nil).code)
	}},
	{"a key may come behind ApiKey", inferred, nothing, func(t *everruns) {
		require.Equal(t, http.StatusOK, t.callAs("ApiKey "+t.key, "GET", "/v1/agents", nil).code)
	}},
	{"an organization that the key does not reach is refused", unknown, script, func(t *everruns) {
		for org, code := range map[string]int{"org_00000000000000000000000000000001": 200, "org_" + noSuch: 403, "org_1": 400} {
			require.Equal(t, code, t.callWith(http.Header{"X-Org-Id": {org}}, "GET", "/v1/agents", nil).code, org)
		}
	}},
	{"an unknown path is a 404", inferred, nothing, func(t *everruns) {
		require.Equal(t, http.StatusNotFound, t.call("GET", "/v1/no-such-thing", nil).code)
	}},
}

var runsSessionRows = []row[*everruns]{
	{"a created session is whole and started", given, nothing, func(t *everruns) {
		s := t.create(object{"title": "A title", "tags": []string{"a", "b"}})
		t.isSession(s)
		require.Equal(t, []any{"started", "A title", []any{"a", "b"}}, []any{s["status"], s["title"], s["tags"]})
	}},
	{"an agent id must be one", given, nothing, func(t *everruns) {
		t.refused(t.call("POST", "/v1/sessions", object{"agent_id": "agent_1"}), 400)
	}},
	{"a body that is no JSON is refused", inferred, nothing, func(t *everruns) {
		require.Equal(t, 400, t.call("POST", "/v1/sessions", "{").code)
	}},
	{"a session can be read", given, nothing, func(t *everruns) {
		s := t.create(object{})
		again := t.ok("GET", "/v1/sessions/"+s["id"].(string), nil)
		t.isSession(again)
		require.Equal(t, []any{s["id"], s["agent_id"], s["created_at"]}, []any{again["id"], again["agent_id"], again["created_at"]})
	}},
	{"an id that is none is a 400, an unknown one a 404", given, nothing, func(t *everruns) {
		for id, code := range map[string]int{"session_1": 400, "session_" + strings.ToUpper(noSuch): 400, "agent_" + noSuch: 400, "session_" + noSuch: 404} {
			for _, path := range []string{"", "/messages", "/events", "/sse"} {
				t.refused(t.call("GET", "/v1/sessions/"+id+path, nil), code)
			}
			t.refused(t.call("DELETE", "/v1/sessions/"+id, nil), code)
			t.refused(t.call("PATCH", "/v1/sessions/"+id, object{}), code)
			t.refused(t.call("POST", "/v1/sessions/"+id+"/messages", user("x")), code)
			t.refused(t.call("POST", "/v1/sessions/"+id+"/cancel", nil), code)
		}
	}},
	{"the list is paged, newest first", given, alone, func(t *everruns) {
		first, second, third := t.create(object{}), t.create(object{}), t.create(object{})
		page := t.ok("GET", "/v1/sessions?limit=2", nil)
		require.Equal(t, []any{3.0, 0.0, 2.0}, []any{page["total"], page["offset"], page["limit"]})
		require.Equal(t, []any{third["id"], second["id"]}, fields("id", objects(page["data"])))
		page = t.ok("GET", "/v1/sessions?limit=2&offset=2", nil)
		require.Equal(t, []any{first["id"]}, fields("id", objects(page["data"])))
		page = t.ok("GET", "/v1/sessions?agent_id="+t.agent("script"), nil)
		require.Equal(t, []any{0.0, 20.0}, []any{page["total"], page["limit"]})
	}},
	{"a limit of a list is from 1 to 100", given, nothing, func(t *everruns) {
		for _, query := range []string{"limit=0", "limit=101", "limit=x", "offset=-1"} {
			require.Equal(t, 400, t.call("GET", "/v1/sessions?"+query, nil).code, query)
		}
	}},
	{"a title and tags can be changed, each alone", given, nothing, func(t *everruns) {
		at := "/v1/sessions/" + t.create(object{"title": "one", "tags": []string{"a"}})["id"].(string)
		s := t.ok("PATCH", at, object{"title": "two"})
		require.Equal(t, []any{"two", []any{"a"}}, []any{s["title"], s["tags"]})
		t.ok("PATCH", at, object{"tags": []string{}})
		s = t.ok("GET", at, nil)
		require.Equal(t, []any{"two", []any{}}, []any{s["title"], s["tags"]})
	}},
	{"a deleted session is gone", given, nothing, func(t *everruns) {
		at := t.path()
		a := t.call("DELETE", at, nil)
		require.Equal(t, []any{204, ""}, []any{a.code, a.body})
		for _, path := range []string{at, at + "/events", at + "/messages"} {
			require.Equal(t, 404, t.call("GET", path, nil).code, path)
		}
		require.Equal(t, 404, t.call("DELETE", at, nil).code)
	}},
	{"an active session can be deleted", unknown, script, func(t *everruns) {
		at := t.at("wait 1h")
		require.Equal(t, 204, t.call("DELETE", at, nil).code)
		require.Equal(t, 404, t.call("GET", at, nil).code)
	}},
	{"a cancel without an active turn does nothing", given, nothing, func(t *everruns) {
		at := t.path()
		for range 2 {
			require.Equal(t, "no_op", t.ok("POST", at+"/cancel", nil)["status"])
		}
		require.Empty(t, t.events(at+"/events"))
	}},
	{"a cancelled turn ends with both sides of the talk", inferred, script, func(t *everruns) {
		at := t.at("wait 1h")
		t.status(at, "active")
		a := t.ok("POST", at+"/cancel", nil)
		require.Equal(t, "cancelled", a["status"])
		require.NotEmpty(t, a["message"])
		all := t.until(at, "session.idled")
		require.Equal(t, []any{"turn.cancelled", "input.message", "output.message.completed", "session.idled"}, types(all[len(all)-4:]))
		t.status(at, "idle")
		require.Equal(t, []any{"user", "user", "agent"}, fields("role", objects(t.ok("GET", at+"/messages", nil)["data"])))
		t.send(at, "finish ok")
		require.Eventually(t, func() bool {
			return len(of("turn.completed", t.events(at+"/events"))) == 1
		}, patience, t.poll())
	}},
}

var runsAgentRows = []row[*everruns]{
	{"an agent is made, read, changed and archived", given, nothing, func(t *everruns) {
		a := t.call("POST", "/v1/agents", object{"name": "A clerk", "system_prompt": "Be a clerk.", "tags": []string{"x"}})
		require.Equal(t, http.StatusCreated, a.code, a.body)
		id := a.object()["id"].(string)
		t.isID("agent", id)
		at := "/v1/agents/" + id
		require.Equal(t, "active", a.object()["status"])
		require.Contains(t, fields("id", objects(t.ok("GET", "/v1/agents", nil)["data"])), id)
		changed := t.ok("PATCH", at, object{"description": "One that writes"})
		require.Equal(t, []any{"A clerk", "One that writes", []any{"x"}}, []any{changed["name"], changed["description"], changed["tags"]})
		export := t.call("GET", at+"/export", nil)
		require.Contains(t, export.header.Get("Content-Type"), "text/markdown")
		require.Contains(t, export.body, "Be a clerk.")
		require.Equal(t, 204, t.call("DELETE", at, nil).code)
		require.Equal(t, "archived", t.ok("GET", at, nil)["status"])
		require.Equal(t, 400, t.call("POST", "/v1/sessions", object{"agent_id": id}).code)
	}},
	{"an export can be imported", given, script, func(t *everruns) {
		made := t.call("POST", "/v1/agents", object{"name": `A "clerk": one`, "system_prompt": "Be a clerk.\n\n---\n\nAlways.", "tags": []string{"x"}}).object()
		text := t.call("GET", "/v1/agents/"+made["id"].(string)+"/export", nil).body
		again := t.call("POST", "/v1/agents/import", text)
		require.Equal(t, http.StatusCreated, again.code, again.body)
		for _, key := range []string{"name", "system_prompt", "tags"} {
			require.Equal(t, made[key], again.object()[key], key)
		}
		require.NotEqual(t, made["id"], again.object()["id"])
		plain := t.call("POST", "/v1/agents/import", "Be brief.")
		require.Equal(t, "Be brief.", plain.object()["system_prompt"])
	}},
	{"an agent beyond the limits is refused, with a reason", given, nothing, func(t *everruns) {
		a := t.call("POST", "/v1/agents", object{"name": strings.Repeat("x", 3000), "system_prompt": "x"})
		require.Equal(t, 400, a.code)
		t.reads(strings.Contains(a.body, "Input exceeds allowed limits"), true, false)
	}},
	{"an unknown agent is a 404", given, nothing, func(t *everruns) {
		require.Equal(t, 404, t.call("GET", "/v1/agents/agent_"+noSuch, nil).code)
		require.Equal(t, 400, t.call("GET", "/v1/agents/1", nil).code)
	}},
	{"capabilities and models are lists", given, nothing, func(t *everruns) {
		path := "/v1/models"
		if t.given {
			path = "/v1/llm-models"
		}
		models := objects(t.ok("GET", path, nil)["data"])
		require.NotEmpty(t, models)
		t.isID("model", models[0]["id"])
		capabilities := objects(t.ok("GET", "/v1/capabilities", nil)["data"])
		require.NotEmpty(t, capabilities)
		one := t.ok("GET", "/v1/capabilities/"+capabilities[0]["id"].(string), nil)
		require.Equal(t, capabilities[0]["name"], one["name"])
		require.Equal(t, 404, t.call("GET", "/v1/capabilities/no-such-thing", nil).code)
	}},
	{"a session can have a model and capabilities of its own", given, script, func(t *everruns) {
		path := "/v1/models"
		if t.given {
			path = "/v1/llm-models"
		}
		model := objects(t.ok("GET", path, nil)["data"])[0]["id"]
		capabilities := []any{object{"ref": "noop", "config": object{"a": 1.0}}}
		s := t.create(object{"model_id": model, "capabilities": capabilities})
		require.Equal(t, []any{model, any(capabilities)}, []any{s["model_id"], s["capabilities"]})
	}},
}

// fields gives one field of each object.
func fields(name string, all []object) []any {
	values := make([]any, len(all))
	for i, o := range all {
		values[i] = o[name]
	}
	return values
}
