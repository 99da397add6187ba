package provider

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEachCallAtAgenIsOneRequestInTheVendorsWords(t *testing.T) {
	const session = `{"id":"ses_01","title":"","branch_name":"fix","auto_commit":true,"status":"active","agent_status":"idle",` +
		`"model":"large","origin":"api","created_at":"2026-01-15T09:30:00.000Z"}`
	want := Session{
		ID: "ses_01", Agent: "large", State: StateIdle, RawState: "active/idle",
		CreatedAt: time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC),
	}
	for name, test := range map[string]struct {
		call   func(Provider) (any, error)
		sent   string // method, path and query
		body   string // empty: none
		answer string
		want   any
	}{
		"create with the connection's model": {
			call:   func(p Provider) (any, error) { return p.Create(t.Context(), CreateRequest{ClientRef: "t-1"}) },
			sent:   "POST /api/v1/sessions",
			body:   `{"branch_name":null,"auto_commit":false,"model":"default-model"}`,
			answer: session, want: want,
		},
		"create with an agent, which is the model": {
			call:   func(p Provider) (any, error) { return p.Create(t.Context(), CreateRequest{Agent: "small"}) },
			sent:   "POST /api/v1/sessions",
			body:   `{"branch_name":null,"auto_commit":false,"model":"small"}`,
			answer: session, want: want,
		},
		"create with all": {
			call: func(p Provider) (any, error) {
				return p.Create(t.Context(), CreateRequest{Options: SessionOptions{Model: "large", Branch: "fix", AutoCommit: true}})
			},
			sent:   "POST /api/v1/sessions",
			body:   `{"branch_name":"fix","auto_commit":true,"model":"large"}`,
			answer: session, want: want,
		},
		"create with the same model twice": {
			call: func(p Provider) (any, error) {
				return p.Create(t.Context(), CreateRequest{Agent: "large", Options: SessionOptions{Model: "large"}})
			},
			sent:   "POST /api/v1/sessions",
			body:   `{"branch_name":null,"auto_commit":false,"model":"large"}`,
			answer: session, want: want,
		},
		"list": {
			call:   func(p Provider) (any, error) { return p.Sessions(t.Context()) },
			sent:   "GET /api/v1/sessions",
			answer: `{"items":[` + session + `,{"id":"b","status":"asleep"}],"next_cursor":null}`,
			want: Listing{
				Sessions: []Session{want, {ID: "b", State: StateUnknown, RawState: "asleep"}},
				At:       time.Date(2026, 1, 15, 9, 45, 0, 0, time.UTC),
			},
		},
		"send": {
			call: func(p Provider) (any, error) {
				return nil, p.Send(t.Context(), "ses_01", Message{Text: "go", Key: "errand-t-1"})
			},
			sent:   "POST /api/v1/sessions/ses_01/messages",
			body:   `{"message":"go","client_id":"errand-t-1"}`,
			answer: `{"id":"evt_01","status":"queued"}`,
		},
		"send without a key": {
			call:   func(p Provider) (any, error) { return nil, p.Send(t.Context(), "ses_01", Message{Text: "go"}) },
			sent:   "POST /api/v1/sessions/ses_01/messages",
			body:   `{"message":"go"}`,
			answer: `{"id":"evt_01","status":"queued"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var sent, keys, bodies []string
			p := agenVendorOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				sent = append(sent, r.Method+" "+r.URL.RequestURI())
				keys = append(keys, r.Header.Get("x-api-key"))
				bodies = append(bodies, string(body))
				w.Header().Set("Date", "Thu, 15 Jan 2026 09:45:00 GMT")
				fmt.Fprint(w, test.answer)
			}))
			got, err := test.call(p)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.Equal(t, []string{test.sent}, sent)
			require.Equal(t, []string{testKey}, keys)
			if test.body == "" {
				require.Equal(t, []string{""}, bodies)
			} else {
				require.JSONEq(t, test.body, bodies[0])
			}
		})
	}
}

func TestTwoModelsForOneSessionAreRefusedBeforeAnythingIsSent(t *testing.T) {
	p := agenVendorOf(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }))
	_, err := p.Create(t.Context(), CreateRequest{Agent: "small", Options: SessionOptions{Model: "large"}})
	require.True(t, IsKind(err, ErrorInvalid), "%v", err)
	require.ErrorContains(t, err, `agent "small" and model "large"`)
}

func TestWhatAgenHasNotIsSaidBeforeAnythingIsSent(t *testing.T) {
	p := agenVendorOf(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }))
	for name, call := range map[string]func(context.Context) error{
		"watch":  func(ctx context.Context) error { return p.Watch(ctx, "ses_01", func() { t.Error("woken") }) },
		"pause":  func(ctx context.Context) error { return p.Pause(ctx, "ses_01") },
		"resume": func(ctx context.Context) error { return p.Resume(ctx, "ses_01") },
		"cancel": func(ctx context.Context) error { return p.Cancel(ctx, "ses_01") },
		"delete": func(ctx context.Context) error { _, err := p.Delete(ctx, "ses_01", DeleteRequest{}); return err },
	} {
		require.ErrorIs(t, call(t.Context()), ErrUnsupported, name)
	}
	c := p.Capabilities()
	require.Equal(t, []bool{false, false, false, false, false, false, false},
		[]bool{c.Stream, c.Pause, c.Cancel, c.Delete, c.Snapshot, c.ClientRef, c.StartURL})
	require.Equal(t, []Option{OptionModel, OptionBranch, OptionAutoCommit}, c.Options)

	v, err := VendorNamed("agen")
	require.NoError(t, err)
	require.EqualError(t, v.Refuse(Wishes{Options: SessionOptions{Title: "x"}}), "Agen takes no title: it takes model, branch, auto-commit")
	require.EqualError(t, v.Refuse(Wishes{Snapshot: SnapshotMemory}), "Agen keeps no snapshots: leave out what keeps or restores one")
}

func TestTheSettleTimeOfAConnectionReplacesThatOfAgen(t *testing.T) {
	for own, want := range map[time.Duration]time.Duration{0: agenSettleTime, time.Minute: time.Minute} {
		p, err := New(Connection{Name: "code", Provider: "agen", SettleTime: own})
		require.NoError(t, err)
		require.Equal(t, want, p.Capabilities().SettleTime)
	}
}

func TestARefusedKeyIsToldWithWhatToCheck(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		call   func(Provider) error
		scopes string
	}{
		"create, without rights": {403, func(p Provider) error { _, err := p.Create(t.Context(), CreateRequest{}); return err }, agenWriteScopes},
		"send, with a bad key":   {401, func(p Provider) error { return p.Send(t.Context(), "ses_01", Message{Text: "go"}) }, agenWriteScopes},
		"list":                   {403, func(p Provider) error { _, err := p.Sessions(t.Context()); return err }, agenReadScopes},
		"read":                   {403, func(p Provider) error { _, err := p.Read(t.Context(), "ses_01", ""); return err }, agenReadScopes},
		"find":                   {401, func(p Provider) error { _, err := p.Find(t.Context(), "ses_01", Message{}, ""); return err }, agenReadScopes},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.call(agenVendorOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				fmt.Fprintf(w, `{"message":"Insufficient scope","error":"Forbidden","statusCode":%d}`, test.status)
			})))
			require.True(t, IsKind(err, ErrorUnauthorized), "%v", err)
			require.ErrorContains(t, err, "Insufficient scope (the key must be valid and have one of the scopes "+test.scopes+")")
		})
	}
}

func TestALostAnswerOfAgenIsAmbiguousAndAnErrorOfItIsNot(t *testing.T) {
	for status, ambiguous := range map[int]bool{400: false, 404: false, 429: false, 500: true, 502: true} {
		err := agenVendorOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })).
			Send(t.Context(), "ses_01", Message{Text: "go"})
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, ambiguous, e.Ambiguous, status)
	}
	err := agenVendorOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"type":"user_message"}`) })).
		Send(t.Context(), "ses_01", Message{Text: "go"})
	var e *Error
	require.ErrorAs(t, err, &e)
	require.True(t, e.Ambiguous, "a 2xx without an event")
}

