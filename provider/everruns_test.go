package provider

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/everruns"
)

const (
	everrunsKey     = "evr_pat_0123456789abcdef"
	everrunsSID     = "session_01933b5a00007000800000000000001a"
	everrunsAgentIs = "agent_01933b5a00007000800000000000000b"
)

func everrunsOf(t *testing.T, baseURL string) Provider {
	t.Helper()
	p, err := New(Connection{
		Name: "runs", Provider: "everruns", BaseURL: baseURL, APIKey: everrunsKey, Organization: "org_1", Agent: everrunsAgentIs,
	})
	require.NoError(t, err)
	return p
}

// everrunsServer starts a vendor with that behaviour and returns its adapter.
func everrunsServer(t *testing.T, behaviour http.HandlerFunc) Provider {
	t.Helper()
	server := httptest.NewServer(behaviour)
	t.Cleanup(server.Close)
	return everrunsOf(t, server.URL)
}

func everrunsAnswering(t *testing.T, status int, body string) Provider {
	t.Helper()
	return everrunsServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

// everrunsStage plays one session: its status, its events and its tasks are
// what the test says, and it notes what it was asked.
type everrunsStage struct {
	mu       sync.Mutex
	status   string
	events   []everruns.Event
	tasks    []everruns.Task
	messages []string // as JSON
	asked    []string // method, path behind the session's, and body
	refuse   map[string]int
	ignore   bool // since_id
}

func (s *everrunsStage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	path := strings.TrimPrefix(r.URL.Path, "/v1/sessions/"+everrunsSID)
	s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+path+" "+string(body)))
	call := r.Method + " " + path
	if status := s.refuse[call]; status != 0 {
		w.WriteHeader(status)
		return
	}
	switch {
	case call == "GET ":
		fmt.Fprintf(w, `{"id":%q,"agent_id":%q,"status":%q,"created_at":"2026-02-07T09:30:00Z"}`, everrunsSID, everrunsAgentIs, s.status)
	case call == "GET /events":
		since, excluded := r.URL.Query().Get("since_id"), r.URL.Query()["exclude"]
		told := []everruns.Event{}
		for _, e := range s.events {
			if (s.ignore || e.ID > since) && !slices.Contains(excluded, string(e.Type)) {
				told = append(told, e)
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": told})
	case call == "GET /tasks":
		_ = json.NewEncoder(w).Encode(map[string]any{"data": append([]everruns.Task{}, s.tasks...)})
	case call == "GET /messages":
		fmt.Fprintf(w, `{"data":[%s]}`, strings.Join(s.messages, ","))
	case strings.HasPrefix(call, "GET /tasks/"):
		for _, task := range s.tasks {
			if path == "/tasks/"+task.ID {
				_ = json.NewEncoder(w).Encode(task)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	case call == "POST /messages":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"message_9","role":"user","content":[]}`)
	case call == "POST /tool-results":
		fmt.Fprint(w, `{"accepted":1,"status":"active"}`)
	case strings.HasPrefix(call, "POST /tasks/"):
		fmt.Fprint(w, `{}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s *everrunsStage) provider(t *testing.T) Provider {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return everrunsOf(t, server.URL)
}

// posted are the calls that changed something.
func (s *everrunsStage) posted() []string {
	return slices.DeleteFunc(slices.Clone(s.asked), func(call string) bool { return strings.HasPrefix(call, "GET") })
}

// happened makes an event, numbered n, of a turn; data is JSON.
func happened(n int, kind everruns.EventType, turn, data string) everruns.Event {
	e := everruns.Event{
		ID: fmt.Sprintf("event_%04d", n), Type: kind, SessionID: everrunsSID, Sequence: int64(n), Data: json.RawMessage(data),
		Context: everruns.EventContext{TurnID: turn},
	}
	e.TS.Time = time.Date(2026, 2, 7, 9, 30, n, 0, time.UTC)
	return e
}

// ours is the arrival of a message of ours, theirs that of someone else's.
func ours(n int, id, key, text string) everruns.Event {
	return happened(n, everruns.EventInputMessage, "", fmt.Sprintf(
		`{"message":{"id":%q,"role":"user","content":[{"type":"text","text":%q}],"metadata":{"errand_key":%q}}}`, id, text, key))
}

func theirs(n int, id, text string) everruns.Event {
	return happened(n, everruns.EventInputMessage, "", fmt.Sprintf(
		`{"message":{"id":%q,"role":"user","content":[{"type":"text","text":%q}],"metadata":null}}`, id, text))
}

func began(n int, turn, input string) everruns.Event {
	return happened(n, everruns.EventTurnStarted, "", fmt.Sprintf(`{"turn_id":%q,"input_message_id":%q}`, turn, input))
}

func output(n int, turn, text string) everruns.Event {
	return happened(n, everruns.EventOutputCompleted, turn, fmt.Sprintf(
		`{"message":{"id":"message_o","role":"agent","content":[{"type":"text","text":%q}]}}`, text))
}

func completed(n int, turn string) everruns.Event {
	return happened(n, everruns.EventTurnCompleted, "", fmt.Sprintf(`{"turn_id":%q,"iterations":1}`, turn))
}

func requested(n int, turn, calls string) everruns.Event {
	return happened(n, everruns.EventToolCallRequested, turn, `{"tool_calls":[`+calls+`]}`)
}

func call(id, arguments string) string {
	return fmt.Sprintf(`{"id":%q,"name":"ask_user","arguments":%s}`, id, arguments)
}

func idled(n int) everruns.Event {
	return happened(n, everruns.EventSessionIdled, "", `{"turn_id":"turn_1"}`)
}

func TestEachCallOfEverrunsIsInItsWords(t *testing.T) {
	const session = `{"id":"` + everrunsSID + `","organization_id":"org_1","agent_id":"` + everrunsAgentIs + `","status":"started",` +
		`"created_at":"2026-02-07T09:30:00Z","updated_at":"2026-02-07T09:30:00Z","view_url":"/sessions/1","ui_link":"https://app.example/s/1",` +
		`"tags":["shop","errand-ref:errand-42"]}`
	want := Session{
		ID: everrunsSID, Agent: everrunsAgentIs, State: StateIdle, RawState: "started", ViewURL: "https://app.example/s/1",
		CreatedAt: time.Date(2026, 2, 7, 9, 30, 0, 0, time.UTC), ClientRef: "errand-42",
	}
	named := want
	named.Agent = "Clerk"
	const at = " /v1/sessions/" + everrunsSID
	for name, test := range map[string]struct {
		call   func(Provider) (any, error)
		sent   []string // method, path and query
		body   string   // of the last one; empty: none
		answer string
		want   any
	}{
		"create with the connection's agent": {
			call:   func(p Provider) (any, error) { return p.Create(t.Context(), CreateRequest{ClientRef: "errand-42"}) },
			sent:   []string{"POST /v1/sessions"},
			body:   `{"agent_id":"` + everrunsAgentIs + `","tags":["errand-ref:errand-42"]}`,
			answer: session, want: want,
		},
		"create with all": {
			call: func(p Provider) (any, error) {
				return p.Create(t.Context(), CreateRequest{Agent: "Clerk", ClientRef: "errand-42", Options: SessionOptions{
					Title: "Lamp", Model: "model_1", Tags: []string{"shop"},
					Capabilities: []SessionCapability{{Ref: "web", Config: json.RawMessage(`{"n":1}`)}, {Ref: "files"}},
				}})
			},
			sent: []string{"POST /v1/sessions"},
			body: `{"agent_name":"Clerk","title":"Lamp","model_id":"model_1","tags":["shop","errand-agent:Clerk","errand-ref:errand-42"],` +
				`"capabilities":[{"ref":"web","config":{"n":1}},{"ref":"files"}]}`,
			answer: strings.Replace(session, `"shop"`, `"shop","errand-agent:Clerk"`, 1), want: named,
		},
		"list": {
			call:   func(p Provider) (any, error) { return p.Sessions(t.Context()) },
			sent:   []string{"GET /v1/sessions?limit=100"},
			answer: `{"data":[` + session + `,{"id":"b","status":"asleep"}],"total":2,"offset":0,"limit":100}`,
			want: Listing{
				Sessions: []Session{want, {ID: "b", State: StateUnknown, RawState: "asleep"}},
				At:       time.Date(2026, 2, 7, 9, 45, 0, 0, time.UTC),
			},
		},
		"send": {
			call: func(p Provider) (any, error) {
				return nil, p.Send(t.Context(), everrunsSID, Message{Text: "go", Key: "errand-t-1"})
			},
			sent:   []string{"POST" + at + "/messages"},
			body:   `{"message":{"role":"user","content":[{"type":"text","text":"go"}]},"metadata":{"errand_key":"errand-t-1"},"tags":["errand-key:errand-t-1"]}`,
			answer: `{"id":"message_1","role":"user","content":[]}`,
		},
		"send without a key": {
			call:   func(p Provider) (any, error) { return nil, p.Send(t.Context(), everrunsSID, Message{Text: "go"}) },
			sent:   []string{"POST" + at + "/messages"},
			body:   `{"message":{"role":"user","content":[{"type":"text","text":"go"}]},"metadata":{"errand_key":""},"tags":["errand-key:"]}`,
			answer: `{"id":"message_1","role":"user","content":[]}`,
		},
		"answer a tool": {
			call: func(p Provider) (any, error) {
				return nil, p.Send(t.Context(), everrunsSID, Message{Text: "blue", ReplyTo: "tool:call_1"})
			},
			sent:   []string{"POST" + at + "/tool-results"},
			body:   `{"tool_results":[{"tool_call_id":"call_1","result":"blue"}]}`,
			answer: `{"accepted":1,"status":"active"}`,
		},
		"answer a tool with a structure": {
			call: func(p Provider) (any, error) {
				return nil, p.Send(t.Context(), everrunsSID, Message{Text: ` {"colour":"blue"}`, ReplyTo: "tool:call_1"})
			},
			sent:   []string{"POST" + at + "/tool-results"},
			body:   `{"tool_results":[{"tool_call_id":"call_1","result":{"colour":"blue"}}]}`,
			answer: `{"status":"active"}`,
		},
		"answer several tools": {
			call: func(p Provider) (any, error) {
				return nil, p.Send(t.Context(), everrunsSID, Message{Text: "42", ReplyTo: "tool:a%2C1,b"})
			},
			sent:   []string{"POST" + at + "/tool-results"},
			body:   `{"tool_results":[{"tool_call_id":"a,1","result":"42"},{"tool_call_id":"b","result":"42"}]}`,
			answer: `{"accepted":2,"status":"active"}`,
		},
		"answer a task": {
			call: func(p Provider) (any, error) {
				return nil, p.Send(t.Context(), everrunsSID, Message{Text: "blue", ReplyTo: "task:task_1/r%2F1"})
			},
			sent:   []string{"POST" + at + "/tasks/task_1/messages"},
			body:   `{"text":"blue","in_reply_to":"r/1"}`,
			answer: `{}`,
		},
		"cancel": {
			call:   func(p Provider) (any, error) { return nil, p.Cancel(t.Context(), everrunsSID) },
			sent:   []string{"POST" + at + "/cancel"},
			answer: `{"status":"cancelled","message":"ok"}`,
		},
		"cancel what does nothing": {
			call:   func(p Provider) (any, error) { return nil, p.Cancel(t.Context(), everrunsSID) },
			sent:   []string{"POST" + at + "/cancel"},
			answer: `{"status":"no_op","message":"nothing to cancel"}`,
		},
		"delete": {
			call:   func(p Provider) (any, error) { return p.Delete(t.Context(), everrunsSID, DeleteRequest{}) },
			sent:   []string{"POST" + at + "/cancel", "DELETE" + at},
			answer: `{"status":"no_op","message":"nothing to cancel"}`, want: Deletion{Found: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var sent, bodies []string
			p := everrunsServer(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				sent = append(sent, r.Method+" "+r.URL.RequestURI())
				bodies = append(bodies, string(body))
				if r.Header.Get("Authorization") != everrunsKey || r.Header.Get("X-Org-Id") != "org_1" {
					w.WriteHeader(http.StatusUnauthorized)
				}
				w.Header().Set("Date", "Sat, 07 Feb 2026 09:45:00 GMT")
				fmt.Fprint(w, test.answer)
			})
			got, err := test.call(p)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.Equal(t, test.sent, sent)
			if last := bodies[len(bodies)-1]; test.body == "" {
				require.Empty(t, last)
			} else {
				require.JSONEq(t, test.body, last)
			}
		})
	}
}

func TestEverrunsHasNoPause(t *testing.T) {
	p := everrunsAnswering(t, http.StatusInternalServerError, "")
	require.ErrorIs(t, p.Pause(t.Context(), everrunsSID), ErrUnsupported)
	require.ErrorIs(t, p.Resume(t.Context(), everrunsSID), ErrUnsupported)
	require.False(t, p.Capabilities().Pause)
	require.False(t, p.Capabilities().Snapshot)
	require.Equal(t, 30*time.Second, p.Capabilities().SettleTime)
}

func TestAnAgentOfEverrunsIsReadAsItIsWritten(t *testing.T) {
	for agent, want := range map[string]everruns.CreateSessionRequest{
		everrunsAgentIs:           {AgentID: everrunsAgentIs},
		"Clerk":                   {AgentName: "Clerk"},
		"id:agent_short":          {AgentID: "agent_short"},
		"name:agent_for_lamps":    {AgentName: "agent_for_lamps"},
		"01933b5a-0000-7000-8000": {AgentName: "01933b5a-0000-7000-8000"},
	} {
		got, err := everrunsAgent(agent)
		require.NoError(t, err)
		require.Equal(t, want, got, agent)
	}
	for agent, says := range map[string]string{
		"":                           "no agent is named",
		"id:":                        "no agent is named",
		"name:":                      "no agent is named",
		"agent_01933b5a000070008000": `agent "agent_01933b5a000070008000" is not agent_ and 32 digits`,
		strings.ToUpper(everrunsAgentIs[:6]) + everrunsAgentIs[6:]: "",
		"agent_01933B5A00007000800000000000000B":                   "copy the id of the agent whole",
		everrunsAgentIs[:len(everrunsAgentIs)-1]:                   "copy the id of the agent whole", // 31 digits
	} {
		_, err := everrunsAgent(agent)
		if says == "" {
			require.NoError(t, err, "%s is a name", agent)
			continue
		}
		require.ErrorContains(t, err, says, agent)
	}

	p := everrunsServer(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
	_, err := p.Create(t.Context(), CreateRequest{Agent: "agent_1"})
	require.True(t, IsKind(err, ErrorInvalid), "%v", err)
	require.ErrorContains(t, err, `create session: agent "agent_1" is not`)
}

func TestASessionOfEverrunsThatIsGoneIsDeleted(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		got, err := everrunsAnswering(t, http.StatusNotFound, "").Delete(t.Context(), everrunsSID, DeleteRequest{})
		require.NoError(t, err)
		require.Equal(t, Deletion{}, got)
	})
	for status, found := range map[int]bool{http.StatusNotFound: false, http.StatusNoContent: true} {
		t.Run(fmt.Sprint("meanwhile, or although it cannot be cancelled: ", status), func(t *testing.T) {
			got, err := everrunsServer(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodDelete {
					w.WriteHeader(status)
					return
				}
				w.WriteHeader(http.StatusForbidden)
			}).Delete(t.Context(), everrunsSID, DeleteRequest{})
			require.NoError(t, err)
			require.Equal(t, Deletion{Found: found}, got)
		})
	}
	_, err := everrunsAnswering(t, http.StatusInternalServerError, "").Delete(t.Context(), everrunsSID, DeleteRequest{})
	require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
}

