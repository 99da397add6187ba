package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/sessionserver/agent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// agentFunc is an agent made of a function.
type agentFunc = agent.PerTurn

func config(dir string, a agent.Agent) Config {
	return Config{Dir: dir, Agents: map[string]agent.Agent{"a": a}, Logger: slog.New(slog.DiscardHandler)}
}

func open(t *testing.T, dir string, a agent.Agent) *Engine {
	t.Helper()
	return openConfig(t, config(dir, a))
}

func openConfig(t *testing.T, c Config) *Engine {
	t.Helper()
	e, err := Open(c)
	require.NoError(t, err)
	t.Cleanup(func() { shut(t, e) })
	return e
}

// shut closes an engine, as the end of a test and as the end of a process do.
func shut(t *testing.T, e *Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, e.Close(ctx))
}

func create(t *testing.T, e *Engine) *Session {
	t.Helper()
	return restored(t, e, Restore{})
}

func restored(t *testing.T, e *Engine, r Restore) *Session {
	t.Helper()
	s, err := e.Create(t.Context(), CreateOptions{Agent: "a", Restore: r})
	require.NoError(t, err)
	return s
}

// send gives a session a message.
func send(t *testing.T, s *Session, text string) {
	t.Helper()
	require.NoError(t, s.Send(UserMessage{Text: text}))
}

// follow waits for a status and gives the log up to it.
func follow(t *testing.T, s *Session, want Status) []Event {
	t.Helper()
	timeout := time.After(patience)
	for {
		view := s.Since(0)
		if view.Status == want {
			return view.Events
		}
		select {
		case <-view.Changed:
		case <-timeout:
			require.Fail(t, "status not reached", "want %v, have %v", want, view.Status)
		}
	}
}

func TestAnAgentGetsTheFactsOfItsTurn(t *testing.T) {
	turns := make(chan *agent.Turn, 1)
	e := open(t, t.TempDir(), agentFunc(func(ctx context.Context, turn *agent.Turn) agent.Outcome {
		turns <- turn
		if err := turn.Save(turn.Message.ID); err != nil {
			return agent.Failed(err.Error())
		}
		if turn.Answering {
			return agent.Finished(map[string]int{"n": 1})
		}
		return agent.Ask("q?")
	}))
	s := create(t, e)

	require.NoError(t, s.Send(UserMessage{Text: "goal", StartURL: "http://a.example"}))
	turn := <-turns
	require.Equal(t, s.ID, turn.Session.ID)
	require.Equal(t, agent.Message{ID: 1, Type: agent.User, Content: []byte(`"goal"`), StartURL: "http://a.example"}, turn.Message)
	require.Equal(t, "http://a.example", turn.StartURL)
	require.False(t, turn.Answering)
	require.Empty(t, turn.History)
	require.Nil(t, turn.State)
	follow(t, s, Status{Phase: Waiting})

	send(t, s, "answer")
	turn = <-turns
	require.True(t, turn.Answering)
	require.Equal(t, "answer", turn.Message.Text())
	require.Empty(t, turn.Message.StartURL)
	require.Equal(t, "http://a.example", turn.StartURL)
	require.Equal(t, []agent.MessageType{agent.User, agent.Question}, []agent.MessageType{turn.History[0].Type, turn.History[1].Type})
	require.JSONEq(t, "1", string(turn.State))
	events := follow(t, s, Status{Phase: Finished})
	require.JSONEq(t, `{"n":1}`, string(events[3].Message.Content))
}

func TestAnAgentThatIgnoresACancelIsNotHeard(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	e := open(t, t.TempDir(), agentFunc(func(ctx context.Context, turn *agent.Turn) agent.Outcome {
		if turn.Message.Text() == "second" {
			return agent.Finished("second")
		}
		close(started)
		<-release
		if err := turn.Think(ctx, "too late"); err == nil {
			return agent.Failed("was heard")
		}
		return agent.Finished("first")
	}))
	s := create(t, e)
	send(t, s, "first")
	<-started
	require.NoError(t, s.Cancel())
	send(t, s, "second") // waits until the agent has let go of the first
	close(release)
	follow(t, s, Status{Phase: Finished})
	require.NoError(t, e.Close(t.Context()))
	events := s.Since(0).Events
	require.Len(t, events, 4) // first, cancelled, second, its result
	require.Equal(t, "second", events[3].Message.Text())
}

