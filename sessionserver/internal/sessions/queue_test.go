package sessions

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// clerk works on a message until it is let go, and does what the message says.
type clerk struct {
	turns chan *agent.Turn
	goOn  chan struct{}
}

func newClerk() clerk { return clerk{make(chan *agent.Turn, 10), make(chan struct{})} }

func (c clerk) work(ctx context.Context, turn *agent.Turn) agent.Outcome {
	c.turns <- turn
	select {
	case <-c.goOn:
	case <-ctx.Done():
		return agent.Failed(ctx.Err().Error())
	}
	switch turn.Message.Text() {
	case "ask":
		return agent.Ask("Which?")
	case "fail":
		return agent.Failed("no luck")
	}
	return agent.Finished(turn.Message.Text())
}

// queued gives a session a message for later.
func queued(t *testing.T, s *Session, text string, q Queue) Event {
	t.Helper()
	e, err := s.Post(UserMessage{Text: text, Queue: q})
	require.NoError(t, err)
	return e
}

func texts(messages []agent.Message) []string {
	all := make([]string, len(messages))
	for i, m := range messages {
		all[i] = m.Text()
	}
	return all
}

func TestAQueuedMessageHasItsTurnWhenTheAgentIsFree(t *testing.T) {
	c := newClerk()
	e := open(t, t.TempDir(), agentFunc(c.work))
	s := create(t, e)
	require.Empty(t, queued(t, s, "one", AfterTask).Queue, "a free agent gets it at once")
	first := <-c.turns
	require.Equal(t, AfterTask, queued(t, s, "fail", AfterTask).Queue)
	queued(t, s, "three", AfterTask)
	require.Equal(t, Status{Phase: Running}, s.Status())

	c.goOn <- struct{}{}
	second := <-c.turns
	c.goOn <- struct{}{} // it fails, and the next one comes all the same
	third := <-c.turns
	c.goOn <- struct{}{}
	follow(t, s, Status{Phase: Finished})

	require.Equal(t, "one", first.Message.Text())
	require.Empty(t, first.History)
	require.Equal(t, "fail", second.Message.Text())
	require.Equal(t, []string{"one", "one"}, texts(second.History), "what waits is not history")
	require.Equal(t, "three", third.Message.Text())
	require.Equal(t, []string{"one", "one", "fail", "no luck"}, texts(third.History))
	require.False(t, third.Answering)
}

func TestAQuestionFreesTheAgentForTheQueueOfTurnsAlone(t *testing.T) {
	for queue, answers := range map[Queue]bool{AfterTurn: true, AfterTask: false} {
		t.Run(string(queue), func(t *testing.T) {
			c := newClerk()
			e := open(t, t.TempDir(), agentFunc(c.work))
			s := create(t, e)
			queued(t, s, "ask", queue)
			<-c.turns
			queued(t, s, "this one", queue)
			c.goOn <- struct{}{}
			if !answers {
				follow(t, s, Status{Phase: Waiting})
				send(t, s, "the answer")
				require.Equal(t, "the answer", (<-c.turns).Message.Text())
				c.goOn <- struct{}{}
			}
			turn := <-c.turns
			require.Equal(t, "this one", turn.Message.Text())
			require.Equal(t, answers, turn.Answering)
			c.goOn <- struct{}{}
			follow(t, s, Status{Phase: Finished})
		})
	}
}

func TestACancelLetsTheNextQueuedMessageBegin(t *testing.T) {
	c := newClerk()
	e := open(t, t.TempDir(), agentFunc(c.work))
	s := create(t, e)
	send(t, s, "one")
	<-c.turns
	queued(t, s, "two", AfterTask)
	require.NoError(t, s.Cancel())
	require.Equal(t, "two", (<-c.turns).Message.Text())
	c.goOn <- struct{}{}
	follow(t, s, Status{Phase: Finished})
}