func TestAListOfAgenIsWholeOrAnError(t *testing.T) {
	p := agenVendorOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("cursor") {
		case "":
			fmt.Fprint(w, `{"items":[{"id":"a"}],"next_cursor":"c1"}`)
		default:
			fmt.Fprint(w, `{"items":[{"id":"b"}],"next_cursor":null}`)
		}
	}))
	list, err := p.Sessions(t.Context())
	require.NoError(t, err)
	require.Len(t, list.Sessions, 2)

	p = agenVendorOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"items":[{"id":"a"}],"next_cursor":"c1"}`)
	}))
	_, err = p.Sessions(t.Context())
	require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
	require.ErrorContains(t, err, "the same page")
}

func TestTheWordsOfAgenForAStateAreBroughtToOurs(t *testing.T) {
	for words, want := range map[string]State{
		"active/idle":             StateIdle,
		"active/working":          StateWorking,
		"active/waiting_for_user": StateWaiting,
		"active/error":            StateFailed,
		"active/dreaming":         StateUnknown,
		"finished/dreaming":       StateUnknown,
		"active/":                 StateUnknown,
		"/":                       StateUnknown,
		"archived/":               StateUnknown,
		"finished/":               StateIdle,
		"merged/":                 StateIdle,
		"merged/working":          StateWorking,
		"finished/working":        StateWorking,
		"closed/":                 StateGone,
		"closed/working":          StateGone,
		"Closed/":                 StateUnknown,
	} {
		a := agenAccount{status: words}
		list, err := agenVendorOf(t, &a).Sessions(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, list.Sessions[0].State, words)
	}
}
