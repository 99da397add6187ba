package agen

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func at(t *testing.T, text string) (at Timestamp) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(`"`+text+`"`), &at))
	return at
}

func TestEachMethodIsOneCallOfTheAPI(t *testing.T) {
	const session = `{"id":"ses_01","title":"Add a retry","workspace_id":"ws_1","user_id":"usr_1","branch_name":"fix/retry",` +
		`"auto_commit":true,"status":"active","origin":"api","created_at":"2026-04-02T10:00:00Z","updated_at":"2026-04-02T10:00:01.5Z",` +
		`"sandbox_id":"sbx_1","model":"large","agent_status":"working","merged_at":null,"deep_work_id":null,"mr_pipeline_summary":{"a":1}}`
	const event = `{"id":"evt_03","session_id":"ses_01","type":"user_message","payload":{"type":"user_message","message":"Add a retry"},` +
		`"status":"queued","client_id":"w17-step3","session_goal_id":null,"created_at":"2026-04-02T10:00:00Z","updated_at":"2026-04-02T10:00:01.5Z"}`
	began, moved := at(t, "2026-04-02T10:00:00Z"), at(t, "2026-04-02T10:00:01.5Z")
	wantSession := Session{
		ID: "ses_01", Title: "Add a retry", WorkspaceID: "ws_1", UserID: "usr_1", BranchName: "fix/retry", AutoCommit: true,
		Status: "active", Origin: "api", CreatedAt: began, UpdatedAt: moved, SandboxID: "sbx_1", Model: "large", AgentStatus: "working",
	}
	wantEvent := SessionEvent{
		ID: "evt_03", SessionID: "ses_01", Type: EventUserMessage, Payload: json.RawMessage(`{"type":"user_message","message":"Add a retry"}`),
		Status: EventQueued, ClientID: "w17-step3", CreatedAt: began, UpdatedAt: moved,
	}
	branch, date := "fix/retry", time.Date(2026, 4, 2, 10, 15, 0, 0, time.UTC)

	for name, test := range map[string]struct {
		call   func(context.Context, *Client) (any, error)
		sent   string // method, escaped path and query
		body   string
		answer string
		want   any
	}{
		"create with defaults": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.CreateSession(ctx, CreateSessionRequest{})
			},
			sent: "POST /api/v1/sessions", body: `{"branch_name":null,"auto_commit":false}`,
			answer: session, want: wantSession,
		},
		"create with everything": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.CreateSession(ctx, CreateSessionRequest{BranchName: &branch, AutoCommit: true, Model: "large"})
			},
			sent: "POST /api/v1/sessions", body: `{"branch_name":"fix/retry","auto_commit":true,"model":"large"}`,
			answer: session, want: wantSession,
		},
		"list": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.ListSessions(ctx, ListOptions{}) },
			sent:   "GET /api/v1/sessions",
			answer: `{"items":[` + session + `,{"id":"b","status":"hibernating","branch_name":null,"created_at":"?"}],"next_cursor":"c2"}`,
			want:   SessionPage{Items: []Session{wantSession, {ID: "b", Status: "hibernating"}}, NextCursor: "c2", Date: date},
		},
		"list with everything": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.ListSessions(ctx, ListOptions{Status: "active", UserID: "usr_1", Include: "mr_pipeline_summary", Cursor: "c=2"})
			},
			sent:   "GET /api/v1/sessions?cursor=c%3D2&include=mr_pipeline_summary&status=active&user_id=usr_1",
			answer: `{"items":[],"next_cursor":null}`,
			want:   SessionPage{Items: []Session{}, Date: date},
		},
		"get": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Session(ctx, "ses_01") },
			sent:   "GET /api/v1/sessions/ses_01",
			answer: session, want: wantSession,
		},
		"get with an id that needs escaping": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Session(ctx, "a/../b?c") },
			sent:   "GET /api/v1/sessions/a%2F..%2Fb%3Fc",
			answer: session, want: wantSession,
		},
		"update": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.UpdateSession(ctx, "ses_01", map[string]any{"title": "New", "auto_commit": false})
			},
			sent: "PATCH /api/v1/sessions/ses_01", body: `{"title":"New","auto_commit":false}`,
			answer: session, want: wantSession,
		},
		"send": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SendMessage(ctx, "ses_01", SendMessageRequest{Message: "Größe <M>"})
			},
			sent: "POST /api/v1/sessions/ses_01/messages", body: `{"message":"Größe <M>"}`,
			answer: event, want: wantEvent,
		},
		"send with an id of ours": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SendMessage(ctx, "ses_01", SendMessageRequest{Message: "Add a retry", ClientID: "w17-step3"})
			},
			sent: "POST /api/v1/sessions/ses_01/messages", body: `{"message":"Add a retry","client_id":"w17-step3"}`,
			answer: event, want: wantEvent,
		},
		"timeline": {
			call: func(ctx context.Context, c *Client) (any, error) { return c.Timeline(ctx, "ses_01") },
			sent: "GET /api/v1/sessions/ses_01/events",
			answer: `[` + event + `,{"id":"evt_04","type":"agent_daydream","payload":{"depth":3},"status":"drifting","extra":true},` +
				`{"id":"evt_05","type":"agent_message","payload":null,"status":"processing"}]`,
			want: Timeline{
				Events: []SessionEvent{
					wantEvent,
					{ID: "evt_04", Type: "agent_daydream", Payload: json.RawMessage(`{"depth":3}`), Status: "drifting"},
					{ID: "evt_05", Type: EventAgentMessage, Payload: json.RawMessage(`null`), Status: EventProcessing},
				},
				Date: date,
			},
		},
		"an empty timeline": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Timeline(ctx, "ses_01") },
			sent:   "GET /api/v1/sessions/ses_01/events",
			answer: `[]`, want: Timeline{Events: []SessionEvent{}, Date: date},
		},
	} {
		t.Run(name, func(t *testing.T) {
			type request struct{ sent, body, contentType, key, agent string }
			requests := make(chan request, 1)
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				requests <- request{
					r.Method + " " + r.RequestURI, string(body),
					r.Header.Get("Content-Type"), r.Header.Get("x-api-key"), r.UserAgent(),
				}
				w.Header().Set("Date", "Thu, 02 Apr 2026 10:15:00 GMT")
				if r.Method == http.MethodPost {
					w.WriteHeader(http.StatusCreated) // the vendor does not say which 2xx
				}
				_, _ = io.WriteString(w, test.answer)
			})
			got, err := test.call(t.Context(), client)
			require.NoError(t, err)
			require.Equal(t, test.want, got)

			sent := <-requests
			require.Equal(t, test.sent, sent.sent)
			require.Equal(t, testKey, sent.key)
			require.Equal(t, "errand/0.1", sent.agent)
			if test.body == "" {
				require.Empty(t, sent.body)
				require.Empty(t, sent.contentType)
			} else {
				require.JSONEq(t, test.body, sent.body)
				require.Equal(t, "application/json", sent.contentType)
			}
		})
	}
}

