package e2e

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// tasks is the Go client on a running `errand dev`.
func tasks(t *testing.T, h *home) *starter.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: h.dev()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return starter.New(c, starter.Options{})
}

func script(id, text string) workflows.AgentTaskInput {
	return workflows.AgentTaskInput{TaskID: id, Connection: "local", Provider: "agi", Agent: "script", Prompt: text}
}

func TestASecondStartFindsTheFirst(t *testing.T) {
	c := tasks(t, newHome(t))
	ctx := longer(t)

	first, err := c.StartAgentTask(ctx, script("once", "ask Go on?; finish 1"))
	require.NoError(t, err)
	require.False(t, first.Known)
	second, err := c.StartAgentTask(ctx, script("once", "finish 2"))
	require.NoError(t, err)
	require.True(t, second.Known)
	require.Equal(t, first.RunID, second.RunID)

	require.Eventually(t, func() bool {
		_, err = c.Answer(ctx, "once", workflows.AnswerInput{Text: "yes"})
		return err == nil
	}, patience, 50*time.Millisecond)
	task, err := c.Wait(ctx, "once")
	require.NoError(t, err)
	require.Equal(t, workflows.StatusCompleted, task.Status)
	third, err := c.StartAgentTask(ctx, script("once", "finish 3"))
	require.NoError(t, err)
	require.True(t, third.Known, "a closed task is known too")
}

func TestFollowTellsEachStateAndOneAnswerWins(t *testing.T) {
	c := tasks(t, newHome(t))
	ctx := longer(t)
	// The agent works on after the answer: a task that is over refuses in other words.
	_, err := c.StartAgentTask(ctx, script("race", `ask Who?; wait 3s; finish "{{answer}}"`))
	require.NoError(t, err)

	var answers sync.Once
	var refused *starter.RefusedError
	var seen []workflows.Status
	task, err := c.Follow(ctx, "race", func(now starter.AgentTask) error {
		seen = append(seen, now.Status)
		if now.Question != nil {
			answers.Do(func() {
				taken, err := c.Answer(ctx, "race", workflows.AnswerInput{QuestionID: now.Question.ID, Text: "ada", By: "ada"})
				require.NoError(t, err)
				require.Equal(t, "q-1", taken.QuestionID)
				_, err = c.Answer(ctx, "race", workflows.AnswerInput{QuestionID: now.Question.ID, Text: "bob", By: "bob"})
				require.ErrorAs(t, err, &refused)
			})
		}
		return nil
	})

	require.NoError(t, err)
	require.Contains(t, seen, workflows.StatusWaiting)
	require.Contains(t, refused.Reason, "already answered by ada")
	require.JSONEq(t, `"ada"`, string(task.Result))
	require.Len(t, task.Answers, 1)
}

func TestListsChooseByStatusConnectionAndLabel(t *testing.T) {
	c := tasks(t, newHome(t))
	ctx := longer(t)
	odd := map[string]string{"team": "west-1/shop @ 7"}
	for id, text := range map[string]string{"done": "finish 1", "bad": "fail no", "open": "ask Why?"} {
		in := script(id, text)
		if id == "bad" {
			in.Labels = odd
		}
		_, err := c.StartAgentTask(ctx, in)
		require.NoError(t, err)
	}
	late := script("late", "ask Who?")
	late.QuestionTimeout = time.Second
	_, err := c.StartAgentTask(ctx, late)
	require.NoError(t, err)

	for _, want := range []struct {
		filter starter.Filter
		ids    []string
	}{
		{starter.Filter{Status: workflows.StatusCompleted}, []string{"done"}},
		{starter.Filter{Status: workflows.StatusFailed}, []string{"bad"}},
		{starter.Filter{Status: workflows.StatusTimedOut}, []string{"late"}},
		{starter.Filter{Status: workflows.StatusWaiting}, []string{"open"}},
		{starter.Filter{Labels: odd}, []string{"bad"}},
		{starter.Filter{Connection: "elsewhere"}, nil},
		{starter.Filter{Connection: "local"}, []string{"done", "bad", "open", "late"}},
	} {
		var ids []string
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			list, err := c.List(ctx, want.filter)
			require.NoError(t, err)
			ids = nil
			for _, task := range list {
				ids = append(ids, task.ID)
			}
			require.ElementsMatch(t, want.ids, ids)
		}, patience, 100*time.Millisecond, "%+v", want.filter)
	}
	limited, err := c.List(ctx, starter.Filter{Limit: 2})
	require.NoError(t, err)
	require.Len(t, limited, 2)
	_, err = c.List(ctx, starter.Filter{Labels: map[string]string{"team": "o'neil"}})
	require.ErrorContains(t, err, `label "team=o'neil"`)
	_, err = c.List(ctx, starter.Filter{Status: "sleeping"})
	require.ErrorContains(t, err, `unknown status "sleeping"`)
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	c := tasks(t, newHome(t))
	ctx := longer(t)
	_, err := c.AgentTask(ctx, "nobody")
	require.ErrorIs(t, err, starter.ErrUnknownTask)
	_, err = c.Answer(ctx, "nobody", workflows.AnswerInput{Text: "yes"})
	require.ErrorIs(t, err, starter.ErrUnknownTask)
	require.ErrorIs(t, c.Cancel(ctx, "nobody"), starter.ErrUnknownTask)
	_, err = c.StartAgentTask(ctx, workflows.AgentTaskInput{TaskID: "x", Connection: "local"})
	var invalid *starter.InvalidInputError
	require.ErrorAs(t, err, &invalid)

	in := script("lost", "finish 1")
	in.Connection = "nowhere"
	_, err = c.StartAgentTask(ctx, in)
	require.NoError(t, err)
	task, err := c.Wait(ctx, "lost")
	require.NoError(t, err)
	require.Equal(t, workflows.StatusFailed, task.Status)
	require.Contains(t, task.Error.Message, `no connection "nowhere"`)
}
