package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/internal/books"
	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// killSeed decides about the items and about after how many what is killed; the
// clock decides what that meets.
var killSeed = flag.Uint64("kill.seed", 20261127, "seed of the batch that is killed")

func TestABatchSurvivesTheDeathOfEverythingAtAnyTime(t *testing.T) {
	long(t)
	const items, kills = 500, 5
	random := rand.New(rand.NewPCG(*killSeed, 0))
	h := newHome(t)
	vendor, facts := h.vendor("exclusive = true", `settle_time = "2s"`)
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(vendor.errs.String())
	var lines strings.Builder
	scripts := map[string]books.Script{}
	for i := range items {
		script, end := fmt.Sprintf("wait %dms; finish %d", random.IntN(1500), i), workflows.StatusCompleted
		if i%50 == 49 {
			script, end = fmt.Sprintf("fail item %d cannot", i), workflows.StatusFailed
		}
		fmt.Fprintf(&lines, "{\"n\":%d,\"script\":%q}\n", i, script)
		s := books.Script{Status: end}
		if end == workflows.StatusCompleted {
			s.Result = json.RawMessage(fmt.Sprint(i))
		}
		scripts[fmt.Sprintf("tough.%d", i)] = s
	}
	h.write("items.jsonl", lines.String())
	run := []string{"batch", "run", "items.jsonl", "--id", "tough", "--key", "n", "--concurrency", "40", "--restarts", "3", "--prompt", "{{.script}}"}

	for n := range kills {
		p := h.start(run...)
		p.says("batch tough")
		// However fast the machine is: each kill comes so many items after the last.
		done := (n+1)*items/(kills+2) + random.IntN(items/20)
		require.Eventually(t, func() bool { return len(facts().Of(truth.Done, truth.Failed)) >= done },
			patience, time.Duration(20+random.IntN(80))*time.Millisecond, "kill %d", n)
		p.kill()
		if n%2 == 1 {
			vendor.kill()
			vendor = h.startVendor(address)
		}
	}
	last := h.start(append(run, "-o", "json")...)
	select {
	case <-last.exited:
	case <-time.After(4 * patience):
		require.FailNow(t, "the batch does not end", "%s", last.errs)
	}

	require.Equal(t, 1, last.cmd.ProcessState.ExitCode(), "some items fail as they should: %s", last.errs)
	got := parse[batch](t, last.out.String())
	require.Equal(t, batch{ID: "tough", Status: "failed", Total: items, Completed: items - items/50, Failed: items / 50}, got)
	results := h.results("tough")
	require.Len(t, results, items)
	for i, r := range results {
		want := scripts[r.TaskID]
		require.Equal(t, fmt.Sprint(i), r.Key)
		require.EqualValues(t, want.Status, r.Status, "item %d: %+v", i, r.Error)
		require.Equal(t, string(want.Result), string(orEmpty(r.Result)))
	}

	c, err := client.Dial(client.Options{HostPort: h.dev()})
	require.NoError(t, err)
	defer c.Close()
	tasks, err := starter.New(c, starter.Options{}).List(t.Context(), starter.Filter{Batch: "tough"})
	require.NoError(t, err)
	require.Len(t, tasks, items, "one task for each item")
	reaped := []string{} // not nil: it is known
	report := parse[activities.ReapReport](t, h.must("sessions", "reap", "--grace", "1ms", "-o", "json"))
	for _, s := range report.Sessions {
		if s.Verdict == activities.VerdictDeleted {
			reaped = append(reaped, s.ID)
		}
	}
	count, violations := books.Run{Log: facts(), Tasks: tasks, Scripts: scripts, Reaped: reaped}.Check()
	t.Log(count)
	require.Empty(t, violations)
}

func orEmpty(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}
