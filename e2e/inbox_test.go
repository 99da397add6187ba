package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/worker"
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

	for id, register := range map[string]func(registry){
		"release-7":     func(r registry) { r.RegisterWorkflow(deploy) },
		"ask-release-7": func(r registry) { worker.RegisterWorkflows(r) },
	} {
		replayer := sdkworker.NewWorkflowReplayer()
		register(replayer)
		require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(nil, historyOf(t, c, id),
			sdkworker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{ID: id}}), id)
	}
}

type registry = interface{ RegisterWorkflow(workflow any) }

func historyOf(t *testing.T, c client.Client, workflowID string) *historypb.History {
	t.Helper()
	history := &historypb.History{}
	it := c.GetWorkflowHistory(longer(t), workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		event, err := it.Next()
		require.NoError(t, err)
		history.Events = append(history.Events, event)
	}
	return history
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

// web starts `errand web` and returns the link that logs in.
func (h *home) web() string {
	h.t.Helper()
	p := h.start("web", "--listen", "127.0.0.1:0", "-o", "json")
	p.says(`"inbox"`)
	require.Eventually(h.t, func() bool { return json.Valid([]byte(p.out.String())) }, patience, 20*time.Millisecond)
	return parse[struct{ Inbox string }](h.t, p.out.String()).Inbox
}

// call calls the JSON API of an inbox.
func call[T any](t *testing.T, link, method, path, body string) (int, T) {
	t.Helper()
	site, err := url.Parse(link)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(longer(t), method, "http://"+site.Host+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+site.Query().Get("token"))
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, parse[T](t, string(b))
}

func TestTheInboxTellsProgramsWhatHappenedAndTakesTheirAnswers(t *testing.T) {
	h := newHome(t)
	h.dev()
	link := h.web()
	require.Equal(t, token(t, link), token(t, h.web()), "the link stays good")
	run := h.start("run", "--id", "tee", "--agent", "script", `think Hm; ask Which size?; wait 3s; finish "{{answer}}"`)
	run.says("Which size?")

	type moment struct{ Kind, Text, By, ID string }
	var page starter.WaitingPage
	require.Eventually(t, func() bool {
		_, page = call[starter.WaitingPage](t, link, http.MethodGet, "/api/waiting", "")
		return len(page.Items) == 1
	}, patience, 50*time.Millisecond)
	require.Equal(t, "tee", page.Items[0].ID)
	require.Equal(t, "Which size?", page.Items[0].Question.Text)
	require.NotEmpty(t, page.Items[0].ViewURL)
	_, said := call[[]struct{ Type, Text string }](t, link, http.MethodGet, "/api/tasks/tee/messages", "")
	require.Contains(t, said, struct{ Type, Text string }{"thought", "Hm"})

	status, paused := call[struct{ Status string }](t, link, http.MethodPost, "/api/tasks/tee/pause", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "paused", paused.Status)
	status, _ = call[workflows.Answer](t, link, http.MethodPost, "/api/tasks/tee/answer", `{"question_id":"q-1","text":"M","by":"ada"}`)
	require.Equal(t, http.StatusOK, status, "a paused task's question is open")
	status, refused := call[struct{ Error string }](t, link, http.MethodPost, "/api/tasks/tee/answer", `{"question_id":"q-1","text":"L","by":"bob"}`)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, refused.Error, "already answered by ada")
	_, _ = call[struct{ Status string }](t, link, http.MethodPost, "/api/tasks/tee/resume", "")
	require.Equal(t, 0, run.wait())

	_, moments := call[[]moment](t, link, http.MethodGet, "/api/tasks/tee/timeline", "")
	var kinds []string
	for _, m := range moments {
		kinds = append(kinds, m.Kind)
	}
	require.Equal(t, []string{"created", "session", "turn", "question", "paused", "answer", "resumed", "turn", "finished", "deleted", "ended"}, kinds)
	require.Equal(t, moment{"question", "Which size?", "", ""}, moments[3])
	require.Equal(t, moment{"answer", "M", "ada", "q-1"}, moments[5])
	require.Equal(t, moment{"turn", "M", "", ""}, moments[7])
	require.Equal(t, moment{"ended", "completed", "", ""}, moments[10])
}

func token(t *testing.T, link string) string {
	t.Helper()
	site, err := url.Parse(link)
	require.NoError(t, err)
	return site.Query().Get("token")
}
