package provider

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEachCallIsOneRequestInTheVendorsWords(t *testing.T) {
	const session = `{"session_id":"` + sessionID + `","agent_name":"agi-0","status":"ready",` +
		`"created_at":"2026-01-15T09:30:00.000Z","vnc_url":"https://vnc.local/s"}`
	want := Session{
		ID: sessionID, Agent: "agi-0", State: StateIdle, RawState: "ready", ViewURL: "https://vnc.local/s",
		CreatedAt: time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC),
	}
	const at = " /v1/sessions/" + sessionID
	for name, test := range map[string]struct {
		call   func(Provider) (any, error)
		sent   string // method, path and query
		body   string // empty: none
		answer string
		want   any
	}{
		"create with the connection's agent": {
			call:   func(p Provider) (any, error) { return p.Create(t.Context(), CreateRequest{ClientRef: "t-1"}) },
			sent:   "POST /v1/sessions",
			body:   `{"agent_name":"script"}`,
			answer: session, want: want,
		},
		"create with all": {
			call: func(p Provider) (any, error) {
				return p.Create(t.Context(), CreateRequest{Agent: "agi-0", RestoreSession: "s-0", RestoreDefaultUser: "u-0"})
			},
			sent:   "POST /v1/sessions",
			body:   `{"agent_name":"agi-0","restore_from_session_id":"s-0","restore_default_environment_from_user_id":"u-0"}`,
			answer: session, want: want,
		},
		"list": {
			call:   func(p Provider) (any, error) { return p.Sessions(t.Context()) },
			sent:   "GET /v1/sessions",
			answer: `[` + session + `,{"session_id":"b","status":"asleep"}]`,
			want: Listing{
				Sessions: []Session{want, {ID: "b", State: StateUnknown, RawState: "asleep"}},
				At:       time.Date(2026, 1, 15, 9, 45, 0, 0, time.UTC),
			},
		},
		"send": {
			call: func(p Provider) (any, error) {
				return nil, p.Send(t.Context(), sessionID, Message{Text: "go", StartURL: "https://shop.example/p/42"})
			},
			sent:   "POST" + at + "/message",
			body:   `{"message":"go","start_url":"https://shop.example/p/42"}`,
			answer: `{"success":true,"message":"queued"}`,
		},
		"pause": {
			call:   func(p Provider) (any, error) { return nil, p.Pause(t.Context(), sessionID) },
			sent:   "POST" + at + "/pause",
			answer: `{"success":true}`,
		},
		"resume": {
			call:   func(p Provider) (any, error) { return nil, p.Resume(t.Context(), sessionID) },
			sent:   "POST" + at + "/resume",
			answer: `{"success":true}`,
		},
		"cancel": {
			call:   func(p Provider) (any, error) { return nil, p.Cancel(t.Context(), sessionID) },
			sent:   "POST" + at + "/cancel",
			answer: `{"success":true}`,
		},
		"delete": {
			call:   func(p Provider) (any, error) { return p.Delete(t.Context(), sessionID, DeleteRequest{}) },
			sent:   "DELETE" + at + "?save_snapshot_mode=none",
			answer: `{"success":true,"deleted":true}`, want: Deletion{Found: true},
		},
		"delete with a snapshot": {
			call: func(p Provider) (any, error) {
				return p.Delete(t.Context(), sessionID, DeleteRequest{Snapshot: SnapshotMemory})
			},
			sent:   "DELETE" + at + "?save_snapshot_mode=memory",
			answer: `{"success":true,"deleted":true}`, want: Deletion{Found: true},
		},
		"delete with a snapshot as the default": {
			call: func(p Provider) (any, error) {
				return p.Delete(t.Context(), sessionID, DeleteRequest{Snapshot: SnapshotFilesystem, SaveAsDefault: true})
			},
			sent:   "DELETE" + at + "?save_as_default=true&save_snapshot_mode=filesystem",
			answer: `{"success":true,"deleted":true}`, want: Deletion{Found: true},
		},
		"delete never saves nothing as the default": {
			call: func(p Provider) (any, error) {
				return p.Delete(t.Context(), sessionID, DeleteRequest{Snapshot: SnapshotNone, SaveAsDefault: true})
			},
			sent:   "DELETE" + at + "?save_snapshot_mode=none",
			answer: `{"success":true,"deleted":true}`, want: Deletion{Found: true},
		},
		"delete of a session that is gone": {
			call:   func(p Provider) (any, error) { return p.Delete(t.Context(), sessionID, DeleteRequest{}) },
			sent:   "DELETE" + at + "?save_snapshot_mode=none",
			answer: `{"success":true,"deleted":false,"message":"Session not found"}`, want: Deletion{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var sent, keys, bodies []string
			p := vendor(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				sent = append(sent, r.Method+" "+r.URL.RequestURI())
				keys = append(keys, r.Header.Get("Authorization"))
				bodies = append(bodies, string(body))
				w.Header().Set("Date", "Thu, 15 Jan 2026 09:45:00 GMT")
				fmt.Fprint(w, test.answer)
			})
			got, err := test.call(p)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.Equal(t, []string{test.sent}, sent)
			require.Equal(t, []string{"Bearer " + testKey}, keys)
			if test.body == "" {
				require.Equal(t, []string{""}, bodies)
			} else {
				require.JSONEq(t, test.body, bodies[0])
			}
		})
	}
}

