package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// viewer is an agent with a screen. Its one worker opens every page, notes it
// in its state, and works as run says.
type viewer struct {
	session agent.Session
	run     func(ctx context.Context, turn *agent.Turn) agent.Outcome
	closed  chan struct{}
	busy    chan struct{} // if set, pictures take until the worker is closed, and tell that here
	asleep  bool
	calls   []string
}

func (v *viewer) Open(s agent.Session) agent.Worker {
	v.session, v.closed = s, make(chan struct{})
	return v
}
func (v *viewer) Close()      { close(v.closed) }
func (v *viewer) Awake() bool { return !v.asleep }

func (v *viewer) Pause() error {
	v.calls = append(v.calls, "pause")
	return nil
}

func (v *viewer) Resume() error {
	v.calls = append(v.calls, "resume")
	return nil
}

func (v *viewer) Run(ctx context.Context, turn *agent.Turn) agent.Outcome { return v.run(ctx, turn) }

func (v *viewer) Screenshot(ctx context.Context) (agent.Screenshot, error) {
	v.calls = append(v.calls, "screenshot")
	if v.busy == nil {
		return agent.Screenshot{URL: "http://a.example/"}, nil
	}
	v.busy <- struct{}{}
	select {
	case <-v.closed:
		return agent.Screenshot{}, errors.New("the screen went dark")
	case <-ctx.Done():
		return agent.Screenshot{}, context.Cause(ctx)
	}
}

func (v *viewer) Navigate(_ context.Context, url string) (string, error) {
	return url, v.session.Amend(func(state json.RawMessage) (any, error) {
		var seen []string
		if state != nil {
			if err := json.Unmarshal(state, &seen); err != nil {
				return nil, err
			}
		}
		return append(seen, url), nil
	})
}

// state is what the session has saved for its agent.
func (s *Session) state() string {
	_, state := s.past()
	return string(state)
}

func TestWhatAnAgentChangesBetweenTurnsIsKept(t *testing.T) {
	dir := t.TempDir()
	v := &viewer{run: func(_ context.Context, turn *agent.Turn) agent.Outcome { return agent.Finished(turn.State) }}
	e := open(t, dir, v)
	s := create(t, e)
	at, err := s.Navigate(t.Context(), "http://a.example/")
	require.NoError(t, err)
	require.Equal(t, "http://a.example/", at)
	shut(t, e)

	e = open(t, dir, v)
	s, err = e.Session(s.ID)
	require.NoError(t, err)
	_, err = s.Navigate(t.Context(), "http://b.example/")
	require.NoError(t, err)
	send(t, s, "go")
	events := follow(t, s, Status{Phase: Finished})
	require.Equal(t, Step, events[1].Mark)
	require.JSONEq(t, `["http://a.example/","http://b.example/"]`, string(events[3].Message.Content))
	require.NoError(t, e.Delete(t.Context(), s.ID, SnapshotOptions{Mode: SnapshotMemory}))
	require.JSONEq(t, `["http://a.example/","http://b.example/"]`, restored(t, e, Restore{SessionID: s.ID}).state())
	require.Empty(t, restored(t, e, Restore{SessionID: s.ID, FilesOnly: true}).state())
}

func TestAChangeOfTheStateIsNotUndoneByTheTurnThatEnds(t *testing.T) {
	saved, finish := make(chan struct{}), make(chan struct{})
	v := &viewer{run: func(_ context.Context, turn *agent.Turn) agent.Outcome {
		if err := turn.Save([]string{"turn"}); err != nil {
			return agent.Failed(err.Error())
		}
		close(saved)
		<-finish
		return agent.Finished("ok")
	}}
	e := open(t, t.TempDir(), v)
	s := create(t, e)
	send(t, s, "go")
	<-saved
	_, err := s.Navigate(t.Context(), "http://a.example/")
	require.NoError(t, err)
	require.JSONEq(t, `["http://a.example/"]`, s.state(), "a crash now must not find what the turn has saved")
	close(finish)
	follow(t, s, Status{Phase: Finished})
	require.JSONEq(t, `["turn","http://a.example/"]`, s.state())
}

func TestAStateThatCannotBeChangedStaysAsItIs(t *testing.T) {
	v := &viewer{run: func(_ context.Context, turn *agent.Turn) agent.Outcome {
		if err := turn.Save(7); err != nil {
			return agent.Failed(err.Error())
		}
		return agent.Finished("ok")
	}}
	e := open(t, t.TempDir(), v)
	s := create(t, e)
	send(t, s, "go")
	follow(t, s, Status{Phase: Finished})
	_, err := s.Navigate(t.Context(), "http://a.example/")
	require.ErrorContains(t, err, "cannot unmarshal")
	require.Equal(t, "7", s.state())
	require.Len(t, s.Since(0).Events, 2, "nothing was opened")
}

