package conformance

import (
	"strings"

	"github.com/stretchr/testify/require"
)

// runsGivenRows are about the given profile alone.
var runsGivenRows = []row[*everruns]{
	{"a session needs an agent", given, nothing, func(t *everruns) {
		t.refused(t.call("POST", "/v1/sessions", object{}), 400)
	}},
	{"an unknown agent is a 400", unknown, nothing, func(t *everruns) {
		t.refused(t.call("POST", "/v1/sessions", object{"agent_id": "agent_" + noSuch}), 400)
	}},
	{"errors of agents have a text", given, nothing, func(t *everruns) {
		require.IsType(t, "", t.call("GET", "/v1/agents/agent_"+noSuch, nil).object()["error"])
	}},
	{"a question is a message, and the next message its answer", inferred, script, func(t *everruns) {
		at := t.at("ask Which?; finish {{answer}}")
		all := t.until(at, "session.idled")
		names := types(all)
		require.Equal(t, []any{"output.message.completed", "turn.completed", "session.idled"}, names[len(names)-3:])
		require.Equal(t, "Which?", says(field(all[len(all)-3], "data", "message")))
		t.status(at, "idle")
		require.Equal(t, "no_op", t.ok("POST", at+"/cancel", nil)["status"])
		t.send(at, "this one")
		require.Eventually(t, func() bool {
			return len(of("turn.completed", t.events(at+"/events"))) == 2
		}, patience, t.poll())
		require.Equal(t, "this one", t.ok("GET", at, nil)["output_preview"])
	}},
	{"there are no tool results, tasks or new names of models", given, nothing, func(t *everruns) {
		at := t.path()
		t.refused(t.call("POST", at+"/tool-results", object{}), 404)
		t.refused(t.call("GET", at+"/tasks", nil), 404)
		t.refused(t.call("GET", "/v1/models", nil), 404)
	}},
}

