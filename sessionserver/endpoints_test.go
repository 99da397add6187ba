package sessionserver

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestCreateGivesAWholeSession(t *testing.T) {
	_, c := serve(t, Config{})
	s := c.createWith(map[string]any{"goal": "look", "max_steps": 100, "enable_memory_snapshot": false,
		"agent_session_type": "managed-cdp", "environment_type": "chrome-1", "webhook_url": "https://hooks.example/x"})
	require.NoError(t, uuid.Validate(s.SessionID))
	require.NoError(t, uuid.Validate(s.EnvironmentID))
	require.Equal(t, "agi-0", s.AgentName)
	require.Equal(t, "ready", s.Status)
	require.Equal(t, c.base+"/session/"+s.SessionID, s.VNCURL)
	created, err := time.Parse("2006-01-02T15:04:05.000Z", s.CreatedAt)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), created, time.Minute)

	var shown sessionJSON
	c.ok("GET", "/v1/sessions/"+s.SessionID, nil, &shown)
	require.Equal(t, s, shown)
}

func TestListHasAllSessionsUntilTheyAreDeleted(t *testing.T) {
	_, c := serve(t, Config{})
	code, body := c.call("GET", "/v1/sessions", "")
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, "[]", body)

	first, second := c.create("script"), c.create("reader")
	var list []sessionJSON
	c.ok("GET", "/v1/sessions", nil, &list)
	require.Len(t, list, 2)
	require.Equal(t, []string{first, second}, []string{list[0].SessionID, list[1].SessionID})

	_, body = c.call("DELETE", "/v1/sessions/"+first, "")
	require.JSONEq(t, `{"success":true,"deleted":true,"message":"Session deleted successfully"}`, body)
	_, body = c.call("DELETE", "/v1/sessions/"+first, "")
	require.JSONEq(t, `{"success":true,"deleted":false,"message":"Session not found"}`, body)
	c.ok("GET", "/v1/sessions", nil, &list)
	require.Len(t, list, 1)

	_, body = c.call("DELETE", "/v1/sessions", "")
	require.JSONEq(t, `{"success":true,"deleted":true,"message":"Sessions deleted successfully"}`, body)
	_, body = c.call("DELETE", "/v1/sessions", "")
	require.JSONEq(t, `{"success":true,"deleted":false,"message":"No sessions to delete"}`, body)
}

func TestEveryCallOnADeletedSessionIsA404(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	c.send(id, "wait 1h")
	c.ok("DELETE", "/v1/sessions/"+id, nil, nil)
	for _, call := range []string{"GET ", "GET /status", "GET /messages", "GET /events", "POST /message", "POST /pause", "POST /resume", "POST /cancel", "POST /navigate", "GET /screenshot"} {
		method, path, _ := strings.Cut(call, " ")
		code, body := c.call(method, "/v1/sessions/"+id+path, `{"message":"x"}`)
		require.Equal(t, http.StatusNotFound, code, call)
		require.JSONEq(t, `{"detail":"Session not found"}`, body, call)
	}
	code, _ := c.call("GET", "/session/"+id, "")
	require.Equal(t, http.StatusNotFound, code)
}

