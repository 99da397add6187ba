package conformance

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

var runsMessageRows = []row[*everruns]{
	{"a new session has no messages and no events", given, nothing, func(t *everruns) {
		at := t.path()
		require.Equal(t, []any{}, t.ok("GET", at+"/messages", nil)["data"])
		require.Equal(t, []any{}, t.ok("GET", at+"/events", nil)["data"])
	}},
	{"a message must have parts, of the user", given, nothing, func(t *everruns) {
		at := t.path()
		for _, body := range []any{
			object{}, object{"message": object{}}, object{"message": object{"content": []any{}}}, object{"message": object{"content": "x"}},
			object{"message": object{"content": []any{object{"type": "tool_call"}}}},
			object{"message": object{"role": "agent", "content": []any{text("x")}}},
			object{"message": object{"content": []any{text("x")}}, "metadata": "x"},
		} {
			a := t.call("POST", at+"/messages", body)
			require.Contains(t, []int{400, 422}, a.code, a.body)
		}
		require.Empty(t, t.events(at+"/events"))
	}},
	{"a message comes back with its metadata and tags", given, script, func(t *everruns) {
		at := t.at("")
		body := user("finish ok")
		body["metadata"], body["tags"] = object{"key": "k-1", "n": 1.0}, []string{"t"}
		a := t.call("POST", at+"/messages", body)
		require.Equal(t, 201, a.code)
		m := a.object()
		t.isID("message", m["id"])
		t.isTime(m["created_at"])
		require.Equal(t, []any{"user", "finish ok", body["metadata"]}, []any{m["role"], says(m), m["metadata"]})
		all := t.until(at, "session.idled")
		require.Equal(t, m, field(all[0], "data", "message"))
		listed := objects(t.ok("GET", at+"/messages", nil)["data"])
		require.Equal(t, []any{"user", "agent"}, fields("role", listed))
		require.Equal(t, []any{m["id"], m["metadata"], all[0]["sequence"], all[0]["session_id"]},
			[]any{listed[0]["id"], listed[0]["metadata"], listed[0]["sequence"], listed[0]["session_id"]})
		require.Equal(t, "ok", says(listed[1]))
	}},
	{"a turn tells its events in order", given, script, func(t *everruns) {
		at := t.at(`think a; finish {"c":[1]}`)
		all := t.until(at, "session.idled")
		require.Equal(t, []any{
			"input.message", "session.activated", "turn.started", "reason.started",
			"reason.thinking.started", "reason.thinking.completed",
			"output.message.started", "output.message.delta", "reason.completed", "output.message.completed",
			"turn.completed", "session.idled",
		}, types(all))
		turn, input := field(all[1], "data", "turn_id"), field(all[0], "data", "message", "id")
		t.isID("turn", turn)
		last := ""
		for i, e := range all {
			t.isID("event", e["id"])
			t.isTime(e["ts"])
			require.EqualValues(t, i+1, e["sequence"])
			require.Greater(t, e["id"].(string), last, "ids are in order")
			last = e["id"].(string)
			if i > 0 {
				require.Equal(t, []any{turn, input}, []any{field(e, "context", "turn_id"), field(e, "context", "input_message_id")})
			}
		}
		require.Equal(t, "a", field(all[5], "data", "thinking"))
		require.JSONEq(t, `{"c":[1]}`, says(field(all[9], "data", "message")))
		require.Equal(t, []any{turn, 1.0}, []any{field(all[10], "data", "turn_id"), field(all[10], "data", "iterations")})
		t.status(at, "idle")
		s := t.ok("GET", at, nil)
		require.JSONEq(t, `{"c":[1]}`, s["output_preview"].(string))
		require.Nil(t, s["finished_at"])
		t.isTime(s["started_at"])
	}},
	{"what the agent does is told as tools", inferred, script, func(t *everruns) {
		all := t.until(t.at("log b; finish ok"), "session.idled")
		names := fields("type", all)
		at := slices.Index(names, any("act.started"))
		require.Equal(t, []any{"reason.completed", "act.started", "tool.started", "tool.completed", "act.completed", "reason.started"}, names[at-1:at+5])
		require.Equal(t, field(all[at+1], "data", "tool_call", "id"), field(all[at+2], "data", "tool_call_id"))
		require.Equal(t, true, field(all[at+2], "data", "success"))
	}},
	{"a failed turn ends with words for people, too", given, script, func(t *everruns) {
		at := t.at("fail no luck")
		all := t.until(at, "session.idled")
		names := types(all)
		require.Equal(t, []any{"output.message.completed", "turn.failed", "session.idled"}, names[len(names)-3:])
		require.Equal(t, "no luck", field(all[len(all)-2], "data", "error"))
		require.NotContains(t, says(field(all[len(all)-3], "data", "message")), "no luck")
		t.status(at, "idle")
	}},
	{"a message while a turn is active is the next turn", unknown, script, func(t *everruns) {
		at := t.at("wait 100ms; finish one")
		t.send(at, "finish two")
		require.Eventually(t, func() bool {
			return len(of("turn.completed", t.events(at+"/events"))) == 2
		}, patience, t.poll())
		all := t.until(at, "session.idled")
		var said []string
		for _, e := range of("output.message.completed", all) {
			said = append(said, says(field(e, "data", "message")))
		}
		require.Equal(t, []string{"one", "two"}, said)
		second := of("input.message", all)[1]
		require.Less(t, second["sequence"], of("turn.completed", all)[0]["sequence"], "it is there at once")
		require.Equal(t, field(second, "data", "message", "id"), field(of("turn.started", all)[1], "data", "input_message_id"))
	}},
}

