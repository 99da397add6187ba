package everruns

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey   = "evr_pat_0123456789abcdef"
	sessionID = "session_01933b5a00007000800000000000001a"
	agentID   = "agent_01933b5a00007000800000000000000b"
)

func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client, err := New(Config{BaseURL: server.URL, APIKey: testKey})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func at(t *testing.T, text string) (ts Timestamp) {
	t.Helper()
	var err error
	ts.Time, err = time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return ts
}

// apiCall is one call of the API, and what it looks like on the wire.
type apiCall struct {
	call   func(context.Context, *Client) (any, error)
	sent   string // method, escaped path and query
	body   string
	answer string
	want   any
}

func apiCalls(t *testing.T) map[string]apiCall {
	const session = `{"id":"` + sessionID + `","organization_id":"org_1","agent_id":"` + agentID + `","status":"idle",` +
		`"created_at":"2026-02-07T09:30:00Z","updated_at":"2026-02-07T09:31:00Z","started_at":"2026-02-07T09:30:30Z",` +
		`"finished_at":null,"title":"Lamp","model_id":"model_1","preview":"What","output_preview":"It","tags":["a"],` +
		`"capabilities":[{"ref":"web","config":{"n":1}}],"usage":{"input_tokens":3,"output_tokens":4,"cache_read_tokens":null}}`
	wantSession := Session{
		ID: sessionID, OrganizationID: "org_1", AgentID: agentID, Status: SessionIdle,
		CreatedAt: at(t, "2026-02-07T09:30:00Z"), UpdatedAt: at(t, "2026-02-07T09:31:00Z"), StartedAt: at(t, "2026-02-07T09:30:30Z"),
		Title: "Lamp", ModelID: "model_1", Preview: "What", OutputPreview: "It", Tags: []string{"a"},
		Capabilities: []CapabilityRef{{Ref: "web", Config: json.RawMessage(`{"n":1}`)}},
		Usage:        &TokenUsage{InputTokens: 3, OutputTokens: 4},
	}
	const message = `{"id":"message_1","role":"user","content":[{"type":"text","text":"go"}],"created_at":"2026-02-07T09:30:00Z",` +
		`"metadata":{"key":"k"},"session_id":"s-1","sequence":2}`
	wantMessage := Message{
		ID: "message_1", Role: RoleUser, Content: TextContent("go"), CreatedAt: at(t, "2026-02-07T09:30:00Z"),
		Metadata: json.RawMessage(`{"key":"k"}`), SessionID: "s-1", Sequence: 2,
	}
	const agent = `{"id":"` + agentID + `","name":"Clerk","system_prompt":"Be brief","status":"active",` +
		`"created_at":"2026-02-07T09:30:00Z","updated_at":"2026-02-07T09:30:00Z","default_model_id":null}`
	wantAgent := Agent{
		ID: agentID, Name: "Clerk", SystemPrompt: "Be brief", Status: AgentActive,
		CreatedAt: at(t, "2026-02-07T09:30:00Z"), UpdatedAt: at(t, "2026-02-07T09:30:00Z"),
	}
	const model = `{"id":"model_1","model_id":"large","display_name":"Large","provider_id":"provider_1","provider_name":"P",` +
		`"provider_type":"llmsim","capabilities":["vision"],"is_default":true,"is_favorite":false,"source":"manual",` +
		`"status":"active","created_at":"2026-02-07T09:30:00Z","updated_at":"2026-02-07T09:30:00Z"}`
	wantModel := Model{
		ID: "model_1", ModelID: "large", DisplayName: "Large", ProviderID: "provider_1", ProviderName: "P", ProviderType: "llmsim",
		Capabilities: []string{"vision"}, IsDefault: true, Source: SourceManual, Status: ModelActive,
		CreatedAt: at(t, "2026-02-07T09:30:00Z"), UpdatedAt: at(t, "2026-02-07T09:30:00Z"),
	}
	const task = `{"id":"task_1","state":"awaiting_input","kind":"subagent","input_request":{"id":"r-1","prompt":"Which?"}}`
	wantTask := Task{ID: "task_1", State: TaskAwaitingInput, Kind: "subagent", InputRequest: &InputRequest{ID: "r-1", Prompt: "Which?"}}
	yes, no, title, one := true, false, "New", int64(1)

	return map[string]apiCall{
		"create a session": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.CreateSession(ctx, CreateSessionRequest{AgentID: agentID})
			},
			sent: "POST /v1/sessions", body: `{"agent_id":"` + agentID + `"}`, answer: session, want: wantSession,
		},
		"create a session with everything": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.CreateSession(ctx, CreateSessionRequest{
					AgentID: agentID, Capabilities: wantSession.Capabilities, ModelID: "model_1", Tags: []string{"a"}, Title: "Lamp",
					AgentName: "Clerk", HarnessID: "harness_1", HarnessName: "h", Locale: "de", MaxIterations: 9,
					ParallelToolCalls: &no, SystemPrompt: "p", Tools: json.RawMessage(`[]`), WorkspaceID: "wsp_1",
				})
			},
			sent: "POST /v1/sessions",
			body: `{"agent_id":"` + agentID + `","capabilities":[{"ref":"web","config":{"n":1}}],"model_id":"model_1","tags":["a"],` +
				`"title":"Lamp","agent_name":"Clerk","harness_id":"harness_1","harness_name":"h","locale":"de","max_iterations":9,` +
				`"parallel_tool_calls":false,"system_prompt":"p","tools":[],"workspace_id":"wsp_1"}`,
			answer: session, want: wantSession,
		},
		"list sessions": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.ListSessions(ctx, ListSessionsOptions{AgentID: agentID, Offset: 20, Limit: 10, Search: "lamp"})
			},
			sent:   "GET /v1/sessions?agent_id=" + agentID + "&limit=10&offset=20&search=lamp",
			answer: `{"data":[` + session + `,{"id":"b","status":"asleep"}],"total":22,"offset":20,"limit":10}`,
			want: SessionPage{
				Data: []Session{wantSession, {ID: "b", Status: "asleep"}}, Total: 22, Offset: 20, Limit: 10,
				Date: time.Date(2026, 2, 7, 9, 45, 0, 0, time.UTC),
			},
		},
		"get a session": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Session(ctx, "a/../b?c") },
			sent:   "GET /v1/sessions/a%2F..%2Fb%3Fc",
			answer: session, want: wantSession,
		},
		"get a session of the current profile": {
			call: func(ctx context.Context, c *Client) (any, error) { return c.Session(ctx, "s-1") },
			sent: "GET /v1/sessions/s-1",
			answer: `{"id":"s-1","status":"active","harness_id":"harness_1","owner_principal_id":"principal_1","workspace_id":"wsp_1",` +
				`"self_url":"/v1/s","view_url":"https://v.example","ui_link":"https://u.example",` +
				`"allowed_actions":[{"rel":"cancel","href":"/c","method":"POST","operation_id":"o","hint":"h"}],"features":[]}`,
			want: Session{
				ID: "s-1", Status: SessionActive, HarnessID: "harness_1", OwnerPrincipalID: "principal_1", WorkspaceID: "wsp_1",
				SelfURL: "/v1/s", ViewURL: "https://v.example", UILink: "https://u.example",
				AllowedActions: []AllowedAction{{Rel: "cancel", Href: "/c", Method: "POST", OperationID: "o", Hint: "h"}},
			},
		},
		"update a session": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.UpdateSession(ctx, "s-1", UpdateSessionRequest{Title: &title, Tags: &[]string{}})
			},
			sent: "PATCH /v1/sessions/s-1", body: `{"title":"New","tags":[]}`, answer: session, want: wantSession,
		},
		"delete a session": {
			call: func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteSession(ctx, "s-1") },
			sent: "DELETE /v1/sessions/s-1",
		},
		"cancel a session": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.CancelSession(ctx, "s-1") },
			sent:   "POST /v1/sessions/s-1/cancel",
			answer: `{"status":"no_op","message":"nothing to do"}`,
			want:   CancelResult{Status: CancelNoOp, Message: "nothing to do"},
		},
		"create a message": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.CreateMessage(ctx, "s-1", CreateMessageRequest{Message: InputMessage{Content: TextContent("go")}})
			},
			sent: "POST /v1/sessions/s-1/messages", body: `{"message":{"content":[{"type":"text","text":"go"}]}}`,
			answer: message, want: wantMessage,
		},
		"create a message with everything": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.CreateMessage(ctx, "s-1", CreateMessageRequest{
					Message: InputMessage{Role: RoleUser, Content: Content{
						{Type: ContentText},
						{Type: ContentImage, URL: "https://i.example"},
						{Type: ContentImage, Base64: "AA==", MediaType: "image/png"},
						{Type: ContentImageFile, ImageID: "img_1", Filename: "a.png"},
					}},
					Controls: &Controls{ModelID: "model_1", Reasoning: &ReasoningConfig{Effort: EffortHigh}},
					Metadata: map[string]any{"key": "k"}, Tags: []string{"a"},
				})
			},
			sent: "POST /v1/sessions/s-1/messages",
			body: `{"message":{"role":"user","content":[{"type":"text","text":""},{"type":"image","url":"https://i.example"},` +
				`{"type":"image","base64":"AA==","media_type":"image/png"},{"type":"image_file","image_id":"img_1","filename":"a.png"}]},` +
				`"controls":{"model_id":"model_1","reasoning":{"effort":"high"}},"metadata":{"key":"k"},"tags":["a"]}`,
			answer: message, want: wantMessage,
		},
		"list messages": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.ListMessages(ctx, "s-1") },
			sent:   "GET /v1/sessions/s-1/messages",
			answer: `{"data":[` + message + `]}`, want: []Message{wantMessage},
		},
		"submit tool results": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SubmitToolResults(ctx, "s-1", []ToolResult{{ToolCallID: "c-1", Result: json.RawMessage(`"blue"`)}, {ToolCallID: "c-2", Error: "no"}})
			},
			sent:   "POST /v1/sessions/s-1/tool-results",
			body:   `{"tool_results":[{"tool_call_id":"c-1","result":"blue"},{"tool_call_id":"c-2","error":"no"}]}`,
			answer: `{"accepted":1,"status":"active"}`, want: ToolResultsReply{Accepted: &one, Status: SessionActive},
		},
		"list tasks": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.ListTasks(ctx, "s-1") },
			sent:   "GET /v1/sessions/s-1/tasks",
			answer: `{"data":[` + task + `]}`, want: []Task{wantTask},
		},
		"list all tasks": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.ListAllTasks(ctx, ListAllTasksOptions{State: TaskRunning, Kind: "k", CreatedAfter: "2026-02-07", RootSessionID: "s-1", Limit: 5})
			},
			sent:   "GET /v1/tasks?created_after=2026-02-07&kind=k&limit=5&root_session_id=s-1&state=running",
			answer: `{"data":[]}`, want: []Task{},
		},
		"get a task": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Task(ctx, "s-1", "task_1") },
			sent:   "GET /v1/sessions/s-1/tasks/task_1",
			answer: task, want: wantTask,
		},
		"cancel a task": {
			call: func(ctx context.Context, c *Client) (any, error) { return nil, c.CancelTask(ctx, "s-1", "task_1") },
			sent: "POST /v1/sessions/s-1/tasks/task_1/cancel",
		},
		"answer a task": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return nil, c.CreateTaskMessage(ctx, "s-1", "task_1", TaskMessageRequest{Text: "blue", InReplyTo: "r-1"})
			},
			sent: "POST /v1/sessions/s-1/tasks/task_1/messages", body: `{"text":"blue","in_reply_to":"r-1"}`,
		},
		"list events": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.ListEvents(ctx, "s-1", ListEventsOptions{
					SinceID: "event_1", Exclude: []EventType{EventOutputDelta, EventThinkingDelta},
				})
			},
			sent: "GET /v1/sessions/s-1/events?exclude=output.message.delta&exclude=reason.thinking.delta&since_id=event_1",
			answer: `{"data":[{"id":"event_2","type":"turn.started","ts":"2026-02-07T09:30:00Z","session_id":"s-1",` +
				`"context":{"turn_id":"turn_1","input_message_id":"message_1"},"data":{"turn_id":"turn_1"},"sequence":2,"tags":["a"]},` +
				`{"id":"event_3","type":"voice.started","data":{"x":[1]},"context":7,"sequence":"odd"}]}`,
			want: []Event{
				{
					ID: "event_2", Type: EventTurnStarted, TS: at(t, "2026-02-07T09:30:00Z"), SessionID: "s-1", Sequence: 2, Tags: []string{"a"},
					Context: EventContext{TurnID: "turn_1", InputMessageID: "message_1"}, Data: json.RawMessage(`{"turn_id":"turn_1"}`),
				},
				{ID: "event_3", Type: "voice.started", Data: json.RawMessage(`{"x":[1]}`)},
			},
		},
		"list events of the current profile": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.ListEvents(ctx, "s-1", ListEventsOptions{
					Types: []EventType{EventTurnFailed, EventTurnSealed}, Limit: 5, BeforeSequence: 9, AfterSequence: 3, TurnID: "turn_1",
				})
			},
			sent:   "GET /v1/sessions/s-1/events?after_sequence=3&before_sequence=9&limit=5&turn_id=turn_1&types=turn.failed&types=turn.sealed",
			answer: `{"data":[]}`, want: []Event{},
		},
		"list agents": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.ListAgents(ctx) },
			sent:   "GET /v1/agents",
			answer: `{"data":[` + agent + `]}`, want: []Agent{wantAgent},
		},
		"create an agent": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.CreateAgent(ctx, CreateAgentRequest{
					Name: "Clerk", SystemPrompt: "Be brief", ID: agentID, Description: "d", DefaultModelID: "model_1",
					Tags: []string{"a"}, Capabilities: []CapabilityRef{{Ref: "web"}},
				})
			},
			sent: "POST /v1/agents",
			body: `{"name":"Clerk","system_prompt":"Be brief","id":"` + agentID + `","description":"d","default_model_id":"model_1",` +
				`"tags":["a"],"capabilities":[{"ref":"web"}]}`,
			answer: agent, want: wantAgent,
		},
		"get an agent": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Agent(ctx, agentID) },
			sent:   "GET /v1/agents/" + agentID,
			answer: agent, want: wantAgent,
		},
		"list models of the older profile": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.ListLLMModels(ctx, ListModelsOptions{Source: SourceManual, IncludeStale: &no, FavoritesOnly: &yes})
			},
			sent:   "GET /v1/llm-models?favorites_only=true&include_stale=false&source=manual",
			answer: `{"data":[` + model + `]}`, want: []Model{wantModel},
		},
		"list models": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.ListModels(ctx, ListModelsOptions{}) },
			sent:   "GET /v1/models",
			answer: `{"data":[` + model + `]}`, want: []Model{wantModel},
		},
	}
}