// everyCall is each method with nothing but the session id to go by.
var everyCall = map[string]func(context.Context, *Client, string) error{
	"create": func(ctx context.Context, c *Client, _ string) error {
		return second(c.CreateSession(ctx, CreateSessionRequest{}))
	},
	"list": func(ctx context.Context, c *Client, _ string) error {
		return second(c.ListSessions(ctx, ListOptions{}))
	},
	"list all": func(ctx context.Context, c *Client, _ string) error {
		return second(c.ListAllSessions(ctx, ListOptions{}))
	},
	"get": func(ctx context.Context, c *Client, id string) error { return second(c.Session(ctx, id)) },
	"update": func(ctx context.Context, c *Client, id string) error {
		return second(c.UpdateSession(ctx, id, map[string]any{}))
	},
	"send": func(ctx context.Context, c *Client, id string) error {
		return second(c.SendMessage(ctx, id, SendMessageRequest{Message: "x"}))
	},
	"timeline": func(ctx context.Context, c *Client, id string) error { return second(c.Timeline(ctx, id)) },
}

func second[T any](_ T, err error) error { return err }

func TestEveryCallGivesTheAPIsErrorWithoutTheKey(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprintf(w, `{"message":"slow down, %s","error":"Too Many Requests","statusCode":429}`, r.Header.Get("x-api-key"))
	})
	for name, call := range everyCall {
		t.Run(name, func(t *testing.T) {
			err := call(t.Context(), client, "ses_01")
			var answer *Error
			require.ErrorAs(t, err, &answer)
			require.Equal(t, http.StatusTooManyRequests, answer.StatusCode)
			require.Equal(t, "slow down, [redacted]", answer.Message)
			require.True(t, answer.HasRetryAfter)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, *answer, *answer), testKey)
		})
	}
}

func TestAnErrorIsReadWhateverItsBodyLooksLike(t *testing.T) {
	for body, want := range map[string]string{
		`{"message":"branch_name is required","error":"Bad Request","statusCode":400}`: "branch_name is required",
		`{"message":["branch_name must be a string","auto_commit is no boolean"]}`:     "branch_name must be a string; auto_commit is no boolean",
		`{"error":"no such model"}`:                                    "no such model",
		`{"error":{"message":"no such model","code":"model_unknown"}}`: "no such model",
		`{"detail":"no such model"}`:                                   "no such model",
		`no such model`:                                                "no such model",
		`<html><body>Bad Request</body></html>`:                        "Bad Request",
		`{}`:                                                           "Bad Request",
		``:                                                             "Bad Request",
		`{"statusCode":400,"error":"Bad Request","message":"body/branch_name must exist"}`: "body/branch_name must exist",
	} {
		t.Run(body, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, body)
			})
			_, err := client.CreateSession(t.Context(), CreateSessionRequest{})
			var answer *Error
			require.ErrorAs(t, err, &answer)
			require.Equal(t, want, answer.Message)
		})
	}
}

func TestEveryCallTellsAnUnreadableSuccess(t *testing.T) {
	for _, answer := range []string{`<html>welcome</html>`, `{}`, `null`, `{"items":null,"next_cursor":null}`, `[{"type":"user_message"}]`} {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
		for name, call := range everyCall {
			t.Run(name+" "+answer, func(t *testing.T) {
				var unreadable *BodyError
				require.ErrorAs(t, call(t.Context(), client, "ses_01"), &unreadable)
				require.Equal(t, http.StatusOK, unreadable.StatusCode)
			})
		}
	}
}

func TestAnEmptySessionIDNeverReachesTheServer(t *testing.T) {
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent", r.Method, r.RequestURI)
	})
	for _, name := range []string{"get", "update", "send", "timeline"} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, everyCall[name](t.Context(), client, ""), ErrInvalidRequest)
		})
	}
	_, err := client.UpdateSession(t.Context(), "ses_01", nil)
	require.ErrorIs(t, err, ErrInvalidRequest)
}

func TestErrorsAreFoundByTheirTypes(t *testing.T) {
	client := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := client.SendMessage(t.Context(), "ses_01", SendMessageRequest{Message: "x"})
	var unanswered *TransportError
	require.ErrorAs(t, err, &unanswered)
	require.True(t, unanswered.Sent)
	require.Equal(t, "/api/v1/sessions/ses_01/messages", unanswered.Path)
	require.ErrorIs(t, err, io.EOF)
}
