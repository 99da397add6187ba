package provider

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver"
	"github.com/errand-dev/errand/sessionserver/faults"
)

// localAgen starts the session server with the Agen API.
func localAgen(t *testing.T, c sessionserver.Config) *agenProvider {
	t.Helper()
	c.Dir, c.Logger, c.Keys = t.TempDir(), slog.New(slog.DiscardHandler), []sessionserver.Key{{Value: testKey}}
	s, err := sessionserver.New(c)
	require.NoError(t, err)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, s.Close(ctx))
		server.Close()
	})
	p, err := New(Connection{Name: "code", Provider: "agen", BaseURL: server.URL + "/agen", APIKey: testKey, Agent: "script"})
	require.NoError(t, err)
	return p.(*held).Provider.(*agenProvider)
}

func TestASessionAtAgenFromItsCreationToItsResult(t *testing.T) {
	for name, o := range map[string]sessionserver.AgenOptions{
		"by default":                 {},
		"newest first":               {Order: "newest_first"},
		"thoughts as messages":       {Thoughts: "agent_message"},
		"201 and errors in one word": {CreateStatus: 201, ErrorBody: "error"},
		"no call for one session":    {NoGet: true},
	} {
		t.Run(name, func(t *testing.T) {
			p, ctx := localAgen(t, sessionserver.Config{Agen: o}), t.Context()
			s, err := p.Create(ctx, CreateRequest{Options: SessionOptions{Branch: "fix", AutoCommit: true}})
			require.NoError(t, err)
			require.Equal(t, "script", s.Agent)
			require.Equal(t, StateIdle, s.State)
			require.False(t, s.CreatedAt.IsZero())
			empty, err := p.Read(ctx, s.ID, "")
			require.NoError(t, err)
			require.Equal(t, Watermark(""), empty.Cursor)

			goal := Message{Text: `think looking; ask Which size?; think packing; finish {"size":"{{answer}}"}`, Key: "errand-t-1"}
			found, err := p.Find(ctx, s.ID, goal, "")
			require.NoError(t, err)
			require.Equal(t, Missing, found)
			require.NoError(t, p.Send(ctx, s.ID, goal))
			found, err = p.Find(ctx, s.ID, goal, "")
			require.NoError(t, err)
			require.Equal(t, Arrived, found)

			asked := readUntil(t, p, s.ID, "", ended)
			require.Equal(t, OutcomeQuestion, asked.Outcome.Kind)
			require.Equal(t, "Which size?", asked.Outcome.Text)
			require.Equal(t, StateWaiting, asked.State)
			require.Equal(t, []EntryType{EntryUser, EntryThought, EntryQuestion}, entryTypes(asked.Entries))

			answer := Message{Text: "XL", Key: "errand-t-2"}
			found, err = p.Find(ctx, s.ID, answer, asked.Cursor)
			require.NoError(t, err)
			require.Equal(t, Missing, found)
			require.NoError(t, p.Send(ctx, s.ID, answer))
			found, err = p.Find(ctx, s.ID, answer, asked.Cursor)
			require.NoError(t, err)
			require.Equal(t, Arrived, found)

			done := readUntil(t, p, s.ID, asked.Cursor, ended)
			require.Equal(t, OutcomeFinished, done.Outcome.Kind)
			require.JSONEq(t, `{"size":"XL"}`, string(done.Outcome.Result))
			require.Equal(t, []EntryType{EntryUser, EntryThought, EntryThought, EntryDone}, entryTypes(done.Entries))

			again, err := p.Read(ctx, s.ID, done.Cursor)
			require.NoError(t, err)
			require.Nil(t, again.Outcome, "the old result does not count again")
			require.Empty(t, again.Entries)
			require.Equal(t, done.Cursor, again.Cursor)
			require.Equal(t, StateIdle, again.State)

			require.NoError(t, p.Send(ctx, s.ID, Message{Text: "finish more", Key: "errand-t-3"}))
			more := readUntil(t, p, s.ID, done.Cursor, ended)
			require.Equal(t, `"more"`, string(more.Outcome.Result))

			all, err := p.Sessions(ctx)
			require.NoError(t, err)
			require.Len(t, all.Sessions, 1)
			require.Equal(t, s.ID, all.Sessions[0].ID)
		})
	}
}

func entryTypes(entries []Entry) []EntryType {
	types := make([]EntryType, len(entries))
	for i, e := range entries {
		types[i] = e.Type
	}
	return types
}