func TestEachMethodIsOneCallOfTheAPI(t *testing.T) {
	for name, test := range apiCalls(t) {
		t.Run(name, func(t *testing.T) {
			var sent, bodies []string
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				sent = append(sent, r.Method+" "+r.RequestURI)
				bodies = append(bodies, string(body))
				w.Header().Set("Date", "Sat, 07 Feb 2026 09:45:00 GMT")
				if test.answer == "" {
					w.WriteHeader(http.StatusNoContent)
				}
				fmt.Fprint(w, test.answer)
			})
			got, err := test.call(t.Context(), client)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.Equal(t, []string{test.sent}, sent)
			if test.body == "" {
				require.Equal(t, []string{""}, bodies)
			} else {
				require.JSONEq(t, test.body, bodies[0])
			}
		})
	}
}

func TestAnAgentIsImportedAsPlainText(t *testing.T) {
	const file = "---\nname: Clerk\n---\nBe brief\n"
	var sent string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = r.Method + " " + r.RequestURI + " " + r.Header.Get("Content-Type") + "\n" + string(body)
		fmt.Fprint(w, `{"id":"agent_1"}`)
	})
	agent, err := client.ImportAgent(t.Context(), file)
	require.NoError(t, err)
	require.Equal(t, "agent_1", agent.ID)
	require.Equal(t, "POST /v1/agents/import text/plain; charset=utf-8\n"+file, sent)
}

