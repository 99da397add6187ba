package activities

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"

	"github.com/errand-dev/errand/provider"
)

var acts *Activities // names activities

func TestASessionIsMadeAndDeleted(t *testing.T) {
	p := localVendor(t, nil)
	env := environment(activitiesOn(p))

	s, err := perform[Session](t, env, acts.CreateSession, CreateSessionInput{TaskID: "t-1", Connection: connection})
	require.NoError(t, err)
	require.NotEmpty(t, s.ViewURL)
	all, err := p.Sessions(t.Context())
	require.NoError(t, err)
	require.Len(t, all.Sessions, 1)
	require.Equal(t, s.ID, all.Sessions[0].ID)
	require.Equal(t, "script", all.Sessions[0].Agent, "the agent of the connection")

	deletion := DeleteSessionInput{Connection: connection, SessionID: s.ID, Snapshot: provider.SnapshotFilesystem, SaveAsDefault: true}
	first, err := perform[DeleteSessionOutput](t, env, acts.DeleteSession, deletion)
	require.NoError(t, err)
	require.Equal(t, DeleteSessionOutput{Found: true}, first)
	second, err := perform[DeleteSessionOutput](t, env, acts.DeleteSession, deletion)
	require.NoError(t, err)
	require.Equal(t, DeleteSessionOutput{Found: false}, second, "a second run finds nothing to do")
}

func TestADeleteKnowsWhatTheTryBeforeItDid(t *testing.T) {
	for name, test := range map[string]struct {
		attempt int32
		before  *tryNote
		want    DeleteSessionOutput
	}{
		"the first try finds nothing":                 {1, nil, DeleteSessionOutput{}},
		"the worker died after it was done":           {2, &tryNote{Attempt: 1, Fate: FateDone}, DeleteSessionOutput{Found: true}},
		"the worker died, nobody knows when":          {2, nil, DeleteSessionOutput{Doubtful: true}},
		"the reply was lost":                          {2, &tryNote{Attempt: 1, Fate: FatePending}, DeleteSessionOutput{Doubtful: true}},
		"the try before had no effect":                {2, &tryNote{Attempt: 1}, DeleteSessionOutput{}},
		"the one before last is why it finds nothing": {3, &tryNote{Attempt: 2, Fate: FatePending}, DeleteSessionOutput{Doubtful: true}},
	} {
		t.Run(name, func(t *testing.T) {
			h := host{attempt: test.attempt}
			env := environment(activitiesOn(localVendor(t, nil)))
			h.Interceptors = []interceptor.WorkerInterceptor{&hostInterceptor{host: &h}}
			env.SetWorkerOptions(h.Options)
			if test.before != nil {
				env.SetHeartbeatDetails(*test.before)
			}
			out, err := perform[DeleteSessionOutput](t, env, acts.DeleteSession,
				DeleteSessionInput{Connection: connection, SessionID: "s-1", Snapshot: provider.SnapshotFilesystem})
			require.NoError(t, err)
			require.Equal(t, test.want, out)
		})
	}
}

// request is what a vendor was asked.
type request struct{ method, target, body string }

// recordingVendor answers everything with body and tells what it was asked.
func recordingVendor(t *testing.T, body string) (provider.Provider, *request) {
	t.Helper()
	var got request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent strings.Builder
		_ = r.Write(&sent)
		_, content, _ := strings.Cut(sent.String(), "\r\n\r\n")
		got = request{method: r.Method, target: r.URL.RequestURI(), body: content}
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return vendorAt(t, server.URL), &got
}

func TestCreateSessionHandsOnWhatToRestore(t *testing.T) {
	p, got := recordingVendor(t, `{"session_id":"s-1","agent_name":"agi-0","status":"ready","vnc_url":"https://vnc.example/1"}`)
	s, err := perform[Session](t, environment(activitiesOn(p)), acts.CreateSession, CreateSessionInput{
		TaskID: "t-1", Connection: connection, Agent: "agi-0", RestoreSession: "s-0", RestoreDefaultUser: "u-0",
	})
	require.NoError(t, err)
	require.Equal(t, Session{ID: "s-1", ViewURL: "https://vnc.example/1", Ref: s.Ref}, s)
	require.NotEmpty(t, s.Ref)
	require.Equal(t, http.MethodPost, got.method)
	require.JSONEq(t, `{"agent_name":"agi-0","restore_from_session_id":"s-0","restore_default_environment_from_user_id":"u-0"}`, got.body)
}

