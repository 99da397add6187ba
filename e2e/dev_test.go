package e2e

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/errand-dev/errand/worker"
)

// transcript returns the types of what a task's session said.
func (h *home) transcript(id string) []string {
	h.t.Helper()
	var types []string
	for line := range strings.Lines(h.must("watch", id, "-o", "jsonl")) {
		types = append(types, parse[struct{ Type string }](h.t, line).Type)
	}
	return types
}

// dev starts `errand dev` and returns Temporal's address.
func (h *home) dev() string {
	h.t.Helper()
	p := h.start("dev", "--port", "0", "--ui-port", "0")
	p.says("Web UI")
	said := regexp.MustCompile(`Temporal +(127\.0\.0\.1:\d+)`).FindStringSubmatch(p.out.String())
	require.NotEmpty(h.t, said, "%s", p.out)
	return said[1]
}

func TestAFreshHistoryReplays(t *testing.T) {
	h := newHome(t)
	address := h.dev()
	h.must("run", "--id", "replay", "--agent", "script", "--answer", "M", "--follow-up", "finish 2",
		"--snapshot", "filesystem", `ask Which size?; finish "{{answer}}"`)
	c, err := client.Dial(client.Options{HostPort: address})
	require.NoError(t, err)
	defer c.Close()

	history := &historypb.History{}
	it := c.GetWorkflowHistory(longer(t), "agent-task-replay", "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		event, err := it.Next()
		require.NoError(t, err)
		history.Events = append(history.Events, event)
	}

	replayer := sdkworker.NewWorkflowReplayer()
	worker.RegisterWorkflows(replayer)
	require.NoError(t, replayer.ReplayWorkflowHistory(nil, history))

	history.Events = append(history.Events[:6:6], history.Events[7:]...) // a marker is missing
	require.Error(t, replayer.ReplayWorkflowHistory(nil, history), "the check can fail")
}

func TestTheJSONOfATaskIsTheContract(t *testing.T) {
	h := newHome(t)
	out := h.must("run", "--id", "shape", "--label", "team=a", "--agent", "script", "finish 1", "-o", "json")

	fields := func(raw string) []string {
		var keys []string
		d := json.NewDecoder(strings.NewReader(raw))
		_, err := d.Token()
		require.NoError(t, err)
		for d.More() {
			key, err := d.Token()
			require.NoError(t, err)
			keys = append(keys, key.(string))
			var skip json.RawMessage
			require.NoError(t, d.Decode(&skip))
		}
		return keys
	}
	want := []string{"id", "workflow_id", "run_id", "status", "prompt", "connection", "provider", "labels",
		"session", "sessions_created", "turns", "question", "answers", "result", "snapshot", "error",
		"history", "started_at", "finished_at"}
	require.Equal(t, want, fields(out))
	require.Equal(t, map[string]string{"team": "a"}, parse[task](t, out).Labels)

	var short []string
	for _, f := range want {
		if f != "answers" && f != "result" {
			short = append(short, f)
		}
	}
	require.Equal(t, short, fields(h.must("list", "--label", "team=a", "-o", "jsonl")))
}