func TestAnAnswerThatCannotBeUsedIsAnError(t *testing.T) {
	for name, call := range map[string]func(*Client) error{
		"a session without an id":   func(c *Client) error { _, err := c.Session(t.Context(), "s-1"); return err },
		"a page without a list":     func(c *Client) error { _, err := c.ListSessions(t.Context(), ListSessionsOptions{}); return err },
		"events without a list":     func(c *Client) error { _, err := c.ListEvents(t.Context(), "s-1", ListEventsOptions{}); return err },
		"messages without a list":   func(c *Client) error { _, err := c.ListMessages(t.Context(), "s-1"); return err },
		"an agent without an id":    func(c *Client) error { _, err := c.Agent(t.Context(), "a-1"); return err },
		"a task that has no state":  func(c *Client) error { _, err := c.Task(t.Context(), "s-1", "t-1"); return err },
		"a created one without one": func(c *Client) error { _, err := c.CreateSession(t.Context(), CreateSessionRequest{}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			err := call(serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }))
			var unreadable *BodyError
			require.ErrorAs(t, err, &unreadable)
			require.ErrorContains(t, err, "is missing")
		})
	}
	err := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") }).DeleteSession(t.Context(), "")
	require.ErrorIs(t, err, ErrInvalidRequest)
}

