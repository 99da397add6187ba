package agi

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
	testKey   = "agi-key-0123456789"
	sessionID = "0c7f6a52-2d0e-4d5e-9c35-8d0c6f4b7e11"
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

func TestEachMethodIsOneCallOfTheAPI(t *testing.T) {
	const session = `{"session_id":"` + sessionID + `","vnc_url":"https://vnc.local/s","agent_name":"agi-0",` +
		`"status":"ready","created_at":"2026-01-15T09:30:00.000Z","environment_id":"e-1",` +
		`"agent_url":"https://agent.local/1","goal":"buy","agent_session_type":"desktop"}`
	wantSession := Session{
		SessionID: sessionID, VNCURL: "https://vnc.local/s", AgentName: "agi-0",
		Status: SessionReady, EnvironmentID: "e-1", AgentURL: "https://agent.local/1", Goal: "buy",
		AgentSessionType: SessionTypeDesktop,
	}
	require.NoError(t, json.Unmarshal([]byte(`"2026-01-15T09:30:00.000Z"`), &wantSession.CreatedAt))
	no := false

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
			sent: "POST /v1/sessions", body: `{}`,
			answer: session, want: wantSession,
		},
		"create with everything": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.CreateSession(ctx, CreateSessionRequest{
					AgentName: "agi-0-fast", WebhookURL: "https://hook.example/1",
					RestoreFromSessionID: "s-0", RestoreDefaultEnvironmentFromUserID: "u-0", EnableMemorySnapshot: &no,
					Goal: "buy", MaxSteps: 50, RestoreFromEnvironmentID: "e-0",
					AgentSessionType: SessionTypeExternalCDP, CDPURL: "ws://cdp.example", CDPWSURL: "ws://cdp.example/2",
					EnvironmentType: EnvironmentChrome, Model: "agi-1",
				})
			},
			sent: "POST /v1/sessions",
			body: `{"agent_name":"agi-0-fast","webhook_url":"https://hook.example/1","restore_from_session_id":"s-0",` +
				`"restore_default_environment_from_user_id":"u-0","enable_memory_snapshot":false,"goal":"buy","max_steps":50,` +
				`"restore_from_environment_id":"e-0","agent_session_type":"external-cdp","cdp_url":"ws://cdp.example",` +
				`"cdp_ws_url":"ws://cdp.example/2","environment_type":"chrome-1","model":"agi-1"}`,
			answer: session, want: wantSession,
		},
		"list": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.ListSessions(ctx) },
			sent:   "GET /v1/sessions",
			answer: `[` + session + `,{"session_id":"b","status":"hibernating","created_at":"?"}]`,
			want: SessionList{
				Sessions: []Session{wantSession, {SessionID: "b", Status: "hibernating"}},
				Date:     time.Date(2026, 1, 15, 9, 45, 0, 0, time.UTC),
			},
		},
		"get": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Session(ctx, sessionID) },
			sent:   "GET /v1/sessions/" + sessionID,
			answer: session, want: wantSession,
		},
		"get with an id that needs escaping": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Session(ctx, "a/../b?c") },
			sent:   "GET /v1/sessions/a%2F..%2Fb%3Fc",
			answer: session, want: wantSession,
		},
		"delete": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.DeleteSession(ctx, "s-1", DeleteOptions{}) },
			sent:   "DELETE /v1/sessions/s-1",
			answer: `{"success":true,"deleted":false,"message":"Session not found"}`,
			want:   DeleteResult{Success: true, Message: "Session not found"},
		},
		"delete with a snapshot": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.DeleteSession(ctx, "s-1", DeleteOptions{SaveSnapshotMode: SnapshotFilesystem, SaveAsDefault: true})
			},
			sent:   "DELETE /v1/sessions/s-1?save_as_default=true&save_snapshot_mode=filesystem",
			answer: `{"success":true,"deleted":true,"message":"Session deleted successfully"}`,
			want:   DeleteResult{Success: true, Deleted: true, Message: "Session deleted successfully"},
		},
		"delete all": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.DeleteAllSessions(ctx) },
			sent:   "DELETE /v1/sessions",
			answer: `{"success":true,"deleted":true,"message":"Sessions deleted successfully"}`,
			want:   DeleteResult{Success: true, Deleted: true, Message: "Sessions deleted successfully"},
		},
		"send message": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SendMessage(ctx, "s-1", SendMessageRequest{
					Message: "Größe <M>", StartURL: "https://shop.example/", ConfigUpdates: map[string]any{"timeout": 5}, Context: "gift",
				})
			},
			sent:   "POST /v1/sessions/s-1/message",
			body:   `{"message":"Größe <M>","start_url":"https://shop.example/","config_updates":{"timeout":5},"context":"gift"}`,
			answer: `{"success":true,"message":"Message sent successfully"}`,
			want:   ActionResult{Success: true, Message: "Message sent successfully"},
		},
		"status": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Status(ctx, "s-1") },
			sent:   "GET /v1/sessions/s-1/status",
			answer: `{"status":"waiting_for_input"}`, want: ExecutionWaitingForInput,
		},
		"messages": {
			call: func(ctx context.Context, c *Client) (any, error) { return c.Messages(ctx, "s-1", MessagesOptions{}) },
			sent: "GET /v1/sessions/s-1/messages",
			answer: `{"messages":[{"id":7,"type":"DONE","content":{"price":1},"timestamp":"","metadata":{"origin":"x"}},` +
				`{"id":8,"type":"MUSING","content":"hm"}],"status":"finished","has_agent":true}`,
			want: MessageList{
				Messages: []Message{
					{ID: 7, Type: MessageDone, Content: json.RawMessage(`{"price":1}`), Metadata: json.RawMessage(`{"origin":"x"}`)},
					{ID: 8, Type: "MUSING", Content: json.RawMessage(`"hm"`)},
				},
				Status: ExecutionFinished, HasAgent: true,
			},
		},
		"messages behind an id": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.Messages(ctx, "s-1", MessagesOptions{AfterID: 1 << 40, Sanitize: &no})
			},
			sent:   "GET /v1/sessions/s-1/messages?after_id=1099511627776&sanitize=false",
			answer: `{"messages":[],"status":"running","has_agent":false}`,
			want:   MessageList{Messages: []Message{}, Status: ExecutionRunning},
		},
		"pause": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Pause(ctx, "s-1") },
			sent:   "POST /v1/sessions/s-1/pause",
			answer: `{"success":true,"message":"Session paused successfully"}`,
			want:   ActionResult{Success: true, Message: "Session paused successfully"},
		},
		"resume": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Resume(ctx, "s-1") },
			sent:   "POST /v1/sessions/s-1/resume",
			answer: `{"success":false,"message":"not_paused"}`, want: ActionResult{Message: "not_paused"},
		},
		"cancel": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Cancel(ctx, "s-1") },
			sent:   "POST /v1/sessions/s-1/cancel",
			answer: `{"success":true,"message":""}`, want: ActionResult{Success: true},
		},
		"navigate": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.Navigate(ctx, "s-1", "https://shop.example/")
			},
			sent: "POST /v1/sessions/s-1/navigate", body: `{"url":"https://shop.example/"}`,
			answer: `{"current_url":"https://shop.example/home"}`, want: Navigation{CurrentURL: "https://shop.example/home"},
		},
		"screenshot": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Screenshot(ctx, "s-1") },
			sent:   "GET /v1/sessions/s-1/screenshot",
			answer: `{"screenshot":"data:image/jpeg;base64,AA==","url":"https://shop.example/","title":"Shop"}`,
			want:   Screenshot{Screenshot: "data:image/jpeg;base64,AA==", URL: "https://shop.example/", Title: "Shop"},
		},
		"screenshot with its size": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Screenshot(ctx, "s-1") },
			sent:   "GET /v1/sessions/s-1/screenshot",
			answer: `{"screenshot":"AA==","url":"","title":"","width":1280,"height":720}`,
			want:   Screenshot{Screenshot: "AA==", Width: 1280, Height: 720},
		},
		"models by name": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Models(ctx, ModelsOptions{}) },
			sent:   "GET /v1/models",
			answer: `{"models":["agi-0","agi-0-fast"]}`, want: []Model{{ID: "agi-0"}, {ID: "agi-0-fast"}},
		},
		"models in both forms": {
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Models(ctx, ModelsOptions{}) },
			sent:   "GET /v1/models",
			answer: `{"models":["agi-0",{"id":"agi-1","name":"One"}]}`, want: []Model{{ID: "agi-0"}, {ID: "agi-1", Name: "One"}},
		},
		"models in full": {
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.Models(ctx, ModelsOptions{Filter: ModelFilterDesktop})
			},
			sent:   "GET /v1/models?filter=desktop",
			answer: `{"models":[{"id":"agi-1","name":"One","description":"first","capabilities":["x"]}]}`,
			want:   []Model{{ID: "agi-1", Name: "One", Description: "first", Capabilities: json.RawMessage(`["x"]`)}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			type request struct{ sent, body, contentType, auth, agent string }
			requests := make(chan request, 1)
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				requests <- request{
					r.Method + " " + r.RequestURI, string(body),
					r.Header.Get("Content-Type"), r.Header.Get("Authorization"), r.UserAgent(),
				}
				w.Header().Set("Date", "Thu, 15 Jan 2026 09:45:00 GMT")
				_, _ = io.WriteString(w, test.answer)
			})
			got, err := test.call(t.Context(), client)
			require.NoError(t, err)
			require.Equal(t, test.want, got)

			sent := <-requests
			require.Equal(t, test.sent, sent.sent)
			require.Equal(t, "Bearer "+testKey, sent.auth)
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
	"list": func(ctx context.Context, c *Client, _ string) error { return second(c.ListSessions(ctx)) },
	"get":  func(ctx context.Context, c *Client, id string) error { return second(c.Session(ctx, id)) },
	"delete": func(ctx context.Context, c *Client, id string) error {
		return second(c.DeleteSession(ctx, id, DeleteOptions{}))
	},
	"delete all": func(ctx context.Context, c *Client, _ string) error { return second(c.DeleteAllSessions(ctx)) },
	"send": func(ctx context.Context, c *Client, id string) error {
		return second(c.SendMessage(ctx, id, SendMessageRequest{Message: "x"}))
	},
	"status": func(ctx context.Context, c *Client, id string) error { return second(c.Status(ctx, id)) },
	"messages": func(ctx context.Context, c *Client, id string) error {
		return second(c.Messages(ctx, id, MessagesOptions{}))
	},
	"events": func(ctx context.Context, c *Client, id string) error {
		return second(c.Events(ctx, id, EventsOptions{}))
	},
	"follow": func(ctx context.Context, c *Client, id string) error {
		for _, err := range c.Follow(ctx, id, FollowOptions{MaxAttempts: 1}) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"pause":  func(ctx context.Context, c *Client, id string) error { return second(c.Pause(ctx, id)) },
	"resume": func(ctx context.Context, c *Client, id string) error { return second(c.Resume(ctx, id)) },
	"cancel": func(ctx context.Context, c *Client, id string) error { return second(c.Cancel(ctx, id)) },
	"navigate": func(ctx context.Context, c *Client, id string) error {
		return second(c.Navigate(ctx, id, "https://shop.example/"))
	},
	"screenshot": func(ctx context.Context, c *Client, id string) error { return second(c.Screenshot(ctx, id)) },
	"models":     func(ctx context.Context, c *Client, _ string) error { return second(c.Models(ctx, ModelsOptions{})) },
}