func TestAPauseHoldsTheOutcomeBack(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	e := open(t, t.TempDir(), agentFunc(func(context.Context, *agent.Turn) agent.Outcome {
		close(started)
		<-release
		return agent.Finished("ok")
	}))
	s := create(t, e)
	send(t, s, "go")
	<-started
	held, err := s.Pause()
	require.NoError(t, err)
	require.True(t, held)
	again, err := s.Pause()
	require.NoError(t, err)
	require.False(t, again)
	close(release)
	view := s.Since(0)
	require.Equal(t, Status{Phase: Running, Paused: true}, view.Status)
	let, err := s.Resume()
	require.NoError(t, err)
	require.True(t, let)
	events := follow(t, s, Status{Phase: Finished})
	require.Equal(t, []Mark{"", Paused, Resumed, ""}, []Mark{events[0].Mark, events[1].Mark, events[2].Mark, events[3].Mark})
}

func TestAPanicCostsTheTurnOnly(t *testing.T) {
	e := open(t, t.TempDir(), agentFunc(func(context.Context, *agent.Turn) agent.Outcome { panic("oh") }))
	s := create(t, e)
	send(t, s, "go")
	events := follow(t, s, Status{Phase: Failed})
	require.Equal(t, "The agent crashed.", events[1].Message.Text())
}

func TestAResultThatIsNoJSONFails(t *testing.T) {
	e := open(t, t.TempDir(), agentFunc(func(context.Context, *agent.Turn) agent.Outcome { return agent.Finished(func() {}) }))
	s := create(t, e)
	send(t, s, "go")
	follow(t, s, Status{Phase: Failed})
}

func TestADeletedSessionTakesNothing(t *testing.T) {
	started, stopped := make(chan struct{}), make(chan error, 1)
	e := open(t, t.TempDir(), agentFunc(func(ctx context.Context, turn *agent.Turn) agent.Outcome {
		close(started)
		stopped <- turn.Wait(ctx, time.Hour)
		return agent.Finished(nil)
	}))
	s := create(t, e)
	send(t, s, "go")
	<-started
	view := s.Since(0)
	require.NoError(t, e.Delete(t.Context(), s.ID, SnapshotOptions{Mode: SnapshotNone}))
	<-view.Changed
	require.True(t, s.Since(0).Deleted)
	require.ErrorIs(t, <-stopped, context.Canceled)
	require.ErrorIs(t, s.Send(UserMessage{Text: "more"}), ErrNotFound)
	require.ErrorIs(t, e.Delete(t.Context(), s.ID, SnapshotOptions{}), ErrNotFound)
	_, err := e.Session(s.ID)
	require.ErrorIs(t, err, ErrNotFound)
	require.NoFileExists(t, s.journal.path)
}

func TestAClosedEngineTakesNothing(t *testing.T) {
	e := open(t, t.TempDir(), agentFunc(func(ctx context.Context, turn *agent.Turn) agent.Outcome { return agent.Ask("q?") }))
	s := create(t, e)
	require.NoError(t, e.Close(t.Context()))
	require.ErrorIs(t, s.Send(UserMessage{Text: "x"}), ErrClosed)
	require.ErrorIs(t, e.Delete(t.Context(), s.ID, SnapshotOptions{}), ErrClosed)
	_, err := e.Create(t.Context(), CreateOptions{Agent: "a"})
	require.ErrorIs(t, err, ErrClosed)
	<-e.Done()
}

func TestCloseSaysWhenAnAgentDoesNotStop(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	e := open(t, t.TempDir(), agentFunc(func(context.Context, *agent.Turn) agent.Outcome {
		close(started)
		<-release
		return agent.Finished(nil)
	}))
	send(t, create(t, e), "x")
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, e.Close(ctx), context.Canceled)
	close(release)
}