func TestThePastOfASessionEndsWhereItsTurnBegins(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	v := &viewer{run: func(ctx context.Context, turn *agent.Turn) agent.Outcome {
		if err := turn.Think(ctx, "thinking"); err != nil {
			return agent.Failed(err.Error())
		}
		began <- struct{}{}
		<-finish
		return agent.Finished("ok")
	}}
	e := open(t, t.TempDir(), v)
	s := create(t, e)
	past := func() (texts []string) {
		history, _ := v.session.Past()
		for _, m := range history {
			texts = append(texts, m.Text())
		}
		return texts
	}
	_, err := s.Screenshot(t.Context())
	require.NoError(t, err)
	require.Empty(t, past())
	send(t, s, "one")
	<-began
	require.Empty(t, past(), "the turn tells the rest")
	finish <- struct{}{}
	follow(t, s, Status{Phase: Finished})
	require.Equal(t, []string{"one", "thinking", "ok"}, past())
	send(t, s, "two")
	<-began
	require.Equal(t, []string{"one", "thinking", "ok"}, past())
	finish <- struct{}{}
}

func TestWhatHappensToTheSessionSaysWhyThereIsNoPicture(t *testing.T) {
	for name, tt := range map[string]struct {
		happens func(t *testing.T, e *Engine, s *Session, giveUp func())
		want    error
	}{
		"it is deleted": {func(t *testing.T, e *Engine, s *Session, _ func()) {
			require.NoError(t, e.Delete(t.Context(), s.ID, SnapshotOptions{Mode: SnapshotNone}))
		}, ErrNotFound},
		"the server closes": {func(t *testing.T, e *Engine, _ *Session, _ func()) { shut(t, e) }, ErrClosed},
		"it is paused": {func(t *testing.T, _ *Engine, s *Session, giveUp func()) {
			_, err := s.Pause()
			require.NoError(t, err)
			giveUp()
		}, ErrPaused},
		"nothing": {func(_ *testing.T, _ *Engine, _ *Session, giveUp func()) { giveUp() }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			v := &viewer{busy: make(chan struct{}), run: func(context.Context, *agent.Turn) agent.Outcome { return agent.Ask("q?") }}
			e := open(t, t.TempDir(), v)
			s := create(t, e)
			send(t, s, "go")
			follow(t, s, Status{Phase: Waiting})
			ctx, giveUp := context.WithCancel(t.Context())
			defer giveUp()
			failed := make(chan error)
			go func() {
				_, err := s.Screenshot(ctx)
				failed <- err
			}()
			<-v.busy
			tt.happens(t, e, s, giveUp)
			require.ErrorIs(t, <-failed, tt.want)
		})
	}
}

func TestThoseWhoWatchWakeNobody(t *testing.T) {
	v := &viewer{asleep: true}
	e := open(t, t.TempDir(), v)
	s := create(t, e)
	_, err := s.Seen(t.Context(), 0)
	require.ErrorIs(t, err, agent.ErrNoScreen)
	require.Nil(t, v.closed, "no worker is opened")
	_, err = s.Screenshot(t.Context())
	require.NoError(t, err)
	for range 2 {
		shot, err := s.Seen(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, "http://a.example/", shot.URL, "the last picture")
	}
	require.Equal(t, []string{"screenshot"}, v.calls)
	v.asleep = false
	_, err = s.Seen(t.Context(), time.Nanosecond)
	require.NoError(t, err)
	require.Equal(t, []string{"screenshot", "screenshot"}, v.calls)
}

func TestACancelLetsGoOfAnAgentThatIsHeld(t *testing.T) {
	v := &viewer{run: func(context.Context, *agent.Turn) agent.Outcome { return agent.Ask("q?") }}
	e := open(t, t.TempDir(), v)
	s := create(t, e)
	send(t, s, "go")
	follow(t, s, Status{Phase: Waiting})
	require.NoError(t, s.Cancel())
	require.Empty(t, v.calls, "it was not held")
	send(t, s, "go")
	follow(t, s, Status{Phase: Waiting})
	_, err := s.Pause()
	require.NoError(t, err)
	require.NoError(t, s.Cancel())
	require.Equal(t, []string{"pause", "resume"}, v.calls)
	_, err = s.Screenshot(t.Context())
	require.NoError(t, err, "it can be looked at again")
}