func TestErrorsSpeakInEveryVintage(t *testing.T) {
	for name, test := range map[string]struct {
		status      int
		contentType string
		body        string
		message     string
		code        string
		after       time.Duration
	}{
		"no body":           {404, "", "", "Not Found", "", 0},
		"a text":            {400, "application/json", `{"error":"Input exceeds allowed limits"}`, "Input exceeds allowed limits", "", 0},
		"a text and code":   {401, "application/json", `{"error":"Unauthorized","status":401}`, "Unauthorized", "", 0},
		"an object":         {422, "application/json", `{"error":{"code":"invalid","message":"title is too long"}}`, "title is too long", "invalid", 0},
		"a problem":         {404, "application/problem+json", `{"title":"Not Found","status":404,"detail":"Agent not found","code":"agent_not_found","type":"about:blank"}`, "Agent not found", "agent_not_found", 0},
		"a problem's title": {409, "application/problem+json", `{"title":"Conflict","status":409}`, "Conflict", "", 0},
		"a problem that asks for time": {429, "application/problem+json",
			`{"title":"Too Many Requests","status":429,"code":"rate_limited","retry_after_seconds":7,"allowed_actions":[{"rel":"retry"}]}`,
			"Too Many Requests", "rate_limited", 7 * time.Second},
		"a proxy's page": {502, "text/html", `<html><h1>nginx</h1></html>`, "Bad Gateway", "", 0},
		"plain text":     {500, "text/plain", "Internal server error", "Internal server error", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			_, err := client.Session(t.Context(), "s-1")
			var answer *Error
			require.ErrorAs(t, err, &answer)
			require.Equal(t, test.status, answer.StatusCode)
			require.Equal(t, test.message, answer.Message)
			require.Equal(t, test.code, answer.Code)
			require.Equal(t, test.after, answer.RetryAfter)
		})
	}
}

func TestAStatusIsKnownInEverySpelling(t *testing.T) {
	for word, want := range map[SessionStatus]SessionStatus{
		"started": SessionStarted, "active": SessionActive, "idle": SessionIdle, "paused": SessionPaused,
		"waitingfortoolresults": SessionWaitingForToolResults, "waiting_for_tool_results": SessionWaitingForToolResults,
		"running": SessionActive, "pending": SessionIdle, "completed": SessionIdle, "failed": SessionIdle,
		"asleep": "asleep", "": "",
	} {
		require.Equal(t, want, word.Known(), "%q", word)
	}
}

func TestContentIsReadInEveryShape(t *testing.T) {
	for raw, want := range map[string]string{
		`[{"type":"text","text":"a"},{"type":"image","url":"u"},{"type":"text","text":"b"}]`: "a\nb",
		`"bare"`:                       "bare",
		`["a","b"]`:                    "a\nb",
		`{"type":"text","text":"one"}`: "one",
		`null`:                         "",
		`[null,7,{"type":"text","text":{"odd":1}},{"type":"text","text":"kept"}]`: "kept",
	} {
		var content Content
		require.NoError(t, json.Unmarshal([]byte(raw), &content))
		require.Equal(t, want, content.Text(), raw)
	}
}