func TestAnInterruptedTurnIsRunAgainWithItsSavedState(t *testing.T) {
	dir := t.TempDir()
	waiting := make(chan struct{})
	first, err := Open(config(dir, agentFunc(func(ctx context.Context, turn *agent.Turn) agent.Outcome {
		if err := turn.Save("half way"); err != nil {
			return agent.Failed(err.Error())
		}
		if err := turn.Think(ctx, "t"); err != nil {
			return agent.Failed(err.Error())
		}
		if err := turn.Save("never written"); err != nil {
			return agent.Failed(err.Error())
		}
		close(waiting)
		<-ctx.Done()
		return agent.Failed("was heard")
	})))
	require.NoError(t, err)
	s := create(t, first)
	send(t, s, "go")
	<-waiting
	require.NoError(t, first.Close(t.Context()))

	states := make(chan json.RawMessage, 1)
	second := open(t, dir, agentFunc(func(_ context.Context, turn *agent.Turn) agent.Outcome {
		states <- turn.State
		return agent.Finished(turn.Message.Text())
	}))
	again, err := second.Session(s.ID)
	require.NoError(t, err)
	require.JSONEq(t, `"half way"`, string(<-states))
	events := follow(t, again, Status{Phase: Finished})
	require.Len(t, events, 3)
	require.Equal(t, "go", events[2].Message.Text())
}

func TestASessionWhoseAgentIsGoneFailsWhenUsed(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, agentFunc(func(context.Context, *agent.Turn) agent.Outcome { return agent.Ask("q?") }))
	s := create(t, e)
	require.NoError(t, e.Close(t.Context()))

	without, err := Open(Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer func() { require.NoError(t, without.Close(t.Context())) }()
	s, err = without.Session(s.ID)
	require.NoError(t, err)
	send(t, s, "x")
	follow(t, s, Status{Phase: Failed})
}

func TestASessionThatCannotBeWrittenSaysSoAndChangesNothing(t *testing.T) {
	e := open(t, t.TempDir(), agentFunc(func(context.Context, *agent.Turn) agent.Outcome { return agent.Ask("q?") }))
	s := create(t, e)
	require.NoError(t, os.Remove(s.journal.path))
	require.Error(t, s.Send(UserMessage{Text: "x"}))
	view := s.Since(0)
	require.Empty(t, view.Events)
	require.Equal(t, Status{Phase: Ready}, view.Status)
}

func TestAnOutcomeThatCannotBeWrittenIsStillSeen(t *testing.T) {
	var s *Session
	e := open(t, t.TempDir(), agentFunc(func(context.Context, *agent.Turn) agent.Outcome {
		if err := os.Remove(s.journal.path); err != nil {
			return agent.Failed(err.Error())
		}
		return agent.Finished("ok")
	}))
	s = create(t, e)
	send(t, s, "x")
	events := follow(t, s, Status{Phase: Finished})
	require.Equal(t, "ok", events[1].Message.Text())
}

func TestAppendsAfterATornLineStartOnALineOfTheirOwn(t *testing.T) {
	j := journal{path: t.TempDir() + "/j.jsonl"}
	require.NoError(t, j.create(record{Session: &Facts{ID: "x"}}))
	require.NoError(t, j.append(record{AgentState: []byte("1")}))
	require.Error(t, j.create(record{}), "a journal is never overwritten")
	f, err := os.OpenFile(j.path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"agent_sta`)
	require.NoError(t, errors.Join(err, f.Close()))

	reopened := journal{path: j.path}
	records, torn, err := reopened.read()
	require.NoError(t, err)
	require.True(t, torn)
	require.Len(t, records, 2)
	require.NoError(t, reopened.append(record{AgentState: []byte("2")}))

	final := journal{path: j.path}
	records, torn, err = final.read()
	require.NoError(t, err)
	require.False(t, torn)
	require.Len(t, records, 3)
	require.JSONEq(t, "2", string(records[2].AgentState))
}
