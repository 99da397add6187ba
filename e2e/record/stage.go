package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/errand-dev/errand/batchstore"
	"github.com/errand-dev/errand/devserver"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/sessionserver"
	"github.com/errand-dev/errand/sessionserver/faults"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/worker"
	"github.com/errand-dev/errand/workflows"
)

const (
	// identity stands in histories where the SDK would name process, host and user.
	identity = "errand"

	// connection is the one connection of a stage.
	connection = "local"

	// patience bounds a scenario.
	patience = 2 * time.Minute

	// closing bounds the end of a stage.
	closing = 20 * time.Second

	// look is how often to see whether something has come about.
	look = 50 * time.Millisecond
)

// stage is all that one scenario needs, and nothing that another has used: a
// Temporal server, a session server, a worker, and clients.
type stage struct {
	*starter.Client
	temporal client.Client
	taskID   string // and the id of the scenario's batch or monitor
	firstRun string
	batches  *batchstore.Store
	closers  []func() error
}

// play plays a scenario and returns the histories of its workflow, run after
// run.
func play(ctx context.Context, s scenario) (_ []*historypb.History, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	g := &stage{taskID: s.name}
	defer func() { err = errors.Join(err, g.close()) }()
	if err := g.open(ctx, s); err != nil {
		return nil, err
	}
	if s.other != nil {
		return g.playOther(ctx, s)
	}
	in := s.input
	in.TaskID, in.Provider, in.Agent = s.name, "agi", "script"
	if in.Connection == "" {
		in.Connection = connection
	}
	started, err := g.StartAgentTask(ctx, in)
	if err != nil {
		return nil, err
	}
	g.firstRun = started.RunID
	if s.play != nil {
		if err := s.play(ctx, g); err != nil {
			return nil, err
		}
	}
	if s.want.Closed() {
		if _, err := g.Wait(ctx, g.taskID); err != nil {
			return nil, err
		}
	}
	task, err := g.AgentTask(ctx, g.taskID)
	if err != nil {
		return nil, err
	}
	if got := describe(task); task.Status != s.want || got != s.wantError {
		return nil, fmt.Errorf("the task is %s (%s), it should be %s (%s)", task.Status, got, s.want, s.wantError)
	}
	return g.histories(ctx, execution{workflows.AgentTaskWorkflowID(g.taskID), g.firstRun})
}

// playOther plays a scenario of another workflow.
func (g *stage) playOther(ctx context.Context, s scenario) (runs []*historypb.History, err error) {
	recorded, err := s.other(ctx, g)
	if err != nil {
		return nil, err
	}
	for _, first := range recorded {
		more, err := g.histories(ctx, first)
		if err != nil {
			return nil, err
		}
		runs = append(runs, more...)
	}
	return runs, nil
}

// describe is the type of the task's error, empty for a task without.
func describe(task starter.AgentTask) string {
	if task.Error == nil {
		return ""
	}
	return task.Error.Type
}

// open raises the stage.
func (g *stage) open(ctx context.Context, s scenario) error {
	dir, err := os.MkdirTemp("", "errand-record-")
	if err != nil {
		return err
	}
	g.closers = append(g.closers, func() error { return os.RemoveAll(dir) })
	url, err := g.openSessions(filepath.Join(dir, "sessions"), s.faults)
	if err != nil {
		return err
	}
	o := devserver.Options{Dir: dir, SearchAttributes: workflows.SearchAttributes()}
	if s.longHistory > 0 {
		o.DynamicConfig = map[string]any{"limit.historyCount.suggestContinueAsNew": s.longHistory}
	}
	server, err := devserver.Start(ctx, o)
	if err != nil {
		return err
	}
	g.closers = append(g.closers, server.Stop)
	g.temporal, err = client.DialContext(ctx, client.Options{
		HostPort: server.Address(),
		Identity: identity,
		Logger:   log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	g.closers = append(g.closers, func() error { g.temporal.Close(); return nil })
	g.batches = batchstore.At(filepath.Join(dir, "batches"))
	g.closers = append(g.closers, g.batches.Close)
	g.Client = starter.New(g.temporal, starter.Options{Batches: g.batches})

	connections, err := provider.NewSet(provider.Connection{Name: connection, Provider: "agi", BaseURL: url, SettleTime: time.Second})
	if err != nil {
		return err
	}
	w := worker.New(worker.Config{Client: g.temporal, Connections: connections, Batches: g.batches})
	g.closers = append(g.closers, func() error { w.Stop(); return nil })
	return w.Start()
}

// openSessions starts the session server and returns its address.
func (g *stage) openSessions(dir string, rules []faults.Rule) (string, error) {
	plan, err := faults.New(faults.Config{Rules: rules})
	if err != nil {
		return "", err
	}
	server, err := sessionserver.New(sessionserver.Config{Dir: dir, Faults: plan, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	g.closers = append(g.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		defer cancel()
		return errors.Join(server.Close(ctx), <-served)
	}, func() error {
		if report := plan.Report(); len(report.Idle) > 0 {
			return fmt.Errorf("a fault of the scenario never came about:\n%s", report)
		}
		return nil
	})
	return "http://" + l.Addr().String(), nil
}

// close takes the stage down, the last first.
func (g *stage) close() error {
	var errs []error
	for len(g.closers) > 0 {
		last := len(g.closers) - 1
		errs = append(errs, g.closers[last]())
		g.closers = g.closers[:last]
	}
	return errors.Join(errs...)
}

// until waits for the task to come to something.
func (g *stage) until(ctx context.Context, what string, reached func(starter.AgentTask) bool) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		task, err := g.AgentTask(ctx, g.taskID)
		switch {
		case err != nil:
			return err
		case reached(task):
			return nil
		case task.Status.Closed():
			return fmt.Errorf("waiting for %s, but the task is %s (%s)", what, task.Status, describe(task))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
}

// untilWorking waits until the message has been sent and the agent is at work.
func (g *stage) untilWorking(ctx context.Context) error {
	return g.until(ctx, "the agent at work", func(t starter.AgentTask) bool { return t.Phase == workflows.PhaseWorking })
}

func (g *stage) untilAsked(ctx context.Context) error {
	return g.until(ctx, "a question", func(t starter.AgentTask) bool { return t.Question != nil })
}

func (g *stage) untilStatus(ctx context.Context, want workflows.Status) error {
	return g.until(ctx, string(want), func(t starter.AgentTask) bool { return t.Status == want })
}

func (g *stage) signal(ctx context.Context, name string, arg any) error {
	return g.temporal.SignalWorkflow(ctx, workflows.AgentTaskWorkflowID(g.taskID), "", name, arg)
}

// histories reads the histories of a workflow, run after run.
func (g *stage) histories(ctx context.Context, first execution) ([]*historypb.History, error) {
	var runs []*historypb.History
	for run := first.runID; run != ""; {
		h := &historypb.History{}
		it := g.temporal.GetWorkflowHistory(ctx, first.workflowID, run, false,
			enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for it.HasNext() {
			event, err := it.Next()
			if err != nil {
				return nil, err
			}
			h.Events = append(h.Events, event)
		}
		runs = append(runs, h)
		last := h.Events[len(h.Events)-1]
		run = last.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	return runs, nil
}
