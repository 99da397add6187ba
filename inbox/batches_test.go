package inbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// fakeBatches is one batch, shop.
type fakeBatches struct {
	batch    starter.Batch
	results  []starter.BatchResult
	broken   error // behind the results
	commands []string
	fail     error
}

func (f *fakeBatches) Batches(context.Context, int) ([]starter.Batch, error) {
	if f.batch.ID == "" {
		return nil, f.fail
	}
	return []starter.Batch{f.batch}, f.fail
}

func (f *fakeBatches) Batch(_ context.Context, id string) (starter.Batch, error) {
	if id != f.batch.ID {
		return starter.Batch{}, starter.ErrUnknownBatch
	}
	return f.batch, f.fail
}

func (f *fakeBatches) BatchResults(_ context.Context, id string, visit func(starter.BatchResult) error) error {
	if id != f.batch.ID {
		return starter.ErrUnknownBatch
	}
	for _, r := range f.results {
		if err := visit(r); err != nil {
			return err
		}
	}
	return f.broken
}

func (f *fakeBatches) List(_ context.Context, filter starter.Filter) ([]starter.AgentTask, error) {
	task := starter.AgentTask{ID: "shop." + string(filter.Status)}
	if filter.Status == workflows.StatusWaiting {
		task.Question = &workflows.Question{Text: "Which <b>size</b>?"}
	} else {
		task.Error = &workflows.TaskError{Type: "AgentError", Message: "no such page"}
	}
	return []starter.AgentTask{task}, f.fail
}

func (f *fakeBatches) do(command string) error {
	if f.fail == nil {
		f.commands = append(f.commands, command)
	}
	return f.fail
}

func (f *fakeBatches) PauseBatch(_ context.Context, id string) (workflows.Status, error) {
	return workflows.StatusPaused, f.do("pause " + id)
}

func (f *fakeBatches) ResumeBatch(_ context.Context, id string) (workflows.Status, error) {
	return workflows.StatusRunning, f.do("resume " + id)
}

func (f *fakeBatches) CancelBatch(_ context.Context, id string) error { return f.do("cancel " + id) }

func (f *fakeBatches) SetBatchConcurrency(_ context.Context, id string, n int) error {
	return f.do(fmt.Sprintf("concurrency %s %d", id, n))
}

func (f *fakeBatches) RetryBatch(_ context.Context, id string, _ int, again ...workflows.ItemState) (int, error) {
	return 1, f.do(fmt.Sprintf("retry %s %v", id, again))
}

// keeper is somebody who has logged in and looks after batches.
func keeper(t *testing.T) (*person, *fakeBatches) {
	t.Helper()
	batches := &fakeBatches{batch: starter.Batch{
		ID: "shop", Status: workflows.StatusRunning, Total: 2000, Completed: 1200, Failed: 34, Waiting: 1, Running: 9, Pending: 756,
		Concurrency: 10, Attempt: 1, StartedAt: time.Now().Add(-time.Hour),
	}}
	site := httptest.NewServer(New(Options{Tasks: &fakeTasks{}, Batches: batches, Token: token, Name: "ada"}))
	t.Cleanup(site.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	p := &person{t: t, site: site.URL, client: &http.Client{Jar: jar}, headers: map[string]string{}}
	status, _ := p.get("/login?token=" + token)
	require.Equal(t, http.StatusOK, status)
	return p, batches
}

func TestABatchShowsHowFarItIsAndWhatNeedsAPerson(t *testing.T) {
	p, batches := keeper(t)
	status, page := p.get("/batches")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, `href="/batches/shop"`)
	require.Contains(t, page, "1,234 of 2,000 done")

	status, page = p.get("/batches/shop")
	require.Equal(t, http.StatusOK, status)
	for _, part := range []string{
		"1,234 of 2,000 done · shop · Errand", `<progress max="2000" value="1234"`, "<dt>pending</dt><dd>756</dd>",
		`href="/tasks/shop.waiting"`, "Which &lt;b&gt;size&lt;/b&gt;?", `href="/tasks/shop.failed"`, "AgentError: no such page",
		`action="/batches/shop/pause"`, `action="/batches/shop/cancel"`, `value="10"`,
	} {
		require.Contains(t, page, part)
	}
	require.NotContains(t, page, "/retry", "it has not ended")

	batches.batch.Status, batches.batch.Waiting = workflows.StatusFailed, 0
	_, page = p.get("/batches/shop")
	require.Contains(t, page, `action="/batches/shop/retry"`)
	require.NotContains(t, page, `action="/batches/shop/cancel"`)
	require.NotContains(t, page, "Waiting for an answer")

	batches.batch = starter.Batch{}
	_, page = p.get("/batches")
	require.Contains(t, page, "errand batch run FILE")
}