func TestDeleteSessionHandsOnWhatToKeep(t *testing.T) {
	p, got := recordingVendor(t, `{"success":true,"deleted":true}`)
	_, err := perform[DeleteSessionOutput](t, environment(activitiesOn(p)), acts.DeleteSession, DeleteSessionInput{
		Connection: connection, SessionID: "s-1", Snapshot: provider.SnapshotMemory, SaveAsDefault: true,
	})
	require.NoError(t, err)
	require.Equal(t, request{method: http.MethodDelete, target: "/v1/sessions/s-1?save_as_default=true&save_snapshot_mode=memory"}, *got)
}

func TestTheSameAnswerTwiceIsTwoMessages(t *testing.T) {
	p := localVendor(t, nil)
	env := environment(activitiesOn(p))
	session := newSession(t, p, "ask one; ask two; finish ok")
	var after provider.Watermark
	for range 2 {
		var asked provider.Progress
		require.Eventually(t, func() bool {
			var err error
			asked, err = p.Read(t.Context(), session, after)
			return err == nil && asked.Outcome != nil
		}, patient, pollEvery)
		after = asked.Cursor
		out, err := perform[SendMessageOutput](t, env, acts.SendMessage,
			SendMessageInput{Connection: connection, SessionID: session, Text: "yes", After: after})
		require.NoError(t, err)
		require.False(t, out.Found)
	}
	require.Eventually(t, func() bool {
		done, err := p.Read(t.Context(), session, after)
		return err == nil && done.Outcome != nil && done.Outcome.Kind == provider.OutcomeFinished
	}, patient, pollEvery)
}

func TestASessionIsPausedResumedAndCancelled(t *testing.T) {
	p := localVendor(t, nil)
	env := environment(activitiesOn(p))
	in := SessionInput{Connection: connection, SessionID: newSession(t, p, "wait 1h")}
	state := func() provider.State {
		progress, err := p.Read(t.Context(), in.SessionID, "")
		require.NoError(t, err)
		return progress.State
	}
	for _, step := range []struct {
		activity any
		want     provider.State
	}{
		{acts.ResumeSession, provider.StateWorking}, // not paused
		{acts.PauseSession, provider.StatePaused},
		{acts.PauseSession, provider.StatePaused},
		{acts.ResumeSession, provider.StateWorking},
		{acts.CancelSession, provider.StateIdle},
		{acts.CancelSession, provider.StateIdle},
	} {
		_, err := perform[struct{}](t, env, step.activity, in)
		require.NoError(t, err)
		require.Equal(t, step.want, state())
	}
}

func TestWhatASessionThatIsGoneMeansToEachActivity(t *testing.T) {
	p := localVendor(t, nil)
	env := environment(activitiesOn(p))
	gone := SessionInput{Connection: connection, SessionID: newSession(t, p, "")}
	_, err := p.Delete(t.Context(), gone.SessionID, provider.DeleteRequest{})
	require.NoError(t, err)

	for _, activity := range []any{acts.PauseSession, acts.ResumeSession} {
		_, err := perform[struct{}](t, env, activity, gone)
		requireType(t, err, ErrTypeSessionGone, false)
	}
	_, err = perform[struct{}](t, env, acts.CancelSession, gone)
	require.NoError(t, err, "a session that is gone does nothing any more")
	_, err = perform[SendMessageOutput](t, env, acts.SendMessage,
		SendMessageInput{Connection: connection, SessionID: gone.SessionID, Text: "go"})
	requireType(t, err, ErrTypeSessionGone, false)
	_, err = perform[Turn](t, env, acts.TakeTurn, awaitIn(gone.SessionID))
	requireType(t, err, ErrTypeSessionGone, false)
}

// without is a vendor that lacks the calls about a turn under way.
type without struct{ provider.Provider }