func TestAFailureOfAnAgentAtAgen(t *testing.T) {
	p, ctx := localAgen(t, sessionserver.Config{}), t.Context()
	s, err := p.Create(ctx, CreateRequest{})
	require.NoError(t, err)
	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "think a; fail the shop is closed"}))
	got := readUntil(t, p, s.ID, "", ended)
	require.Equal(t, OutcomeFailed, got.Outcome.Kind)
	require.Equal(t, "the shop is closed", got.Outcome.Text)
	require.Equal(t, StateFailed, got.State)

	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "finish better"}))
	got = readUntil(t, p, s.ID, got.Cursor, ended)
	require.Equal(t, "better", got.Outcome.Text, "a failure does not outlive its turn")
}

func TestAnAgentAtAgenThatNeverSaysItHasFinished(t *testing.T) {
	p, ctx := localAgen(t, sessionserver.Config{Agen: sessionserver.AgenOptions{Finish: "message", Thoughts: "agent_message"}}), t.Context()
	p.rest = 1 // nanosecond: the server's clock has whole seconds, so that is up to a second
	s, err := p.Create(ctx, CreateRequest{})
	require.NoError(t, err)
	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "think a; wait 500ms; finish b"}))
	got := readUntil(t, p, s.ID, "", ended)
	require.Equal(t, OutcomeFinished, got.Outcome.Kind)
	require.Equal(t, "b", got.Outcome.Text, "a thought is not the last word of an agent at work")
}

func TestAMessageToABusyAgentAtAgenIsATurnOfItsOwn(t *testing.T) {
	p, ctx := localAgen(t, sessionserver.Config{}), t.Context()
	s, err := p.Create(ctx, CreateRequest{})
	require.NoError(t, err)
	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "finish zero"}))
	zero := readUntil(t, p, s.ID, "", ended)

	// A stranger is first, and ours waits.
	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "think a; wait 300ms; finish strange", Key: "stranger-1"}))
	busy := readUntil(t, p, s.ID, zero.Cursor, func(got Progress) bool { return len(got.Entries) == 2 })
	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "wait 300ms; finish ours", Key: "errand-t-2"}))
	strange := readUntil(t, p, s.ID, busy.Cursor, ended)
	require.Equal(t, "strange", strange.Outcome.Text)

	ours := readUntil(t, p, s.ID, strange.Cursor, ended)
	require.Equal(t, "ours", ours.Outcome.Text)
}

func TestASendToAgenWhoseAnswerWasLostIsFound(t *testing.T) {
	for fault, want := range map[faults.Kind]Arrival{faults.LostAfter: Arrived, faults.LostBefore: Missing, faults.InternalError: Missing, faults.Cut: Arrived} {
		t.Run(string(fault), func(t *testing.T) {
			plan, err := faults.New(faults.Config{Rules: []faults.Rule{{On: []string{"message"}, Fault: fault, Times: 1}}})
			require.NoError(t, err)
			p, ctx := localAgen(t, sessionserver.Config{Faults: plan}), t.Context()
			s, err := p.Create(ctx, CreateRequest{})
			require.NoError(t, err)
			m := Message{Text: "finish ok", Key: "errand-t-1"}
			var e *Error
			require.ErrorAs(t, p.Send(ctx, s.ID, m), &e)
			require.True(t, e.Ambiguous)
			found, err := p.Find(ctx, s.ID, m, "")
			require.NoError(t, err)
			require.Equal(t, want, found)
		})
	}
}

func TestManySessionsAtAgenAreListedWhole(t *testing.T) {
	p, ctx := localAgen(t, sessionserver.Config{Agen: sessionserver.AgenOptions{PageSize: 3}}), t.Context()
	made := map[string]bool{}
	for range 7 {
		s, err := p.Create(ctx, CreateRequest{})
		require.NoError(t, err)
		made[s.ID] = true
	}
	list, err := p.Sessions(ctx)
	require.NoError(t, err)
	require.Len(t, list.Sessions, 7)
	for _, s := range list.Sessions {
		require.True(t, made[s.ID])
	}

	p = localAgen(t, sessionserver.Config{Agen: sessionserver.AgenOptions{PageSize: 3, CursorQuery: "after"}})
	for range 4 {
		_, err := p.Sessions(ctx)
		require.NoError(t, err, "one page is enough")
		_, err = p.Create(ctx, CreateRequest{})
		require.NoError(t, err)
	}
	_, err = p.Sessions(ctx)
	require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
}
