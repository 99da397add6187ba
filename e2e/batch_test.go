package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// batch is what `errand batch show -o json` prints.
type batch struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	Total     int    `json:"total"`
	Pending   int    `json:"pending"`
	Running   int    `json:"running"`
	Waiting   int    `json:"waiting"`
	Completed int    `json:"completed"`
	Failed    int    `json:"failed"`
	Cancelled int    `json:"cancelled"`
}

// batchResult is a line of `errand batch results -o jsonl`.
type batchResult struct {
	Key       string                          `json:"key"`
	Status    string                          `json:"status"`
	Item      json.RawMessage                 `json:"item"`
	Result    json.RawMessage                 `json:"result"`
	Error     *struct{ Type, Message string } `json:"error"`
	TaskID    string                          `json:"task_id"`
	SessionID string                          `json:"session_id"`
}

// results are those of a batch, in their order.
func (h *home) results(id string) []batchResult {
	h.t.Helper()
	var results []batchResult
	for line := range strings.Lines(h.must("batch", "results", id, "-o", "jsonl")) {
		results = append(results, parse[batchResult](h.t, line))
	}
	return results
}

func TestABatchRunsEachItemOfItsFileOnce(t *testing.T) {
	h := newHome(t)
	var lines strings.Builder
	for i := range 12 {
		fmt.Fprintf(&lines, `{"sku":"s%d","wait":"%dms"}`+"\n", i, 300-20*i)
	}
	h.write("items.jsonl", lines.String())
	args := []string{"batch", "run", "items.jsonl", "--key", "sku", "--concurrency", "4", "--agent", "script",
		"--prompt", `wait {{.wait}}; finish {"sku":"{{.sku}}"}`, "-o", "json"}

	got := parse[batch](t, h.must(args...))

	require.Equal(t, "completed", got.Status)
	require.Equal(t, 12, got.Completed)
	results := h.results(got.ID)
	require.Len(t, results, 12)
	for i, r := range results {
		key := fmt.Sprintf("s%d", i)
		require.Equal(t, key, r.Key, "in the order of the file")
		require.Equal(t, "completed", r.Status)
		require.JSONEq(t, fmt.Sprintf(`{"sku":%q}`, key), string(r.Result))
		require.Equal(t, got.ID+"."+key, r.TaskID)
		require.NotEmpty(t, r.SessionID)
	}
	require.Len(t, parse[[]task](t, h.must("list", "--batch", got.ID, "-o", "json")), 12, "its tasks are found by it")
	require.Equal(t, "[]\n", h.must("sessions", "list", "-o", "json"), "no session is left")

	again := parse[batch](t, h.must(args...))
	require.Equal(t, got, again, "the same file started twice is the same batch")
	require.Len(t, parse[[]task](t, h.must("list", "-o", "json")), 12)
}

// counts is a batch as `errand batch show` has it now.
func (h *home) counts(id string) batch {
	h.t.Helper()
	return parse[batch](h.t, h.must("batch", "show", id, "-o", "json"))
}

// until waits for a state of a batch.
func (h *home) until(id string, state func(batch) bool) batch {
	h.t.Helper()
	var now batch
	require.Eventually(h.t, func() bool {
		now = h.counts(id)
		require.Equal(h.t, now.Total, now.Pending+now.Running+now.Waiting+now.Completed+now.Failed+now.Cancelled, "each item is counted once: %+v", now)
		return state(now)
	}, patience, 100*time.Millisecond)
	return now
}

// file writes a file of n items, each with a number.
func (h *home) items(n int) {
	h.t.Helper()
	var lines strings.Builder
	lines.WriteString("n,script\n")
	for i := range n {
		fmt.Fprintf(&lines, "%d,wait 1s\n", i)
	}
	h.write("items.csv", lines.String())
}

