package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/workflows"
)

// waitingQuestion is what `errand inbox -o json` lists.
type waitingQuestion struct {
	TaskID     string     `json:"task_id"`
	QuestionID string     `json:"question_id"`
	Text       string     `json:"text"`
	AskedAt    *time.Time `json:"asked_at"`
	Deadline   *time.Time `json:"deadline"`
	Prompt     string     `json:"prompt"`
	Trouble    string     `json:"trouble"`
}

// inbox waits until so many questions are listed, and returns them.
func (h *home) inbox(n int) []waitingQuestion {
	h.t.Helper()
	var open []waitingQuestion
	require.Eventually(h.t, func() bool {
		open = parse[[]waitingQuestion](h.t, h.must("inbox", "-o", "json"))
		return len(open) == n
	}, patience, 50*time.Millisecond)
	return open
}

// deploy is a workflow of somebody who uses Errand for its inbox alone.
func deploy(ctx workflow.Context) (string, error) {
	a, err := workflows.AskHuman(ctx, workflows.AskInput{Text: "Deploy version 7?", Subject: "Deployment", Timeout: time.Hour})
	if err != nil {
		return "", err
	}
	return a.Text + " by " + a.By, nil
}

func TestAnyWorkflowAsksTheSameInbox(t *testing.T) {
	h := newHome(t)
	c, err := client.Dial(client.Options{HostPort: h.dev()})
	require.NoError(t, err)
	defer c.Close()
	w := sdkworker.New(c, "theirs", sdkworker.Options{})
	w.RegisterWorkflow(deploy)
	require.NoError(t, w.Start())
	defer w.Stop()
	run, err := c.ExecuteWorkflow(longer(t), client.StartWorkflowOptions{ID: "release-7", TaskQueue: "theirs"}, deploy)
	require.NoError(t, err)

	open := h.inbox(1)[0]
	require.Equal(t, "ask-release-7", open.TaskID)
	require.Equal(t, "Deploy version 7?", open.Text)
	require.Equal(t, "Deployment", open.Prompt)
	require.Equal(t, time.Hour, open.Deadline.Sub(*open.AskedAt))
	stale := h.start("answer", open.TaskID, "--question", "q-old", "yes")
	require.Equal(t, 1, stale.wait())
	stale.says("question q-old is not open")
	h.must("answer", open.TaskID, "--question", open.QuestionID, "--by", "ada", "yes")

	var said string
	require.NoError(t, run.Get(longer(t), &said))
	require.Equal(t, "yes by ada", said)
	second := h.start("answer", open.TaskID, "--by", "bob", "no")
	require.Equal(t, 1, second.wait())
	second.says("was already answered by ada")
	h.inbox(0)
	require.Equal(t, "[]\n", h.must("list", "-o", "json"), "it is no agent task")
}

func TestAQuestionThatNoWorkerAnswersForIsListedAndSaysSo(t *testing.T) {
	h := newHome(t)
	c, err := client.Dial(client.Options{HostPort: h.dev()})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.ExecuteWorkflow(longer(t), client.StartWorkflowOptions{
		ID: "lonely", TaskQueue: "nobody",
		TypedSearchAttributes: temporal.NewSearchAttributes(workflows.AttributeStatus.ValueSet(string(workflows.StatusWaiting))),
	}, workflows.AskType, workflows.AskInput{Text: "Anyone?"})
	require.NoError(t, err)
	h.start("run", "--id", "asks", "--agent", "script", "ask Who?; finish 1").says("Who?")

	open := h.inbox(2)
	require.Equal(t, "Who?", open[0].Text)
	require.Equal(t, "lonely", open[1].TaskID)
	require.Contains(t, open[1].Trouble, `no worker is polling the task queue "nobody"`)
}

func TestTheSecondAnswerIsToldWhoGaveTheFirstEvenAfterTheEnd(t *testing.T) {
	h := newHome(t)
	h.dev()
	run := h.start("run", "--id", "tee", "--agent", "script", `ask Which size?; finish "{{answer}}"`)
	run.says("Which size?")
	h.must("answer", "tee", "--question", "q-1", "--by", "ada", "M")
	require.Equal(t, 0, run.wait())

	second := h.start("answer", "tee", "--question", "q-1", "--by", "bob", "L")
	require.Equal(t, 1, second.wait())
	second.says("question q-1 was already answered by ada; the task has ended (completed)")
}