func TestWhatIsSoAlreadyIsSuccess(t *testing.T) {
	pause, resume := Provider.Pause, Provider.Resume
	for name, test := range map[string]struct {
		call   func(Provider) error
		status int
		body   string
		refuse bool
	}{
		"paused already, in a 409":               {func(p Provider) error { return pause(p, t.Context(), sessionID) }, 409, `{"detail":"already_paused"}`, false},
		"paused already, in a 400":               {func(p Provider) error { return pause(p, t.Context(), sessionID) }, 400, `{"message":"Nothing to pause","error":{"code":"already_paused"}}`, false},
		"paused already, in a 200":               {func(p Provider) error { return pause(p, t.Context(), sessionID) }, 200, `{"success":false,"message":"already_paused"}`, false},
		"not paused, in a 409":                   {func(p Provider) error { return resume(p, t.Context(), sessionID) }, 409, `{"status":"not_paused"}`, false},
		"not paused, in a 400 that is no JSON":   {func(p Provider) error { return resume(p, t.Context(), sessionID) }, 400, `not_paused`, false},
		"a pause is not excused by not_paused":   {func(p Provider) error { return pause(p, t.Context(), sessionID) }, 409, `{"detail":"not_paused"}`, true},
		"a resume is refused for another reason": {func(p Provider) error { return resume(p, t.Context(), sessionID) }, 409, `{"detail":"no task"}`, true},
		"a pause of a session that is gone":      {func(p Provider) error { return pause(p, t.Context(), sessionID) }, 404, `{"detail":"Session not found"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.call(answering(t, test.status, test.body))
			if !test.refuse {
				require.NoError(t, err)
				return
			}
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, test.status, e.Status)
		})
	}
}

func TestA2xxThatReportsNoSuccessIsAnError(t *testing.T) {
	p := answering(t, http.StatusOK, `{"success":false,"deleted":false,"message":"queue is full"}`)

	err := p.Send(t.Context(), sessionID, Message{Text: "go"})
	require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
	require.ErrorContains(t, err, "send message: the vendor reported no success: queue is full")

	_, err = p.Delete(t.Context(), sessionID, DeleteRequest{})
	require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
	require.ErrorContains(t, err, "delete session: the vendor reported no success: queue is full")
}

func TestDeleteTakesA404ForGone(t *testing.T) {
	got, err := answering(t, http.StatusNotFound, `{"detail":"Session not found"}`).Delete(t.Context(), sessionID, DeleteRequest{})
	require.NoError(t, err)
	require.Equal(t, Deletion{}, got)
}

func TestTheVendorsWordsForAStateAreBroughtToOurs(t *testing.T) {
	for word, want := range map[string]State{
		"initializing":      StateStarting,
		"ready":             StateIdle,
		"completed":         StateIdle,
		"finished":          StateIdle,
		"running":           StateWorking,
		"waiting_for_input": StateWaiting,
		"paused":            StatePaused,
		"error":             StateFailed,
		"terminated":        StateGone,
		"":                  StateUnknown,
		"Running":           StateUnknown,
	} {
		require.Equal(t, want, agiState(word), "%q", word)
	}
}