func TestAnswersOfTheSmallEndpoints(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	at := "/v1/sessions/" + id
	tests := []struct {
		call, body string
		code       int
		answer     string
	}{
		{"GET " + at + "/status", "", 200, `{"status":"ready"}`},
		{"GET " + at + "/messages", "", 200, `{"messages":[],"status":"ready","has_agent":true}`},
		{"POST " + at + "/pause", "", 200, `{"success":true,"message":"Session paused successfully"}`},
		{"POST " + at + "/resume", "", 200, `{"success":true,"message":"Session resumed successfully"}`},
		{"POST " + at + "/cancel", "", 200, `{"success":true,"message":"Session cancelled successfully"}`},
		{"GET " + at + "/status", "", 200, `{"status":"ready"}`},
		{"POST " + at + "/navigate", `{"url":"nonsense"}`, 400, `{"detail":"url should be absolute, begin with http:// or https:// and have at most 2000 characters"}`},
		{"POST " + at + "/navigate", `{"url":"http://a.example"}`, 400, `{"detail":"The agent of this session has no browser; send a message with a start_url instead"}`},
		{"GET " + at + "/screenshot", "", 400, `{"detail":"The agent of this session has no browser; send a message with a start_url instead"}`},
		{"GET /v1/models", "", 200, `{"models":["agi-0","agi-0-fast","agi-1","agi-2-claude","agi-2-qwen","reader","script"]}`},
		{"GET /v1/models?filter=desktop", "", 200, `{"models":[]}`},
		{"POST " + at + "/message", `{"message":"finish ok"}`, 200, `{"success":true,"message":"Message sent successfully"}`},
		{"GET /healthz", "", 200, `{"status":"ok"}`},
		{"GET /v1/nothing", "", 404, `{"detail":"Not Found"}`},
		{"PUT /v1/sessions", "", 405, `{"detail":"Method Not Allowed"}`},
		{"GET /v1/sessions/no-uuid", "", 404, `{"detail":"Session not found"}`},
	}
	for _, tt := range tests {
		t.Run(tt.call, func(t *testing.T) {
			method, path, _ := strings.Cut(tt.call, " ")
			code, body := c.call(method, path, tt.body)
			require.Equal(t, tt.code, code, body)
			require.JSONEq(t, tt.answer, body)
		})
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	_, c := serve(t, Config{})
	at := "/v1/sessions/" + c.create("script")
	long := "http://a.example/" + strings.Repeat("x", 2000)
	tests := []struct {
		name, call, body string
		loc              []string
	}{
		{"an unknown agent", "POST /v1/sessions", `{"agent_name":"agi-9"}`, []string{"body", "agent_name"}},
		{"a webhook that is no URL", "POST /v1/sessions", `{"webhook_url":"hooks.example"}`, []string{"body", "webhook_url"}},
		{"a webhook that is too long", "POST /v1/sessions", `{"webhook_url":"` + long + `"}`, []string{"body", "webhook_url"}},
		{"a restore id that is no UUID", "POST /v1/sessions", `{"restore_from_session_id":"7"}`, []string{"body", "restore_from_session_id"}},
		{"an environment id that is no UUID", "POST /v1/sessions", `{"restore_from_environment_id":"7"}`, []string{"body", "restore_from_environment_id"}},
		{"no steps", "POST /v1/sessions", `{"max_steps":0}`, []string{"body", "max_steps"}},
		{"a desktop", "POST /v1/sessions", `{"agent_session_type":"desktop"}`, []string{"body", "agent_session_type"}},
		{"a field of the wrong type", "POST /v1/sessions", `{"agent_name":7}`, []string{"body", "agent_name"}},
		{"no JSON", "POST /v1/sessions", `{`, []string{"body"}},
		{"no JSON object", "POST /v1/sessions", `[]`, []string{"body"}},
		{"no message", "POST " + at + "/message", `{}`, []string{"body", "message"}},
		{"a null message", "POST " + at + "/message", `{"message":null}`, []string{"body", "message"}},
		{"an empty message", "POST " + at + "/message", `{"message":""}`, []string{"body", "message"}},
		{"a message that is too long", "POST " + at + "/message", `{"message":"` + strings.Repeat("ü", 10_001) + `"}`, []string{"body", "message"}},
		{"a message that is not UTF-8", "POST " + at + "/message", "{\"message\":\"\xff\"}", []string{"body"}},
		{"a relative start URL", "POST " + at + "/message", `{"message":"x","start_url":"/teapot"}`, []string{"body", "start_url"}},
		{"a start URL of another scheme", "POST " + at + "/message", `{"message":"x","start_url":"ftp://a.example"}`, []string{"body", "start_url"}},
		{"a start URL that is too long", "POST " + at + "/message", `{"message":"x","start_url":"` + long + `"}`, []string{"body", "start_url"}},
		{"config updates that are no object", "POST " + at + "/message", `{"message":"x","config_updates":3}`, []string{"body", "config_updates"}},
		{"an after_id that is no number", "GET " + at + "/messages?after_id=x", "", []string{"query", "after_id"}},
		{"a sanitize that is no boolean", "GET " + at + "/messages?sanitize=x", "", []string{"query", "sanitize"}},
		{"an include_history that is no boolean", "GET " + at + "/events?include_history=x", "", []string{"query", "include_history"}},
		{"an unknown snapshot mode", "DELETE " + at + "?save_snapshot_mode=auto", "", []string{"query", "save_snapshot_mode"}},
		{"a save_as_default that is no boolean", "DELETE " + at + "?save_as_default=x", "", []string{"query", "save_as_default"}},
		{"an unknown model filter", "GET /v1/models?filter=x", "", []string{"query", "filter"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method, path, _ := strings.Cut(tt.call, " ")
			code, body := c.call(method, path, tt.body)
			require.Equal(t, http.StatusUnprocessableEntity, code, body)
			var answer struct {
				Detail []struct {
					Loc       []string
					Msg, Type string
				}
			}
			require.NoError(t, json.Unmarshal([]byte(body), &answer), body)
			require.Len(t, answer.Detail, 1)
			require.Equal(t, tt.loc, answer.Detail[0].Loc)
			require.NotEmpty(t, answer.Detail[0].Msg)
			require.NotEmpty(t, answer.Detail[0].Type)
		})
	}
	require.Equal(t, "ready", c.messages(strings.TrimPrefix(at, "/v1/sessions/")).Status, "a refused message starts nothing")
}

func TestAnUnknownAgentIsToldWhichThereAre(t *testing.T) {
	_, c := serve(t, Config{})
	_, body := c.call("POST", "/v1/sessions", `{"agent_name":"agi-9"}`)
	require.Contains(t, body, "agi-0, agi-0-fast, agi-1, agi-2-claude, agi-2-qwen, reader, script")
}

func TestLimitsCountCharactersNotBytes(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	text := "finish " + strings.Repeat("ü", 10_000-len("finish "))
	c.send(id, text)
	require.Equal(t, strings.TrimPrefix(text, "finish "), c.until(id, "finished").last().Content)
}

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	_, c := serve(t, Config{})
	code, body := c.call("POST", "/v1/sessions", `{"goal":"`+strings.Repeat("x", 1<<20)+`"}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, code)
	require.JSONEq(t, `{"detail":"Request body too large"}`, body)
}

func TestASnapshotCarriesEnvironmentAndAgentStateOver(t *testing.T) {
	dir := t.TempDir()
	_, c := serve(t, Config{Dir: dir})
	saved := c.createWith(map[string]any{"agent_name": "reader"})
	c.sendURL(saved.SessionID, "Report the price", "http://shop.localhost/mug")
	c.until(saved.SessionID, "finished")
	c.ok("DELETE", "/v1/sessions/"+saved.SessionID+"?save_snapshot_mode=memory&save_as_default=true", nil, nil)

	for name, body := range map[string]map[string]any{
		"by session":     {"restore_from_session_id": saved.SessionID},
		"by default":     {"restore_default_environment_from_user_id": "someone"},
		"by environment": {"restore_from_environment_id": saved.EnvironmentID},
		"session wins":   {"restore_from_session_id": saved.SessionID, "restore_from_environment_id": uuid.NewString()},
	} {
		t.Run(name, func(t *testing.T) {
			body["agent_name"] = "reader"
			s := c.createWith(body)
			require.Equal(t, saved.EnvironmentID, s.EnvironmentID)
			require.NotEqual(t, saved.SessionID, s.SessionID)
			c.send(s.SessionID, "The name, please") // of the page read before
			require.Equal(t, map[string]any{"name": "Camping Mug"}, c.until(s.SessionID, "finished").last().Content)
		})
	}
	t.Run("the environment works with another agent", func(t *testing.T) {
		s := c.createWith(map[string]any{"agent_name": "script", "restore_from_session_id": saved.SessionID})
		require.Equal(t, saved.EnvironmentID, s.EnvironmentID)
		c.send(s.SessionID, "finish ok")
		c.until(s.SessionID, "finished")
	})
	t.Run("an unknown snapshot still gives a session", func(t *testing.T) {
		s := c.createWith(map[string]any{"restore_from_session_id": uuid.NewString()})
		require.NotEqual(t, saved.EnvironmentID, s.EnvironmentID)
	})
	t.Run("a new server knows the snapshots of the old one", func(t *testing.T) {
		other, err := New(Config{Dir: dir})
		require.NoError(t, err)
		defer func() { require.NoError(t, other.Close(t.Context())) }()
		s, err := other.engine.Create(t.Context(), defaultRestore)
		require.NoError(t, err)
		require.Equal(t, saved.EnvironmentID, s.EnvironmentID)
	})
}

func TestASessionDeletedWithoutSnapshotCannotBeRestored(t *testing.T) {
	_, c := serve(t, Config{})
	first := c.createWith(nil)
	c.ok("DELETE", "/v1/sessions/"+first.SessionID+"?save_as_default=true", nil, nil)
	second := c.createWith(map[string]any{"restore_from_session_id": first.SessionID, "restore_default_environment_from_user_id": "u"})
	require.NotEqual(t, first.EnvironmentID, second.EnvironmentID)
}