func TestAPageOfABatchHearsOnlyOfWhatIsNew(t *testing.T) {
	p, batches := keeper(t)
	for path, live := range map[string]string{"/batches": "/batches/-live", "/batches/shop": "/batches/shop/live"} {
		_, page := p.get(path)
		_, seen, found := strings.Cut(page, `-seen" value="`)
		require.True(t, found)
		news := live + "?seen=" + seen[:16]
		status, _ := p.get(news)
		require.Equal(t, http.StatusNoContent, status)
		batches.batch.Completed++
		batches.batch.Pending--
		status, page = p.get(news)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, page, "of 2,000 done")
	}
}

func TestABatchWithoutAWorkerIsShownAllTheSame(t *testing.T) {
	p, batches := keeper(t)
	batches.batch.Waiting, batches.batch.Failed = 0, 0
	batches.fail = &starter.NoWorkerError{Queue: "errand"}
	status, page := p.get("/batches/shop")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "no worker is polling the task queue")
}

func TestCommandsOfABatchDoWhatTheySay(t *testing.T) {
	p, batches := keeper(t)
	for _, prefix := range []string{"", "/api"} {
		batches.commands = nil
		for _, command := range []string{"pause", "resume", "cancel", "retry"} {
			status, _ := p.post(prefix+"/batches/shop/"+command, url.Values{})
			require.Equal(t, http.StatusOK, status, command)
		}
		status, _ := p.post(prefix+"/batches/shop/concurrency", url.Values{"concurrency": {"25"}})
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, []string{"pause shop", "resume shop", "cancel shop", "retry shop [failed]", "concurrency shop 25"}, batches.commands)
	}

	status, page := p.post("/batches/shop/concurrency", url.Values{"concurrency": {"many"}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, page, "1 to 1000 tasks open at once")
	batches.fail = &starter.RefusedError{Reason: "the batch has ended (completed)"}
	status, page = p.post("/batches/shop/pause", url.Values{})
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, page, "The batch has ended (completed)")
}

func TestABatchThatIsNotThereIsNotFound(t *testing.T) {
	p, _ := keeper(t)
	for _, path := range []string{"/batches/other", "/batches/other/live", "/batches/other/results"} {
		status, page := p.get(path)
		require.Equal(t, http.StatusNotFound, status, path)
		require.Contains(t, page, "There is no such batch")
	}
	status, page := p.get("/api/batches/other")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, page, `"error"`)
}

func TestResultsOfABatchAreLinesAndNeverHalfOfThem(t *testing.T) {
	all := []starter.BatchResult{
		{Key: "a", Status: workflows.ItemCompleted, Result: []byte(`{"html":"<b>"}`)}, {Key: "b", Status: workflows.ItemPending},
	}
	p, batches := keeper(t)
	batches.results = all
	for _, path := range []string{"/batches/shop/results", "/api/batches/shop/results"} {
		got := p.do(http.MethodGet, path, "", "")
		require.Equal(t, http.StatusOK, got.status)
		require.Contains(t, got.header.Get("Content-Disposition"), "results.jsonl")
		lines := strings.Split(strings.TrimSpace(got.body), "\n")
		require.Len(t, lines, 2)
		require.Contains(t, lines[0], `{"html":"<b>"}`)
	}

	p, batches = keeper(t)
	batches.results, batches.broken = all, errors.New("the store is away")
	response, err := p.client.Get(p.site + "/batches/shop/results")
	if err == nil { // else the connection had broken before its header was there
		_, err = response.Body.Read(make([]byte, 1<<20))
		for err == nil {
			_, err = response.Body.Read(make([]byte, 1<<20))
		}
		require.NoError(t, response.Body.Close())
	}
	require.ErrorContains(t, err, "EOF")
	require.NotEqual(t, "EOF", err.Error(), "a reader must notice")

	p, batches = keeper(t)
	batches.broken = errors.New("the store is away")
	status, page := p.get("/batches/shop/results")
	require.Equal(t, http.StatusBadGateway, status)
	require.Contains(t, page, "The store is away.")
}

func TestTheAPIListsBatches(t *testing.T) {
	p, batches := keeper(t)
	_, body := p.get("/api/batches")
	require.Contains(t, body, `[{"id":"shop","status":"running","total":2000`)
	batches.batch = starter.Batch{}
	_, body = p.get("/api/batches")
	require.JSONEq(t, "[]", body)
}

func TestABatchMayHaveAnyIDThatThereIs(t *testing.T) {
	p, batches := keeper(t)
	for _, id := range []string{"live", "results", "static"} {
		batches.batch.ID = id
		status, page := p.get("/batches/" + id)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, page, "<h1>"+id+"</h1>")
	}
}
