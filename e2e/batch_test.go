package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

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