var runsEventRows = []row[*everruns]{
	{"since_id is exclusive, and an id that is none goes by its place", inferred, script, func(t *everruns) {
		at := t.at("finish ok")
		all := t.until(at, "session.idled")
		require.Equal(t, all[3:], t.events(at+"/events?since_id="+all[2]["id"].(string)))
		require.Empty(t, t.events(at+"/events?since_id=event_"+noSuch))
		require.Equal(t, all, t.events(at+"/events?since_id=event_00000000000070008000000000000000"))
		require.Equal(t, 400, t.call("GET", at+"/events?since_id=1", nil).code)
	}},
	{"exclude takes a type in each parameter", given, script, func(t *everruns) {
		at := t.at("finish ok")
		all := t.until(at, "session.idled")
		rest := t.events(at + "/events?exclude=output.message.delta&exclude=reason.started")
		require.Len(t, rest, len(all)-2)
		require.NotContains(t, types(rest), "reason.started")
		for _, query := range []string{"exclude=no.such.type", "exclude=turn.started,turn.failed", strings.Repeat("exclude=turn.started&", 26)} {
			require.Equal(t, 400, t.call("GET", at+"/events?"+query, nil).code, query)
		}
	}},
}

var runsStreamRows = []row[*everruns]{
	{"the stream connects, tells what was, and then what happens", given, script, func(t *everruns) {
		at := t.at("finish one")
		all := t.until(at, "session.idled")
		var frames []frame
		t.following(at+"/sse", func() { t.send(at, "finish two") }, func(f frame) bool {
			frames = append(frames, f)
			return f.event == "session.idled" && f.data["sequence"] != all[len(all)-1]["sequence"]
		})
		require.Equal(t, "connected", frames[0].event)
		require.Equal(t, "connected", frames[0].data["status"])
		require.Empty(t, frames[0].id)
		events := t.until(at, "session.idled")
		var streamed []object
		for _, f := range frames[1:] {
			if f.comment != "" {
				continue
			}
			require.Equal(t, []any{f.id, f.event}, []any{f.data["id"], f.data["type"]})
			retry, err := strconv.Atoi(f.retry)
			require.NoError(t, err)
			require.True(t, retry >= 100 && retry <= 500, retry)
			streamed = append(streamed, f.data)
		}
		require.Equal(t, events, streamed)
	}},
	{"the stream goes on after an id, and leaves out what is excluded", given, script, func(t *everruns) {
		at := t.at("finish one")
		all := t.until(at, "session.idled")
		frames := t.stream(at+"/sse?since_id="+all[2]["id"].(string)+"&exclude=output.message.delta", func(f frame) bool { return f.event == "session.idled" })
		var ids []any
		for _, f := range frames {
			if f.id != "" {
				ids = append(ids, f.id)
			}
		}
		want := slices.DeleteFunc(slices.Clone(all[3:]), func(e object) bool { return e["type"] == "output.message.delta" })
		require.Equal(t, fields("id", want), ids)
	}},
	{"an idle stream has heartbeats, and ends with a cycle", given, script, func(t *everruns) {
		frames := t.stream(t.at("")+"/sse", nil)
		last := frames[len(frames)-1]
		require.Equal(t, "disconnecting", last.event)
		require.Equal(t, object{"reason": "connection_cycle", "retry_ms": 100.0}, last.data)
		require.True(t, slices.ContainsFunc(frames, func(f frame) bool { return f.comment == "heartbeat" }))
	}},
}