func second[T any](_ T, err error) error { return err }

func TestEveryCallGivesTheAPIsErrorWithoutTheKey(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprintf(w, `{"detail":"slow down, %s"}`, r.Header.Get("Authorization"))
	})
	for name, call := range everyCall {
		t.Run(name, func(t *testing.T) {
			err := call(t.Context(), client, "s-1")
			var answer *Error
			require.ErrorAs(t, err, &answer)
			require.Equal(t, http.StatusTooManyRequests, answer.StatusCode)
			require.Equal(t, "slow down, Bearer [redacted]", answer.Message)
			require.True(t, answer.HasRetryAfter)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, *answer, *answer), testKey)
		})
	}
}

func TestEveryCallTellsAnUnreadableSuccess(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<html>welcome</html>`)
	})
	for name, call := range everyCall {
		t.Run(name, func(t *testing.T) {
			var unreadable *BodyError
			require.ErrorAs(t, call(t.Context(), client, "s-1"), &unreadable)
			require.Equal(t, http.StatusOK, unreadable.StatusCode)
		})
	}
}

func TestAnEmptySessionIDNeverReachesTheServer(t *testing.T) {
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent", r.Method, r.RequestURI)
	})
	for _, name := range []string{
		"get", "delete", "send", "status", "messages", "events", "follow", "pause", "resume", "cancel", "navigate", "screenshot",
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, everyCall[name](t.Context(), client, ""), ErrInvalidRequest)
		})
	}
}

func TestASessionWithoutAnIDIsUnreadable(t *testing.T) {
	for _, answer := range []string{`{}`, `null`, `{"session_id":"","status":"ready"}`} {
		t.Run(answer, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
			_, err := client.CreateSession(t.Context(), CreateSessionRequest{})
			var unreadable *BodyError
			require.ErrorAs(t, err, &unreadable)
			require.ErrorContains(t, err, "session_id is missing")
		})
	}
}

func TestErrorsAreFoundByTheirTypes(t *testing.T) {
	client := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := client.SendMessage(t.Context(), "s-1", SendMessageRequest{Message: "x"})
	var unanswered *TransportError
	require.ErrorAs(t, err, &unanswered)
	require.True(t, unanswered.Sent)
	require.Equal(t, "/v1/sessions/s-1/message", unanswered.Path)
	require.ErrorIs(t, err, io.EOF)
}