func TestTheStatusesOfEverrunsAreBroughtToOurs(t *testing.T) {
	for word, want := range map[everruns.SessionStatus]State{
		"started": StateIdle, "active": StateWorking, "idle": StateIdle, "paused": StatePaused,
		"waitingfortoolresults": StateWaiting, "waiting_for_tool_results": StateWaiting,
		"running": StateWorking, "pending": StateIdle, "completed": StateIdle, "failed": StateIdle,
		"": StateUnknown, "Active": StateUnknown,
	} {
		require.Equal(t, want, everrunsState(word), "%q", word)
	}
}

func TestErrorsOfEverrunsSayWhatToCheck(t *testing.T) {
	create := func(p Provider) error { _, err := p.Create(t.Context(), CreateRequest{}); return err }
	send := func(p Provider) error { return p.Send(t.Context(), everrunsSID, Message{Text: "go"}) }
	list := func(p Provider) error { _, err := p.Sessions(t.Context()); return err }
	read := func(p Provider) error { _, err := p.Read(t.Context(), everrunsSID, ""); return err }
	for name, test := range map[string]struct {
		call   func(Provider) error
		status int
		body   string
		kind   ErrorKind
		says   string
	}{
		"an unknown agent, of the older profile":   {create, 400, "", ErrorInvalid, "create session: HTTP 400: Bad Request: check that the agent exists in this organization and is not archived"},
		"an unknown agent, of the current profile": {create, 404, `{"title":"Not Found","status":404,"detail":"Agent not found"}`, ErrorInvalid, "Agent not found: check the agent and the model"},
		"an archived agent":                        {create, 409, `{"title":"Conflict","detail":"Agent is archived"}`, ErrorInvalid, "Agent is archived: choose another agent"},
		"a key without rights":                     {send, 403, `{"error":"missing scope sessions:write"}`, ErrorUnauthorized, "missing scope sessions:write: give the key the scope"},
		"a key of another organization":            {list, 403, "", ErrorUnauthorized, "Forbidden: check the key's scopes and the organization"},
		"no organization":                          {list, 400, `{"error":"X-Org-Id header required"}`, ErrorInvalid, "X-Org-Id header required: check the organization of the connection"},
		"a wrong key":                              {list, 401, `{"error":"Unauthorized"}`, ErrorUnauthorized, "Unauthorized: check that the key is whole"},
		"a wrong base URL":                         {list, 404, "<html>", ErrorInvalid, "Not Found: check the base URL"},
		"a wrong session id":                       {read, 400, "", ErrorInvalid, "Bad Request: check the session id"},
		"a long message":                           {send, 400, `{"error":"Input exceeds allowed limits"}`, ErrorInvalid, "send message: HTTP 400: Input exceeds allowed limits"},
		"a session that is gone":                   {send, 404, "", ErrorNotFound, "send message: HTTP 404: Not Found"},
		"a turn under way":                         {send, 409, `{"error":{"code":"turn_active","message":"A turn is active"}}`, ErrorBusy, "send message: HTTP 409: A turn is active"},
		"too many requests":                        {send, 429, `{"title":"Too Many Requests","retry_after_seconds":7}`, ErrorRateLimited, "Too Many Requests"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.call(everrunsAnswering(t, test.status, test.body))
			require.True(t, IsKind(err, test.kind), "%v", err)
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), everrunsKey)
		})
	}
}
