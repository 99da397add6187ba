package main

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/workflows"
)

// naivePoll is how often the baseline asks.
const naivePoll = 5 * time.Second

// naive is the shape that one writes first: a loop of a timer and an activity
// that asks whether the agent is done.
type naive struct{ connections *provider.Set }

func (n *naive) Poll(ctx context.Context, in activities.TakeTurnInput) (*provider.Progress, error) {
	p, err := n.connections.Provider(in.Connection)
	if err != nil {
		return nil, err
	}
	progress, err := p.Read(ctx, in.SessionID, in.After)
	progress.Entries = nil
	return &progress, err
}

func naiveTask(ctx workflow.Context, script string) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	var a *activities.Activities
	var n *naive
	var session activities.Session
	if err := workflow.ExecuteActivity(ctx, a.CreateSession, activities.CreateSessionInput{Connection: connection}).Get(ctx, &session); err != nil {
		return err
	}
	message, after := script, provider.Watermark("")
	for {
		if err := workflow.ExecuteActivity(ctx, a.SendMessage, activities.SendMessageInput{
			Connection: connection, SessionID: session.ID, Text: message, After: after}).Get(ctx, nil); err != nil {
			return err
		}
		var progress provider.Progress
		for progress.Outcome == nil {
			if err := workflow.Sleep(ctx, naivePoll); err != nil {
				return err
			}
			if err := workflow.ExecuteActivity(ctx, n.Poll, activities.TakeTurnInput{
				Connection: connection, SessionID: session.ID, After: after}).Get(ctx, &progress); err != nil {
				return err
			}
		}
		if progress.Outcome.Kind != provider.OutcomeQuestion {
			break
		}
		after = progress.Cursor
		workflow.GetSignalChannel(ctx, workflows.SignalAnswer).Receive(ctx, &message)
	}
	return workflow.ExecuteActivity(ctx, a.DeleteSession, activities.DeleteSessionInput{Connection: connection, SessionID: session.ID}).Get(ctx, nil)
}

func runNaive(ctx context.Context, c client.Client, sessions, script string) error {
	connections, err := newConnections(sessions, 0)
	if err != nil {
		return err
	}
	w := worker.New(c, workflows.TaskQueue, worker.Options{})
	w.RegisterWorkflow(naiveTask)
	w.RegisterActivity(&activities.Activities{Connections: connections})
	w.RegisterActivity(&naive{connections: connections})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.AgentTaskWorkflowID("cost"), TaskQueue: workflows.TaskQueue}, naiveTask, script)
	if err != nil {
		return err
	}
	// The signal waits in its channel until the question is there.
	if err := c.SignalWorkflow(ctx, run.GetID(), "", workflows.SignalAnswer, "the blue one"); err != nil {
		return err
	}
	return run.Get(ctx, nil)
}

// untilListed waits until the one task shows that status in lists.
func untilListed(ctx context.Context, c client.Client, status workflows.Status) error {
	query := fmt.Sprintf("%s = '%s'", workflows.AttributeStatus.GetName(), status)
	for {
		list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		if err != nil {
			return err
		}
		if len(list.GetExecutions()) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
