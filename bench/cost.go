package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/metrics"

	"github.com/errand-dev/errand/devserver"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// cost is what one task cost the engine.
type cost struct {
	Events  int64            `json:"events"`
	Bytes   int64            `json:"bytes"`
	Actions map[string]int64 `json:"actions"`
}

func (c cost) actions() (sum int64) {
	for _, n := range c.Actions {
		sum += n
	}
	return sum
}

func (c cost) String() string {
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(c.Actions)) {
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, c.Actions[kind]))
	}
	return fmt.Sprintf("%d events, %d bytes, %d Actions (%s)", c.Events, c.Bytes, c.actions(), strings.Join(kinds, ", "))
}

// measureCost runs single tasks that ask one question, each on an engine of
// its own that counts billable Actions by itself.
func measureCost(ctx context.Context, size scale) ([]row, error) {
	work := size.d(10 * time.Minute) // of the agent, half of it before the question
	// Ten hours in ten minutes: the heartbeat, which is all that happens while
	// an agent works, comes 60 times as often.
	const squeeze = 60
	runs := []struct {
		name string
		args []string
		cost cost
	}{
		{name: "ours", args: []string{"-work", work.String()}},
		{name: "snapshot", args: []string{"-work", work.String(), "-snapshot"}},
		{name: "long", args: []string{"-work", work.String(), "-heartbeat", (workflows.DefaultHeartbeatTimeout / squeeze).String()}},
		{name: "naive", args: []string{"-work", work.String(), "-naive"}},
	}
	var wait sync.WaitGroup
	errs := make([]error, len(runs))
	for i := range runs {
		wait.Go(func() {
			p, err := start(ctx, nil, "cost", runs[i].args...)
			if err == nil {
				err = p.hear(&runs[i].cost)
				p.stop()
			}
			errs[i] = err
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	ours, snapshot, long, naive := runs[0].cost, runs[1].cost, runs[2].cost, runs[3].cost
	minutes := int64(work / time.Minute)
	return []row{
		{
			what:     fmt.Sprintf("a task of %s with one question", work),
			bar:      fmt.Sprintf("≤ 32 events; ≤ 10 Actions + 1 a minute (%d)", 10+minutes),
			reached:  ours.String(),
			baseline: "timer loop, a poll each 5 s: " + naive.String(),
			ratio:    fmt.Sprintf("%.0f × fewer events, %.0f × fewer Actions", float64(naive.Events)/float64(ours.Events), float64(naive.actions())/float64(ours.actions())),
		},
		{
			what:    "the same with a saved snapshot",
			bar:     "≤ 38 events",
			reached: snapshot.String(),
		},
		{
			what:    fmt.Sprintf("the same for an agent that works %s (squeezed into %s: a heartbeat each second instead of each minute)", squeeze*work, work),
			bar:     fmt.Sprintf("as many events; ≤ 10 Actions + 1 a minute (%d)", 10+minutes*squeeze),
			reached: long.String(),
		},
	}, nil
}

// playCost runs one task on an engine of its own and says what it cost.
func playCost(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("cost", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	work := flags.Duration("work", 0, "")
	heartbeat := flags.Duration("heartbeat", 0, "")
	snapshot := flags.Bool("snapshot", false, "")
	naive := flags.Bool("naive", false, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-cost")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var sessions string
	s, err := start(ctx, &sessions, "sessions", dir+"/sessions")
	if err != nil {
		return err
	}
	defer s.stop()
	counter := newActionCounter()
	server, err := devserver.Start(ctx, devserver.Options{Dir: dir, SearchAttributes: workflows.SearchAttributes(), Metrics: counter})
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop() }()
	c, err := dial(server.Address())
	if err != nil {
		return err
	}
	defer c.Close()

	script := fmt.Sprintf("wait %s; ask Which one?; wait %s; finish {\"answer\":\"{{answer}}\"}", *work/2, *work/2)
	if *naive {
		err = runNaive(ctx, c, sessions, script)
	} else {
		err = runOurs(ctx, c, sessions, workflows.AgentTaskInput{Prompt: script, HeartbeatTimeout: *heartbeat}, *snapshot)
	}
	if err != nil {
		return err
	}
	d, err := c.DescribeWorkflowExecution(ctx, workflows.AgentTaskWorkflowID("cost"), "")
	if err != nil {
		return err
	}
	info := d.GetWorkflowExecutionInfo()
	return say(cost{Events: info.GetHistoryLength(), Bytes: info.GetHistorySizeBytes(), Actions: counter.counts()})
}

// runOurs answers the question when the task's row in a list says that it
// waits, which costs no Action, unlike a query.
func runOurs(ctx context.Context, c client.Client, sessions string, in workflows.AgentTaskInput, snapshot bool) error {
	stop, err := startWorker(c, sessions, "", 0)
	if err != nil {
		return err
	}
	defer stop()
	in.TaskID, in.Connection = "cost", connection
	if snapshot {
		in.Snapshot.Mode = provider.SnapshotFilesystem
	}
	tasks := starter.New(c, starter.Options{})
	if _, err := tasks.StartAgentTask(ctx, in); err != nil {
		return err
	}
	if err := untilListed(ctx, c, workflows.StatusWaiting); err != nil {
		return err
	}
	if _, err := tasks.Answer(ctx, in.TaskID, workflows.AnswerInput{Text: "the blue one", By: "bench"}); err != nil {
		return err
	}
	task, err := tasks.Wait(ctx, in.TaskID)
	if err == nil && task.Status != workflows.StatusCompleted {
		err = fmt.Errorf("task %s: %+v", task.Status, task.Error)
	}
	return err
}

// actionCounter is a metrics handler that counts billable Actions by type, as
// the server's frontend reports them.
type actionCounter struct {
	metrics.Handler
	tags []metrics.Tag
	book *actionBook
}

type actionBook struct {
	mu sync.Mutex
	by map[string]int64
}

func newActionCounter() *actionCounter {
	return &actionCounter{Handler: metrics.NoopMetricsHandler, book: &actionBook{by: map[string]int64{}}}
}

func (a *actionCounter) WithTags(tags ...metrics.Tag) metrics.Handler {
	return &actionCounter{Handler: a.Handler, tags: append(slices.Clip(a.tags), tags...), book: a.book}
}

func (a *actionCounter) Counter(name string) metrics.CounterIface {
	if name != metrics.ActionCounter.Name() {
		return a.Handler.Counter(name)
	}
	return metrics.CounterFunc(func(n int64, tags ...metrics.Tag) {
		kind := "other"
		for _, t := range append(slices.Clip(a.tags), tags...) {
			if t.Key == "action_type" {
				kind = t.Value
			}
		}
		a.book.mu.Lock()
		defer a.book.mu.Unlock()
		a.book.by[kind] += n
	})
}

func (a *actionCounter) counts() map[string]int64 {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	return maps.Clone(a.book.by)
}