func TestABatchIsPausedResumedWidenedAndNarrowedWhileItRuns(t *testing.T) {
	h := newHome(t)
	h.dev()
	h.items(30)
	id := strings.TrimSpace(h.must("batch", "run", "items.csv", "--detach", "--concurrency", "2", "--agent", "script",
		"--prompt", `{{.script}}; finish {{.n}}`))
	h.until(id, func(b batch) bool { return b.Completed > 0 })

	h.must("batch", "pause", id)
	paused := h.until(id, func(b batch) bool { return b.Running == 0 })
	require.Equal(t, "paused", paused.Status)
	require.Positive(t, paused.Pending)
	for _, r := range h.results(id) {
		require.Contains(t, []string{"completed", "pending"}, r.Status, "what was open has gone on to its end")
	}
	require.Equal(t, paused.Completed, h.counts(id).Completed)

	h.must("batch", "set", id, "--concurrency", "8")
	h.must("batch", "resume", id)
	h.until(id, func(b batch) bool { return b.Running > 2 })
	h.must("batch", "set", id, "--concurrency", "1")
	h.until(id, func(b batch) bool { return b.Running <= 1 })
	h.must("batch", "set", id, "--concurrency", "30")

	require.Equal(t, 0, h.start("batch", "watch", id).wait())
	require.Equal(t, 30, h.counts(id).Completed)
	require.Len(t, parse[[]task](t, h.must("list", "--batch", id, "--limit", "0", "-o", "json")), 30, "one task for each item")
	require.Contains(t, h.must("batch", "list"), id)
	p := h.start("batch", "pause", id)
	require.Equal(t, 1, p.wait())
	require.Contains(t, p.errs.String(), "the batch has ended (completed)")
}

func TestACancelledBatchLeavesNoSessionAndGoesOnWhenItIsRetried(t *testing.T) {
	long(t)
	h := newHome(t)
	h.dev()
	h.items(8)
	run := h.start("batch", "run", "items.csv", "--id", "doomed", "--concurrency", "3", "--agent", "script", "--key", "n",
		"--prompt", `think {{.n}}; wait 4s; finish {{.n}}`, "-o", "json")
	run.says("8 items, 3 at a time")
	h.until("doomed", func(b batch) bool { return b.Running == 3 })

	h.must("batch", "cancel", "doomed")

	require.Equal(t, 3, run.wait())
	got := h.counts("doomed")
	require.Equal(t, "cancelled", got.Status)
	require.Equal(t, 8, got.Cancelled+got.Completed)
	require.Equal(t, "[]\n", h.must("sessions", "list", "-o", "json"), "no session is left")

	_, status := h.run("batch", "retry", "doomed", "--failed")
	require.Equal(t, 1, status, "there is none")
	h.must("batch", "retry", "doomed", "--cancelled", "--concurrency", "8")
	require.Equal(t, 8, h.counts("doomed").Completed)
	for i, r := range h.results("doomed") {
		require.Equal(t, "completed", r.Status)
		require.JSONEq(t, fmt.Sprint(i), string(r.Result))
	}
}

func TestARetryRunsOnlyWhatFailed(t *testing.T) {
	long(t)
	h := newHome(t)
	h.dev()
	h.write("items.jsonl", `{"k":"good"}`+"\n\n"+`{"k":"bad"}`+"\n"+`{"k":"ugly one"}`+"\n")
	p := h.start("batch", "run", "items.jsonl", "--id", "mixed", "--agent", "script", "--key", "k",
		"--prompt", `{{if eq .k "good"}}finish 1{{else}}fail {{.k}}{{end}}`)
	require.Equal(t, 1, p.wait())
	require.Contains(t, p.errs.String(), "errand batch retry mixed --failed")
	before := h.results("mixed")
	require.Equal(t, []string{"completed", "failed", "failed"}, []string{before[0].Status, before[1].Status, before[2].Status})
	require.Equal(t, "AgentError", before[1].Error.Type)
	require.Equal(t, "ugly one", before[2].Error.Message)

	_, status := h.run("batch", "retry", "mixed", "--failed")

	require.Equal(t, 1, status)
	after := h.results("mixed")
	require.Equal(t, before[0], after[0], "what had completed is left alone")
	require.Equal(t, "mixed.bad~2", after[1].TaskID)
	require.NotEqual(t, before[1].SessionID, after[1].SessionID)
	require.Len(t, parse[[]task](t, h.must("list", "--batch", "mixed", "-o", "json")), 5)

	other := h.start("batch", "run", "items.jsonl", "--id", "mixed", "--agent", "script", "--prompt", "finish 2")
	require.Equal(t, 2, other.wait(), "another batch under a known id is refused")
	require.Contains(t, other.errs.String(), "batch mixed is known, with other items, templates or flags")
}
