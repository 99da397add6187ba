package provider

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/everruns"
	"github.com/errand-dev/errand/sessionserver"
)

// localEverruns starts the session server and returns an adapter to its
// Everruns API, whose agent "script" does what its message says.
func localEverruns(t *testing.T, options sessionserver.EverrunsOptions) (Provider, *everruns.Client) {
	t.Helper()
	s, err := sessionserver.New(sessionserver.Config{
		Dir:      t.TempDir(),
		Keys:     []sessionserver.Key{{Value: everrunsKey}},
		Logger:   slog.New(slog.DiscardHandler),
		Everruns: options,
	})
	require.NoError(t, err)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, s.Close(ctx))
		server.Close()
	})
	client, err := everruns.New(everruns.Config{BaseURL: server.URL + "/everruns", APIKey: everrunsKey})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	agents, err := client.ListAgents(t.Context())
	require.NoError(t, err)
	script := slices.IndexFunc(agents, func(a everruns.Agent) bool { return a.Name == "script" })
	require.GreaterOrEqual(t, script, 0)
	p, err := New(Connection{
		Name: "runs", Provider: "everruns", BaseURL: server.URL + "/everruns", APIKey: everrunsKey, Agent: agents[script].ID,
	})
	require.NoError(t, err)
	return p, client
}

// everrunsSends sends a message as a task does: it is not there, then it is.
func everrunsSends(t *testing.T, p Provider, sessionID string, m Message, after Watermark) {
	t.Helper()
	found, err := p.Find(t.Context(), sessionID, m, after)
	require.NoError(t, err)
	require.Equal(t, Missing, found)
	require.NoError(t, p.Send(t.Context(), sessionID, m))
	found, err = p.Find(t.Context(), sessionID, m, after)
	require.NoError(t, err)
	require.Equal(t, Arrived, found)
}

func TestASessionOfEverrunsFromItsCreationToItsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		options sessionserver.EverrunsOptions
		replyTo string // begins so; empty: the question is an answer like any other
	}{
		"of the current profile": {sessionserver.EverrunsOptions{}, "tool:"},
		"that spells its status otherwise": {
			sessionserver.EverrunsOptions{WaitingStatus: "waiting_for_tool_results"}, "tool:",
		},
		"whose agent asks by a task": {sessionserver.EverrunsOptions{Questions: "task"}, "task:"},
		"of the older profile":       {sessionserver.EverrunsOptions{Profile: "given"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := localEverruns(t, test.options)
			ctx := t.Context()
			s, err := p.Create(ctx, CreateRequest{ClientRef: "errand-42", Options: SessionOptions{Title: "Lamp", Tags: []string{"shop"}}})
			require.NoError(t, err)
			require.Equal(t, StateIdle, s.State)
			require.Equal(t, "errand-42", s.ClientRef)
			require.False(t, s.CreatedAt.IsZero())

			everrunsSends(t, p, s.ID, Message{Text: `think looking; ask Which size?; finish {"size":"{{answer}}"}`, Key: "errand-t-1"}, "")
			asked := readUntil(t, p, s.ID, "", ended)
			answer := Message{Text: "XL", Key: "errand-t-2", ReplyTo: asked.Outcome.ReplyTo}
			if test.replyTo == "" {
				require.Equal(t, OutcomeFinished, asked.Outcome.Kind, "this profile does not tell a question from a result")
			} else {
				require.Equal(t, OutcomeQuestion, asked.Outcome.Kind)
				require.Contains(t, asked.Outcome.ReplyTo, test.replyTo)
			}
			require.Equal(t, "Which size?", asked.Outcome.Text)
			everrunsSends(t, p, s.ID, answer, asked.Cursor)

			done := readUntil(t, p, s.ID, asked.Cursor, ended)
			require.Equal(t, OutcomeFinished, done.Outcome.Kind)
			require.JSONEq(t, `{"size":"XL"}`, string(done.Outcome.Result))

			// Sent once more, as a try does whose reply was lost, the answer to
			// a question is refused, and that is as good as sent.
			if test.replyTo == "tool:" {
				require.NoError(t, p.Send(ctx, s.ID, answer))
			}

			again, err := p.Read(ctx, s.ID, done.Cursor)
			require.NoError(t, err)
			require.Nil(t, again.Outcome, "an old result does not count again")
			require.True(t, again.Unsettled)

			all, err := p.Sessions(ctx)
			require.NoError(t, err)
			require.Len(t, all.Sessions, 1)
			require.Equal(t, "errand-42", all.Sessions[0].ClientRef)
			require.WithinDuration(t, time.Now(), all.At, time.Minute)

			deletion, err := p.Delete(ctx, s.ID, DeleteRequest{})
			require.NoError(t, err)
			require.True(t, deletion.Found)
			deletion, err = p.Delete(ctx, s.ID, DeleteRequest{})
			require.NoError(t, err)
			require.False(t, deletion.Found)
			_, err = p.Read(ctx, s.ID, "")
			require.True(t, IsKind(err, ErrorNotFound), "%v", err)
		})
	}
}