func (without) Pause(_ context.Context, _ string) error  { return provider.ErrUnsupported }
func (without) Resume(_ context.Context, _ string) error { return provider.ErrUnsupported }
func (without) Cancel(_ context.Context, _ string) error { return provider.ErrUnsupported }
func (without) Capabilities() provider.Capabilities      { return provider.Capabilities{} }
func (without) Delete(_ context.Context, _ string, _ provider.DeleteRequest) (provider.Deletion, error) {
	return provider.Deletion{}, provider.ErrUnsupported
}

func TestACallThatTheVendorLacksIsFinal(t *testing.T) {
	env := environment(activitiesOn(without{}))
	in := SessionInput{Connection: connection, SessionID: "s-1"}
	for _, activity := range []any{acts.PauseSession, acts.ResumeSession, acts.CancelSession} {
		_, err := perform[struct{}](t, env, activity, in)
		requireType(t, err, ErrTypeUnsupported, false)
	}
	_, err := perform[DeleteSessionOutput](t, env, acts.DeleteSession, DeleteSessionInput{Connection: connection, SessionID: "s-1"})
	requireType(t, err, ErrTypeUnsupported, false)
}

func TestASessionThatNobodyCanDeleteIsNobodysBusinessAnyMore(t *testing.T) {
	ledger := &memory{entries: []LedgerEntry{{Connection: connection, Ref: "r", Try: "1", SessionID: "s-1"}}}
	a := activitiesOn(without{})
	a.Ledger, a.Temporal = ledger, temporalSays{}
	env := environment(a)

	_, err := perform[DeleteSessionOutput](t, env, acts.DeleteSession,
		DeleteSessionInput{Connection: connection, SessionID: "s-1", Ref: "r"})

	requireType(t, err, ErrTypeUnsupported, false)
	require.Empty(t, ledger.entries)
	_, err = perform[ReapReport](t, env, acts.FindOrphans, ReapInput{Connection: connection})
	app := requireType(t, err, ErrTypeUnsupported, false)
	require.Contains(t, app.Message(), "has no call that deletes a session")
}

func TestWhatTheVendorCannotDoIsRefusedBeforeASessionIsCreated(t *testing.T) {
	ledger := &memory{}
	a := activitiesOn(without{})
	a.Ledger, a.Temporal = ledger, temporalSays{}
	env := environment(a)
	for says, in := range map[string]CreateSessionInput{
		"keeps no snapshots":               {Snapshot: provider.SnapshotMemory},
		"leave out what keeps or restores": {RestoreSession: "s-0"},
		"takes no branch":                  {Options: provider.SessionOptions{Branch: "fix"}},
	} {
		in.Connection = connection
		_, err := perform[Session](t, env, acts.CreateSession, in)
		require.Contains(t, requireType(t, err, ErrTypeInvalidRequest, false).Message(), says)
	}
	require.Empty(t, ledger.entries)
}

func TestNoActivityRunsOnAConnectionThatIsNotThere(t *testing.T) {
	const elsewhere = "elsewhere"
	env := environment(activitiesOn(nil))
	for name, run := range map[string]func() error{
		"CreateSession": func() error {
			_, err := perform[Session](t, env, acts.CreateSession, CreateSessionInput{Connection: elsewhere})
			return err
		},
		"SendMessage": func() error {
			_, err := perform[SendMessageOutput](t, env, acts.SendMessage, SendMessageInput{Connection: elsewhere})
			return err
		},
		"PauseSession": func() error {
			_, err := perform[struct{}](t, env, acts.PauseSession, SessionInput{Connection: elsewhere})
			return err
		},
		"DeleteSession": func() error {
			_, err := perform[DeleteSessionOutput](t, env, acts.DeleteSession, DeleteSessionInput{Connection: elsewhere})
			return err
		},
		"TakeTurn": func() error {
			_, err := perform[Turn](t, env, acts.TakeTurn, TakeTurnInput{Connection: elsewhere})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			app := requireType(t, run(), ErrTypeUnknownConnection, false)
			require.Contains(t, app.Message(), `there is no connection "elsewhere" here (there is shop)`)
		})
	}
}
