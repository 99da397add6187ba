package crash

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/e2e/internal/wire"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// verdicts are what the senders of answers were told.
type verdicts struct {
	mu       sync.Mutex
	accepted []string
	refused  []string
}

// send sends an answer whose verdict must be definite.
func (v *verdicts) send(t task, text string) {
	_, err := t.starter.Answer(t.ctx, t.id, workflows.AnswerInput{Text: text, By: text})
	_, refused := errors.AsType[*starter.RefusedError](err)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case err == nil:
		v.accepted = append(v.accepted, text)
	case refused:
		v.refused = append(v.refused, text)
	default:
		t.Errorf("no verdict on %s: %v", text, err)
	}
}

func TestOfAHundredAnswersOneArrives(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	c.man()
	task := c.begin("task", lingering.input())
	task.until(asks)
	var v verdicts
	var senders sync.WaitGroup
	for i := range 100 {
		senders.Go(func() { v.send(task, fmt.Sprintf("answer %d", i)) })
	}
	senders.Wait()
	got := task.end()

	require.Len(t, v.accepted, 1)
	require.Len(t, v.refused, 99)
	require.JSONEq(t, `"`+v.accepted[0]+`"`, string(got.Result))
	c.audit(got)
}

// The agent has an answer when its worker, Temporal and the sender go: nobody
// was told. Another person answers otherwise.
func TestAnAnswerThatArrivedIsTheOneThatCounts(t *testing.T) {
	t.Parallel()
	own, err := server.Temporal(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(own.Kill)
	c := newCellOn(t, own)
	c.man(call{request: wire.Send, nth: 2}.at(beforeReply))
	task := c.begin("task", lingering.input())
	task.until(asks)
	first := c.current()
	home, leave := context.WithCancel(c.ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = c.starter.Answer(home, task.id, workflows.AnswerInput{Text: "L"}) // nobody waits for the verdict
	}()
	select {
	case <-first.Exited():
	case <-c.ctx.Done():
		require.FailNow(t, "no answer was sent")
	}
	own.Kill()
	leave()
	<-gone
	require.NoError(t, own.Restart(c.ctx))

	var v verdicts
	v.send(task, size)
	got := task.end()
	require.Equal(t, []string{size}, v.refused)
	require.JSONEq(t, `"L"`, string(got.Result))
	c.audit(got)
}

func TestAnswersThatComeTooLateAreRefused(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	c.man()
	task := c.begin("task", asking.input())
	task.until(asks)
	var v verdicts
	v.send(task, size)
	ended := make(chan struct{})
	var senders sync.WaitGroup
	for i := range 4 {
		senders.Go(func() {
			for n := 0; ; n++ {
				v.send(task, fmt.Sprintf("late %d.%d", i, n))
				select {
				case <-ended:
					return
				default:
				}
			}
		})
	}
	got := c.check(asking, task)
	close(ended)
	senders.Wait()
	require.Equal(t, []string{size}, v.accepted)
	c.audit(got)
}

func TestAnAnswerRacesACancel(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	c.man()
	const races = 8
	var tasks []task
	for i := range races {
		tasks = append(tasks, c.begin(fmt.Sprintf("task-%d", i), lingering.input()))
	}
	var all []starter.AgentTask
	for _, task := range tasks {
		task.until(asks)
		var v verdicts
		var race sync.WaitGroup
		race.Go(func() { v.send(task, size) })
		race.Go(func() { assert.NoError(t, c.starter.Cancel(c.ctx, task.id)) })
		race.Wait()

		got := task.end()
		require.Equal(t, workflows.StatusCancelled, got.Status)
		require.Len(t, got.Answers, len(v.accepted))
		if len(v.refused) > 0 {
			require.NotContains(t, c.told(got.Session.ID), size)
		}
		all = append(all, got)
	}
	c.audit(all...)
}

func TestAnAnswerRacesTheDefault(t *testing.T) {
	t.Parallel()
	const byDefault = "L"
	c := newCell(t)
	c.man()
	ended := make([]starter.AgentTask, 8)
	var all sync.WaitGroup
	for i := range ended {
		in := asking.input()
		in.QuestionTimeout, in.DefaultAnswer = 2*time.Second, byDefault
		task := c.begin(fmt.Sprintf("task-%d", i), in)
		all.Go(func() {
			var deadline time.Time
			task.until(func(now starter.AgentTask) bool {
				if now.Question != nil {
					deadline = *now.Question.Deadline
				}
				return now.Question != nil || now.Status.Closed()
			})
			if !deadline.IsZero() { // some come a little before the deadline, some a little after it
				<-time.After(time.Until(deadline) + time.Duration(i-4)*5*time.Millisecond)
			}
			var v verdicts
			v.send(task, size)
			got, err := c.starter.Wait(c.ctx, task.id)
			if err != nil {
				t.Error(err)
				return
			}
			arrived := byDefault
			if len(v.accepted) > 0 {
				arrived = size
			}
			assert.JSONEq(t, `"`+arrived+`"`, string(got.Result))
			ended[i] = got
		})
	}
	all.Wait()
	c.audit(ended...)
}
