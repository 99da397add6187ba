package e2e

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/sessionserver"
	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// big is more than Temporal takes as one payload.
const big = 5 << 20

func TestAPromptThatIsTooLongStartsNothing(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start("run", "--agent", "script", "--follow-up", strings.Repeat("more ", 3000), "finish 1")
	require.Equal(t, 2, p.wait())
	require.Contains(t, p.errs.String(), "the follow-up 1 has 15000 characters; at most 10000 are allowed")

	c := tasks(t, h)
	_, err := c.StartAgentTask(longer(t), script("big", strings.Repeat("x", big)))
	var invalid *starter.InvalidInputError
	require.ErrorAs(t, err, &invalid)
	_, err = c.AgentTask(longer(t), "big")
	require.ErrorIs(t, err, starter.ErrUnknownTask)
}

func TestAnAnswerThatIsTooLongIsRefusedAndTheQuestionStaysOpen(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	c := tasks(t, h)
	_, err := c.StartAgentTask(longer(t), script("chatty", `ask Why?; finish "{{answer}}"`))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return h.show("chatty").Question != nil }, patience, 100*time.Millisecond)

	_, err = c.Answer(longer(t), "chatty", workflows.AnswerInput{Text: strings.Repeat("x", big)})
	var invalid *starter.InvalidInputError
	require.ErrorAs(t, err, &invalid)
	require.ErrorContains(t, err, "at most 10000")

	longest := strings.Repeat("é", workflows.MaxText)
	_, err = c.Answer(longer(t), "chatty", workflows.AnswerInput{Text: longest})
	require.NoError(t, err)
	task, err := c.Wait(longer(t), "chatty")
	require.NoError(t, err)
	require.Equal(t, workflows.StatusCompleted, task.Status)
	require.JSONEq(t, `"`+longest+`"`, string(task.Result))
}

func TestAResultThatIsTooLargeFailsTheTaskInClearWords(t *testing.T) {
	t.Parallel()
	result := func(size int) agent.Agent {
		return agent.PerTurn(func(context.Context, *agent.Turn) agent.Outcome { return agent.Finished(strings.Repeat("x", size)) })
	}
	server, err := sessionserver.New(sessionserver.Config{
		Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler),
		Agents: map[string]agent.Agent{"huge": result(big), "large": result(activities.MaxResult - 2)},
	})
	require.NoError(t, err)
	front := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		front.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, server.Close(ctx))
	})
	s := &shop{t: t, baseURL: front.URL}
	h := s.home()
	h.dev()

	_, status := h.run("run", "--id", "huge", "--agent", "huge", "all of it")
	require.Equal(t, 1, status)
	got := h.show("huge")
	require.Equal(t, activities.ErrTypeResultTooLarge, got.Error.Type)
	require.Contains(t, got.Error.Message, "the agent's result has 5242882 bytes, more than the 1048576")
	require.True(t, got.Session.Deleted)

	got = parse[task](t, h.must("run", "--agent", "large", "as much as may be", "-o", "json"))
	require.Equal(t, "completed", got.Status)
	require.Len(t, got.Result, activities.MaxResult)
}