func TestTwoTurnsOfOneSessionOfEverruns(t *testing.T) {
	p, _ := localEverruns(t, sessionserver.EverrunsOptions{})
	s, err := p.Create(t.Context(), CreateRequest{Agent: "script"}) // by its name
	require.NoError(t, err)
	require.Equal(t, "script", s.Agent)
	var cursor Watermark
	for i, text := range []string{"finish one", "fail the shop is closed", "finish three"} {
		everrunsSends(t, p, s.ID, Message{Text: text, Key: "errand-t-" + string(rune('1'+i))}, cursor)
		got := readUntil(t, p, s.ID, cursor, ended)
		cursor = got.Cursor
		require.Contains(t, []string{"one", "the shop is closed (llm_error)", "three"}[i], got.Outcome.Text)
		require.Equal(t, []OutcomeKind{OutcomeFinished, OutcomeFailed, OutcomeFinished}[i], got.Outcome.Kind)
	}
}

// A message of someone else's that comes first has its own turn, whose end is
// none of ours.
func TestATurnOfEverrunsIsNotTakenForAnother(t *testing.T) {
	p, client := localEverruns(t, sessionserver.EverrunsOptions{})
	ctx := t.Context()
	s, err := p.Create(ctx, CreateRequest{})
	require.NoError(t, err)
	_, err = client.CreateMessage(ctx, s.ID, everruns.CreateMessageRequest{
		Message: everruns.InputMessage{Content: everruns.TextContent("ask And you?; finish theirs")},
	})
	require.NoError(t, err)
	var call string
	require.Eventually(t, func() bool {
		events, err := client.ListEvents(ctx, s.ID, everruns.ListEventsOptions{})
		require.NoError(t, err)
		for _, e := range events {
			if facts := factsOf(e); len(facts.requested) > 0 {
				call = facts.requested[0].ID
			}
		}
		return call != ""
	}, patience, pollEvery)

	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "finish ours", Key: "errand-t-1"}))
	got, err := p.Read(ctx, s.ID, "")
	require.NoError(t, err)
	require.Nil(t, got.Outcome, "someone else's question is none of ours")
	_, err = client.SubmitToolResults(ctx, s.ID, []everruns.ToolResult{{ToolCallID: call, Result: []byte(`"me too"`)}})
	require.NoError(t, err)
	got = readUntil(t, p, s.ID, "", ended)
	require.Equal(t, "ours", got.Outcome.Text)
}

func TestASessionOfEverrunsThatIsCancelled(t *testing.T) {
	p, _ := localEverruns(t, sessionserver.EverrunsOptions{})
	ctx := t.Context()
	s, err := p.Create(ctx, CreateRequest{})
	require.NoError(t, err)
	require.NoError(t, p.Cancel(ctx, s.ID), "where there is nothing to cancel")
	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "think a; wait 1h; finish b", Key: "errand-t-1"}))
	readUntil(t, p, s.ID, "", func(got Progress) bool { return len(got.Entries) == 2 })
	require.NoError(t, p.Cancel(ctx, s.ID))
	require.NoError(t, p.Cancel(ctx, s.ID), "twice is as good as once")
	got := readUntil(t, p, s.ID, "", ended)
	require.Equal(t, OutcomeFailed, got.Outcome.Kind)
	require.Contains(t, got.Outcome.Text, "the turn was cancelled")
}

func TestTheStreamOfEverrunsWakesForTheTypesAskedFor(t *testing.T) {
	p, _ := localEverruns(t, sessionserver.EverrunsOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := p.Create(ctx, CreateRequest{})
	require.NoError(t, err)
	wakes := make(chan struct{}, 20)
	watched := make(chan error, 1)
	go func() { watched <- p.Watch(ctx, s.ID, func() { wakes <- struct{}{} }, EntryQuestion) }()
	<-wakes // open
	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "think a; think b; ask c; finish d", Key: "errand-t-1"}))
	<-wakes // the question
	require.Empty(t, wakes, "none of the thoughts")
	cancel()
	require.ErrorIs(t, <-watched, context.Canceled)
}

func TestTheStreamOfEverrunsIsEndedInOrder(t *testing.T) {
	p, _ := localEverruns(t, sessionserver.EverrunsOptions{StreamCycle: 10 * time.Millisecond})
	s, err := p.Create(t.Context(), CreateRequest{})
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, p.Watch(t.Context(), s.ID, func() {}))
	}
}
