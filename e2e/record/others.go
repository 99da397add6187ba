package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/watch"
	"github.com/errand-dev/errand/workflows"
)

// execution is the run of a workflow with which its recording begins.
type execution struct{ workflowID, runID string }

// others are the ways that the other workflows can go.
var others = []scenario{
	{name: "ask-answered", other: func(ctx context.Context, g *stage) ([]execution, error) {
		return g.ask(ctx, workflows.AskInput{Text: "Deploy?", Subject: "v2"}, true)
	}},
	{name: "ask-by-default", other: func(ctx context.Context, g *stage) ([]execution, error) {
		return g.ask(ctx, workflows.AskInput{Text: "Deploy?", Timeout: time.Second, DefaultAnswer: "no"}, false)
	}},
	{name: "ask-nobody-answers", other: func(ctx context.Context, g *stage) ([]execution, error) {
		return g.ask(ctx, workflows.AskInput{Text: "Deploy?", Timeout: time.Second}, false)
	}},
	{name: "batch-failed-in-part", other: func(ctx context.Context, g *stage) ([]execution, error) {
		return g.batch(ctx, nil, "finish 1", "fail no such page", "wait 1s; finish 3")
	}},
	{name: "batch-controlled", other: func(ctx context.Context, g *stage) ([]execution, error) {
		return g.batch(ctx, controlBatch, "wait 1s; finish 1", "wait 2s; finish 2", "wait 1s; finish 3", "wait 2s; finish 4")
	}},
	{name: "batch-continued", longHistory: 20, other: func(ctx context.Context, g *stage) ([]execution, error) {
		return g.batch(ctx, controlBatch, "wait 1s; finish 1", "wait 2s; finish 2", "wait 1s; finish 3", "wait 2s; finish 4")
	}},
	{name: "batch-cancelled", other: func(ctx context.Context, g *stage) ([]execution, error) {
		return g.batch(ctx, func(ctx context.Context, g *stage) error {
			if err := g.untilOpen(ctx); err != nil {
				return err
			}
			return g.CancelBatch(ctx, g.taskID)
		}, "wait 1h; finish 1", "wait 1h; finish 2", "wait 1h; finish 3")
	}},
	{name: "monitor", other: monitorTicks},
}

// ask asks people, and lets one of them answer or nobody.
func (g *stage) ask(ctx context.Context, in workflows.AskInput, answered bool) ([]execution, error) {
	id := workflows.AskWorkflowID(g.taskID, "")
	run, err := g.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue}, workflows.AskType, in)
	if err != nil {
		return nil, err
	}
	if answered {
		if _, err := g.Answer(ctx, id, workflows.AnswerInput{Text: "yes", By: "someone"}); err != nil {
			return nil, err
		}
	}
	var answer workflows.Answer
	err = run.Get(ctx, &answer)
	if got, want := err == nil, answered || in.DefaultAnswer != ""; got != want {
		return nil, fmt.Errorf("the question was answered: %t (%w), it should be %t", got, err, want)
	}
	return []execution{{id, run.GetRunID()}}, nil
}

// batch runs a batch whose items have these scripts, and lets people do what
// they do meanwhile.
func (g *stage) batch(ctx context.Context, play func(context.Context, *stage) error, scripts ...string) ([]execution, error) {
	ref := workflows.BatchRef{ID: g.taskID, Digest: "0123456789abcdef"}
	w := g.batches.NewWriter(ref)
	for i, script := range scripts {
		key := fmt.Sprintf("item-%d", i+1)
		if err := w.Add(ctx, workflows.BatchItem{Index: i, Key: key, Name: key, Item: []byte(`{}`), Prompt: script}); err != nil {
			return nil, err
		}
	}
	if err := w.Finish(ctx); err != nil {
		return nil, err
	}
	started, err := g.StartBatch(ctx, workflows.BatchInput{
		Batch: ref, Total: len(scripts), Concurrency: 2,
		Task: workflows.AgentTaskInput{Connection: connection, Provider: "agi", Agent: "script"},
	})
	if err != nil {
		return nil, err
	}
	if play != nil {
		if err := play(ctx, g); err != nil {
			return nil, err
		}
	}
	_, err = g.FollowBatch(ctx, ref.ID, look, func(starter.Batch) error { return nil })
	return []execution{{workflows.BatchWorkflowID(ref.ID), started.RunID}}, err
}

// untilOpen waits until the tasks of a batch are under way.
func (g *stage) untilOpen(ctx context.Context) error {
	open := errors.New("open")
	_, err := g.FollowBatch(ctx, g.taskID, look, func(b starter.Batch) error {
		if b.Running > 0 {
			return open
		}
		return nil
	})
	if errors.Is(err, open) {
		return nil
	}
	return errors.Join(err, errors.New("no task of the batch came to be open"))
}

// controlBatch pauses a batch, lets it go on, and has more of its tasks open.
func controlBatch(ctx context.Context, g *stage) error {
	if err := g.untilOpen(ctx); err != nil {
		return err
	}
	if _, err := g.PauseBatch(ctx, g.taskID); err != nil {
		return err
	}
	if _, err := g.ResumeBatch(ctx, g.taskID); err != nil {
		return err
	}
	return g.SetBatchConcurrency(ctx, g.taskID, 3)
}

// monitorTicks lets a monitor see a price, another, a page that is no product
// three times, and a price again, and records each tick.
func monitorTicks(ctx context.Context, g *stage) ([]execution, error) {
	pages := []string{offer("19.50"), offer("17.00"), "no", "no", "no", offer("17.00")}
	at := 0
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost: // an alert
		case pages[at] == "no":
			w.WriteHeader(http.StatusGatewayTimeout)
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, pages[at])
		}
	}))
	defer shop.Close()
	_, err := g.CreateMonitor(ctx, starter.MonitorSchedule{Every: starter.Duration(24 * time.Hour)}, workflows.MonitorInput{
		Name: g.taskID, Notify: []string{shop.URL + "/alerts"},
		Watch: watch.Rule{Field: "price", When: watch.Changed},
		Task: workflows.AgentTaskInput{
			Connection: connection, Provider: "agi", Agent: "reader", Prompt: "Report the price", StartURL: shop.URL,
			Snapshot: workflows.Snapshot{Mode: "filesystem"},
		},
	})
	if err != nil {
		return nil, err
	}
	for at = 1; at < len(pages); at++ {
		if _, err := g.TriggerMonitor(ctx, g.taskID); err != nil {
			return nil, err
		}
	}
	return g.ticks(ctx, len(pages))
}

func offer(price string) string {
	return `<html><head><title>Teapot</title><script type="application/ld+json">{"@type":"Product","name":"Teapot",
"offers":{"@type":"Offer","price":"` + price + `","priceCurrency":"EUR"}}</script></head><body><h1>Teapot</h1></body></html>`
}

// ticks finds so many ticks of the monitor, the first one first.
func (g *stage) ticks(ctx context.Context, n int) ([]execution, error) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		list, err := g.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: "WorkflowType = '" + workflows.MonitorType + "' AND ExecutionStatus = 'Completed'",
		})
		if err != nil {
			return nil, err
		}
		if found := list.GetExecutions(); len(found) == n { // the latest is the first
			ticks := make([]execution, n)
			for i, e := range found {
				ticks[n-1-i] = execution{e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId()}
			}
			return ticks, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for %d ticks: %w", n, ctx.Err())
		}
	}
}
