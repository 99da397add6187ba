package provider

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// readUntil reads on from the watermark until the progress is as wanted.
func readUntil(t *testing.T, p Provider, session string, after Watermark, wanted func(Progress) bool) Progress {
	t.Helper()
	var got Progress
	require.Eventually(t, func() bool {
		var err error
		got, err = p.Read(t.Context(), session, after)
		return err == nil && wanted(got)
	}, patience, pollEvery)
	return got
}

func ended(p Progress) bool { return p.Outcome != nil }

func TestASessionFromItsCreationToItsSnapshot(t *testing.T) {
	p, ctx := localVendor(t), t.Context()
	s, err := p.Create(ctx, CreateRequest{})
	require.NoError(t, err)
	require.Equal(t, "script", s.Agent)
	require.Equal(t, StateIdle, s.State)
	require.NotEmpty(t, s.ViewURL)
	require.False(t, s.CreatedAt.IsZero())

	goal := Message{Text: `think looking; ask Which size?; finish {"size":"{{answer}}"}`}
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
	require.Len(t, asked.Entries, 3)
	require.Equal(t, []EntryType{EntryUser, EntryThought, EntryQuestion},
		[]EntryType{asked.Entries[0].Type, asked.Entries[1].Type, asked.Entries[2].Type})

	answer := Message{Text: "XL"}
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

	// The turn is over and nothing is new: the old result does not count again.
	again, err := p.Read(ctx, s.ID, done.Cursor)
	require.NoError(t, err)
	require.Nil(t, again.Outcome)
	require.True(t, again.Unsettled)
	require.Empty(t, again.Entries)
	require.Equal(t, done.Cursor, again.Cursor)

	all, err := p.Sessions(ctx)
	require.NoError(t, err)
	require.Len(t, all.Sessions, 1)
	require.Equal(t, s.ID, all.Sessions[0].ID)
	require.WithinDuration(t, time.Now(), all.At, time.Minute)

	deletion, err := p.Delete(ctx, s.ID, DeleteRequest{Snapshot: SnapshotFilesystem, SaveAsDefault: true})
	require.NoError(t, err)
	require.True(t, deletion.Found)
	deletion, err = p.Delete(ctx, s.ID, DeleteRequest{})
	require.NoError(t, err)
	require.False(t, deletion.Found)
	_, err = p.Read(ctx, s.ID, "")
	require.True(t, IsKind(err, ErrorNotFound), "%v", err)

	_, err = p.Create(ctx, CreateRequest{RestoreSession: s.ID})
	require.NoError(t, err)
	_, err = p.Create(ctx, CreateRequest{RestoreDefaultUser: "me"})
	require.NoError(t, err)
	_, err = p.Create(ctx, CreateRequest{Agent: "nobody"})
	require.True(t, IsKind(err, ErrorInvalid), "%v", err)
}

func TestASessionThatIsPausedAndCancelled(t *testing.T) {
	p, ctx := localVendor(t), t.Context()
	s, err := p.Create(ctx, CreateRequest{})
	require.NoError(t, err)
	require.NoError(t, p.Resume(ctx, s.ID), "what was not paused may be resumed")
	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "think a; wait 1h; finish b"}))
	readUntil(t, p, s.ID, "", func(got Progress) bool { return len(got.Entries) == 2 })

	require.NoError(t, p.Pause(ctx, s.ID))
	require.NoError(t, p.Pause(ctx, s.ID), "twice is as good as once")
	got, err := p.Read(ctx, s.ID, "")
	require.NoError(t, err)
	require.Equal(t, StatePaused, got.State)
	require.False(t, got.Unsettled)

	require.NoError(t, p.Resume(ctx, s.ID))
	require.NoError(t, p.Cancel(ctx, s.ID))
	require.NoError(t, p.Cancel(ctx, s.ID), "twice is as good as once")
	got, err = p.Read(ctx, s.ID, "")
	require.NoError(t, err)
	require.Equal(t, StateIdle, got.State)
	require.Nil(t, got.Outcome)
}

func TestAFailureOfTheAgent(t *testing.T) {
	p, ctx := localVendor(t), t.Context()
	s, err := p.Create(ctx, CreateRequest{})
	require.NoError(t, err)
	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "fail the shop is closed"}))
	got := readUntil(t, p, s.ID, "", ended)
	require.Equal(t, OutcomeFailed, got.Outcome.Kind)
	require.Equal(t, "the shop is closed", got.Outcome.Text)
	require.Equal(t, StateFailed, got.State)
}

func TestTheStreamWakesForTheTypesAskedFor(t *testing.T) {
	p, ctx := localVendor(t), t.Context()
	s, err := p.Create(ctx, CreateRequest{})
	require.NoError(t, err)
	wakes := make(chan struct{}, 10)
	watched := make(chan error, 1)
	go func() {
		watched <- p.Watch(ctx, s.ID, func() { wakes <- struct{}{} }, EntryQuestion, EntryDone)
	}()
	<-wakes // open
	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "think a; think b; ask c; think d; finish e"}))
	<-wakes // the question
	require.NoError(t, p.Send(ctx, s.ID, Message{Text: "answer"}))
	require.NoError(t, <-watched, "the vendor ends the stream of a session that is done")
	require.Len(t, wakes, 1, "the result, and none of the thoughts")
}
