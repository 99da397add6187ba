package conformance

import (
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
)

var agenTimelineRows = []row[*agen]{
	{"the timeline of a new session is an empty list", inferred, nothing, func(t *agen) {
		require.Empty(t, t.timeline(t.path()))
	}},
	{"a message is an event", given, script, func(t *agen) {
		at := t.at("")
		e := t.ok("POST", at+"/messages", object{"message": "finish ok", "client_id": "k-1"})
		t.isEvent(e)
		require.Equal(t, []any{"user_message", "k-1", strings.TrimPrefix(at, "/sessions/")}, []any{e["type"], e["client_id"], e["session_id"]})
		require.Equal(t, object{"type": "user_message", "message": "finish ok"}, e["payload"])
		listed := t.timeline(at)[0]
		require.Equal(t, []any{e["id"], e["payload"], e["client_id"], e["created_at"]},
			[]any{listed["id"], listed["payload"], listed["client_id"], listed["created_at"]})
	}},
	{"a message without a client_id has null there", given, script, func(t *agen) {
		at := t.at("")
		e := t.ok("POST", at+"/messages", object{"message": "finish ok", "client_id": nil})
		id, there := e["client_id"]
		require.True(t, there)
		require.Nil(t, id)
	}},
	{"a message has at least one character", given, nothing, func(t *agen) {
		at := t.path()
		for _, body := range []any{object{}, object{"message": ""}, object{"message": nil}, object{"message": 7}, object{"message": "x", "client_id": 7}, "{", "[]"} {
			t.refused(t.call("POST", at+"/messages", body), http.StatusBadRequest)
		}
		require.Empty(t, t.timeline(at))
	}},
	{"a message can be too large", unknown, script, func(t *agen) {
		t.refused(t.call("POST", t.at("")+"/messages", object{"message": strings.Repeat("x", 2<<20)}), http.StatusRequestEntityTooLarge)
	}},
	{"messages of one client_id are stored twice", unknown, script, func(t *agen) {
		at := t.at("")
		first := t.ok("POST", at+"/messages", object{"message": "finish one", "client_id": "k-1"})
		second := t.ok("POST", at+"/messages", object{"message": "finish two", "client_id": "k-1"})
		require.NotEqual(t, first["id"], second["id"])
		require.Eventually(t, func() bool { return len(of("session_finished", t.timeline(at))) == 2 }, patience, t.poll())
	}},
}

var agenTurnRows = []row[*agen]{
	{"a task ends with a message and session_finished", inferred, script, func(t *agen) {
		at := t.at(`think looking; log saved; finish {"price":"24.50"}`)
		all := t.until(at, "session_finished", "completed")
		require.Equal(t, []any{
			"user_message completed", "agent_plan_execution_update completed", "system_message completed",
			"agent_message completed", "session_finished completed",
		}, steps(all))
		require.Equal(t, "looking", field(all[1], "payload", "message"))
		require.JSONEq(t, `{"price":"24.50"}`, field(all[3], "payload", "message").(string))
		for _, e := range all {
			t.isEvent(e)
			require.Equal(t, e["type"], field(e, "payload", "type"))
		}
		s := t.ok("GET", at, nil)
		require.Equal(t, []any{"finished", "idle"}, []any{s["status"], s["agent_status"]})
	}},
	{"the reader finds a price in the shop", inferred, reader, func(t *agen) {
		at := "/sessions/" + t.create(object{"model": "reader"})["id"].(string)
		t.send(at, "Report the name and the price of the product.\n\nStart at http://shop.localhost/teapot")
		all := t.until(at, "session_finished", "completed")
		require.NotEmpty(t, of("agent_plan_execution_update", all), "it says what it does")
		require.Len(t, of("agent_message", all), 1)
		require.Contains(t, field(of("agent_message", all)[0], "payload", "message"), `"price":24.50`)
	}},
	{"an event is edited in place", inferred, script, func(t *agen) {
		at := t.at("think one; wait 1s; finish two")
		first := t.until(at, "user_message", "processing")[0]
		require.Equal(t, "working", t.ok("GET", at, nil)["agent_status"])
		last := t.until(at, "user_message", "completed")[0]
		require.Equal(t, []any{first["id"], first["created_at"]}, []any{last["id"], last["created_at"]})
		require.Greater(t, last["updated_at"], first["updated_at"])
	}},
	{"a message to a busy agent is queued, and is the next task", given, script, func(t *agen) {
		at := t.at("think one; wait 1s; finish two")
		t.until(at, "agent_plan_execution_update", "completed")
		second := t.send(at, "finish three")
		require.Equal(t, "queued", second["status"])
		require.Eventually(t, func() bool { return len(of("session_finished", t.timeline(at))) == 2 }, patience, t.poll())
		all := t.timeline(at)
		require.Equal(t, []any{
			"user_message completed", "agent_plan_execution_update completed", "user_message completed",
			"agent_message completed", "session_finished completed", "agent_message completed", "session_finished completed",
		}, steps(all))
		require.Equal(t, []any{second["id"], second["created_at"]}, []any{all[2]["id"], all[2]["created_at"]})
		require.Equal(t, []any{"two", "three"}, []any{field(all[3], "payload", "message"), field(all[5], "payload", "message")})
	}},
	{"a question is answered by a message", inferred, script, func(t *agen) {
		at := t.at(`ask Which size?; finish {"size":"{{answer}}"}`)
		all := t.until(at, "agent_ask_user", "processing")
		require.Equal(t, object{"type": "agent_ask_user", "question": "Which size?"}, all[1]["payload"])
		require.Equal(t, "waiting_for_user", t.ok("GET", at, nil)["agent_status"])
		answer := t.send(at, "XL")
		require.Equal(t, []any{"user_ask_user_response", object{"type": "user_ask_user_response", "message": "XL"}}, []any{answer["type"], answer["payload"]})
		all = t.until(at, "session_finished", "completed")
		require.Equal(t, []any{
			"user_message completed", "agent_ask_user completed", "user_ask_user_response completed",
			"agent_message completed", "session_finished completed",
		}, steps(all))
		require.JSONEq(t, `{"size":"XL"}`, field(all[3], "payload", "message").(string))
	}},
	{"a message that was queued before a question is not its answer", inferred, script, func(t *agen) {
		at := t.at("think one; wait 500ms; ask Which size?; finish {{answer}}")
		t.until(at, "agent_plan_execution_update", "completed")
		require.Equal(t, "queued", t.send(at, "finish later")["status"])
		t.until(at, "agent_ask_user", "processing")
		require.Equal(t, "user_ask_user_response", t.send(at, "XL")["type"])
		require.Eventually(t, func() bool { return len(of("session_finished", t.timeline(at))) == 2 }, patience, t.poll())
		var said []any
		for _, e := range of("agent_message", t.timeline(at)) {
			said = append(said, field(e, "payload", "message"))
		}
		require.Equal(t, []any{"XL", "later"}, said)
	}},
	{"a failure is a system message and an alert", inferred, script, func(t *agen) {
		at := t.at("fail the shop is closed")
		all := t.until(at, "agent_alert_created", "completed")
		require.Equal(t, []any{"user_message completed", "system_message completed", "agent_alert_created completed"}, steps(all))
		require.Equal(t, "the shop is closed", field(all[2], "payload", "message"))
		require.Equal(t, "error", t.ok("GET", at, nil)["agent_status"])
		t.send(at, "finish ok")
		t.until(at, "session_finished", "completed")
		require.Equal(t, "idle", t.ok("GET", at, nil)["agent_status"])
	}},
}