func TestAQueueSurvivesARestart(t *testing.T) {
	dir, c := t.TempDir(), newClerk()
	e := open(t, dir, agentFunc(c.work))
	id := create(t, e).ID
	s, err := e.Session(id)
	require.NoError(t, err)
	send(t, s, "one")
	<-c.turns
	queued(t, s, "two", AfterTask)
	shut(t, e)

	e = open(t, dir, agentFunc(c.work))
	require.Equal(t, "one", (<-c.turns).Message.Text(), "the turn that was interrupted")
	c.goOn <- struct{}{}
	require.Equal(t, "two", (<-c.turns).Message.Text())
	shut(t, e)

	e = open(t, dir, agentFunc(c.work))
	turn := <-c.turns
	require.Equal(t, "two", turn.Message.Text())
	require.Equal(t, []string{"one", "one"}, texts(turn.History))
	c.goOn <- struct{}{}
	s, err = e.Session(id)
	require.NoError(t, err)
	follow(t, s, Status{Phase: Finished})
}

func TestAnAnswerIsForOneQuestion(t *testing.T) {
	c := newClerk()
	e := open(t, t.TempDir(), agentFunc(c.work))
	s := create(t, e)
	require.ErrorIs(t, s.Send(UserMessage{Text: "x", Answers: 1}), ErrNotWaiting)
	send(t, s, "ask")
	<-c.turns
	require.ErrorIs(t, s.Send(UserMessage{Text: "x", Answers: 2}), ErrNotWaiting, "it is not asked yet")
	c.goOn <- struct{}{}
	follow(t, s, Status{Phase: Waiting})
	require.ErrorIs(t, s.Send(UserMessage{Text: "x", Answers: 1}), ErrNotWaiting)
	require.NoError(t, s.Send(UserMessage{Text: "x", Answers: 2}))
	require.ErrorIs(t, s.Send(UserMessage{Text: "x", Answers: 2}), ErrNotWaiting, "it is answered")
	require.True(t, (<-c.turns).Answering)
	c.goOn <- struct{}{}
	follow(t, s, Status{Phase: Finished})
}

func TestWhatAFaceKeepsSurvivesARestart(t *testing.T) {
	dir, c := t.TempDir(), newClerk()
	e := open(t, dir, agentFunc(c.work))
	s, err := e.Create(t.Context(), CreateOptions{ID: "s_1", Face: "f", Note: json.RawMessage(`{"n":1}`), Agent: "a"})
	require.NoError(t, err)
	require.Equal(t, []string{"s_1", "f"}, []string{s.ID, s.Face})
	require.NoError(t, s.Annotate(func(note json.RawMessage) (json.RawMessage, error) {
		require.JSONEq(t, `{"n":1}`, string(note))
		return json.RawMessage(`{"n":2}`), nil
	}))
	_, err = s.Post(UserMessage{Text: "one", Note: json.RawMessage(`"m"`)})
	require.NoError(t, err)
	<-c.turns
	shut(t, e)

	e = open(t, dir, agentFunc(c.work))
	s, err = e.Session("s_1")
	require.NoError(t, err)
	require.Equal(t, "f", s.Face)
	require.JSONEq(t, `{"n":2}`, string(s.Note()))
	require.JSONEq(t, `"m"`, string(s.Since(0).Events[0].Note))
	_, err = e.Create(t.Context(), CreateOptions{ID: "s_1", Agent: "a"})
	require.Error(t, err, "an id is for one session")
	<-c.turns
	c.goOn <- struct{}{}
	follow(t, s, Status{Phase: Finished})
}

func TestAProcessThatDiedBetweenTwoTurnsGoesOnWithTheNext(t *testing.T) {
	dir, c := t.TempDir(), newClerk()
	e := open(t, dir, agentFunc(c.work))
	s := create(t, e)
	send(t, s, "one")
	<-c.turns
	queued(t, s, "two", AfterTask)
	shut(t, e)

	// The result was written, and what comes after it was not.
	j := s.journal
	done := Event{At: s.CreatedAt, Message: agent.Message{ID: 3, Type: agent.Done, Content: []byte(`"one"`)}}
	require.NoError(t, j.append(record{Event: &done}))
	e = open(t, dir, agentFunc(c.work))
	turn := <-c.turns
	require.Equal(t, "two", turn.Message.Text())
	require.Equal(t, []string{"one", "one"}, texts(turn.History))
	c.goOn <- struct{}{}
	s, err := e.Session(s.ID)
	require.NoError(t, err)
	follow(t, s, Status{Phase: Finished})
}