// runsCurrentRows are about the current profile alone.
var runsCurrentRows = []row[*everruns]{
	{"a session needs nothing", inferred, script, func(t *everruns) {
		a := t.call("POST", "/v1/sessions", object{})
		require.Equal(t, 201, a.code, a.body)
		t.isSession(a.object())
		t.undo("/v1/sessions/" + a.object()["id"].(string))
	}},
	{"an agent can be named", inferred, script, func(t *everruns) {
		a := t.call("POST", "/v1/sessions", object{"agent_name": "script"})
		require.Equal(t, t.agent("script"), a.object()["agent_id"])
		t.undo("/v1/sessions/" + a.object()["id"].(string))
		t.refused(t.call("POST", "/v1/sessions", object{"agent_name": "nobody knows"}), 404)
	}},
	{"an unknown agent or model is a 404", inferred, nothing, func(t *everruns) {
		t.refused(t.call("POST", "/v1/sessions", object{"agent_id": "agent_" + noSuch}), 404)
		t.refused(t.call("POST", "/v1/sessions", object{"agent_id": t.agent(""), "model_id": "model_" + noSuch}), 404)
	}},
	{"the actions of a session have a cancel while it is active", inferred, script, func(t *everruns) {
		at := t.at("wait 1h")
		require.Contains(t, fields("rel", objects(t.ok("GET", at, nil)["allowed_actions"])), "cancel")
		t.ok("POST", at+"/cancel", nil)
		require.NotContains(t, fields("rel", objects(t.ok("GET", at, nil)["allowed_actions"])), "cancel")
	}},
	{"the page of a session can be opened", unknown, script, func(t *everruns) {
		s := t.create(object{})
		res, err := t.http.Get(s["view_url"].(string))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 200, res.StatusCode)
	}},
	{"the list can be searched and says where to go on", inferred, alone, func(t *everruns) {
		t.create(object{"title": "An Invoice"})
		t.create(object{"tags": []string{"invoice-2"}})
		t.create(object{"title": "other"})
		page := t.ok("GET", "/v1/sessions?search=invoice&limit=1", nil)
		require.EqualValues(t, 2, page["total"])
		next, _ := page["next_url"].(string)
		path, ok := strings.CutPrefix(next, t.base)
		require.True(t, ok, page)
		page = t.ok("GET", path, nil)
		require.Equal(t, "An Invoice", objects(page["data"])[0]["title"])
		require.Nil(t, page["next_url"])
		require.NotEmpty(t, page["prev_url"])
	}},
	{"the events can be chosen by type, turn, place and number", inferred, script, func(t *everruns) {
		at := t.at("finish ok")
		all := t.until(at, "session.idled")
		require.Equal(t, []any{"turn.started", "turn.completed"}, types(t.events(at+"/events?types=turn.started&types=turn.completed")))
		a := t.call("GET", at+"/events?limit=2", nil)
		require.Equal(t, []any{"turn.completed", "session.idled"}, types(objects(a.object()["data"])))
		require.Equal(t, number(float64(len(all))), a.header.Get("X-Total-Count"))
		require.Equal(t, all[1:3], t.events(at+"/events?after_sequence=1&before_sequence=4"))
		require.Len(t, t.events(at+"/events?turn_id="+field(all[1], "data", "turn_id").(string)), len(all)-1)
		for _, query := range []string{"limit=0", "limit=1001", "types=no.such.type"} {
			require.Equal(t, 400, t.call("GET", at+"/events?"+query, nil).code, query)
		}
	}},
	{"a question is a call of a tool, and its result the answer", inferred, script, func(t *everruns) {
		at := t.at("ask Which?; finish {{answer}}")
		all := t.until(at, "tool.call_requested")
		t.status(at, "waitingfortoolresults")
		calls := objects(field(all[len(all)-1], "data", "tool_calls"))
		require.Len(t, calls, 1)
		require.Equal(t, []any{"ask_user", object{"question": "Which?"}}, []any{calls[0]["name"], calls[0]["arguments"]})

		result := object{"tool_call_id": calls[0]["id"], "result": "this one"}
		t.refused(t.call("POST", at+"/tool-results", object{"tool_results": []any{}}), 422)
		t.refused(t.call("POST", at+"/tool-results", object{"tool_results": []any{object{"tool_call_id": "call_1", "result": 1}}}), 400)
		answer := t.ok("POST", at+"/tool-results", object{"tool_results": []any{result}})
		require.Equal(t, object{"accepted": 1.0, "status": "active"}, answer)
		all = t.until(at, "session.idled")
		require.Len(t, of("turn.completed", all), 1)
		require.Equal(t, calls[0]["id"], field(of("tool.completed", all)[0], "data", "tool_call_id"))
		require.Equal(t, []any{"user", "agent", "tool_result", "agent"}, fields("role", objects(t.ok("GET", at+"/messages", nil)["data"])))
		require.Equal(t, "this one", t.ok("GET", at, nil)["output_preview"])
		t.refused(t.call("POST", at+"/tool-results", object{"tool_results": []any{result}}), 409)
	}},
	{"a message is no answer to a tool's question, and comes after the turn", unknown, script, func(t *everruns) {
		at := t.at("ask Which?; finish {{answer}}")
		all := t.until(at, "tool.call_requested")
		t.send(at, "finish later")
		t.status(at, "waitingfortoolresults")
		call := objects(field(all[len(all)-1], "data", "tool_calls"))[0]
		t.ok("POST", at+"/tool-results", object{"tool_results": []any{object{"tool_call_id": call["id"], "error": "nobody is here"}}})
		require.Eventually(t, func() bool {
			return len(of("turn.completed", t.events(at+"/events"))) == 2
		}, patience, t.poll())
		done := of("output.message.completed", t.events(at+"/events"))
		require.Equal(t, []string{"nobody is here", "later"}, []string{says(field(done[1], "data", "message")), says(field(done[2], "data", "message"))})
	}},
	{"a session that waits for a tool can be cancelled", inferred, script, func(t *everruns) {
		at := t.at("ask Which?")
		t.until(at, "tool.call_requested")
		require.Equal(t, "cancelled", t.ok("POST", at+"/cancel", nil)["status"])
		t.status(at, "idle")
	}},
	{"the sessions are counted by status", inferred, alone, func(t *everruns) {
		t.path()
		t.at("wait 1h")
		t.until(t.at("ask Which?"), "tool.call_requested")
		t.until(t.at("finish ok"), "session.idled")
		require.Equal(t, object{"total": 4.0, "started": 1.0, "active": 1.0, "idle": 1.0, "waiting_for_tool_results": 1.0}, t.ok("GET", "/v1/sessions/stats", nil))
	}},
	{"a session without a task has none", inferred, nothing, func(t *everruns) {
		at := t.path()
		require.Equal(t, []any{}, t.ok("GET", at+"/tasks", nil)["data"])
		t.refused(t.call("GET", at+"/tasks/task_"+noSuch, nil), 404)
		t.refused(t.call("GET", at+"/tasks/1", nil), 400)
	}},
}
