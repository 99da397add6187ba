// Package starter starts Errand's workflows and talks to them: the typed Go
// client behind the errand command, for any Go program.
//
//	c := starter.New(temporalClient, starter.Options{})
//	started, err := c.StartAgentTask(ctx, workflows.AgentTaskInput{
//		TaskID: "t-42", Connection: "agi", Prompt: "Report the product's price", StartURL: "https://shop.example/p/42",
//	})
//	task, err := c.Wait(ctx, started.TaskID)
package starter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/workflows"
)

// Client starts agent tasks and talks to them. It is safe for concurrent use.
type Client struct {
	temporal  client.Client
	namespace string
	payloads  converter.DataConverter
	failures  converter.FailureConverter
	batches   workflows.BatchStore
}

// Options repeat what the connection to Temporal was made with, where that was
// not the SDK's default; the connection itself does not tell.
type Options struct {
	Namespace        string
	DataConverter    converter.DataConverter
	FailureConverter converter.FailureConverter
	Batches          workflows.BatchStore // the workers' own; nil: there are no batches
}

// New returns a client on a connection to Temporal, which stays the caller's
// to close.
func New(c client.Client, o Options) *Client {
	if o.DataConverter == nil {
		o.DataConverter = converter.GetDefaultDataConverter()
	}
	if o.FailureConverter == nil {
		o.FailureConverter = temporal.GetDefaultFailureConverter()
	}
	return &Client{
		temporal:  c,
		namespace: cmp.Or(o.Namespace, client.DefaultNamespace),
		payloads:  o.DataConverter,
		failures:  o.FailureConverter,
		batches:   o.Batches,
	}
}

// Started says which task a start found or made.
type Started struct {
	TaskID string
	RunID  string
	Known  bool // a task of that id was there already; nothing was started
}

// StartAgentTask starts a task, or finds the one that has its id already,
// whether that is open or closed.
func (c *Client) StartAgentTask(ctx context.Context, in workflows.AgentTaskInput) (Started, error) {
	if err := in.Validate(); err != nil {
		return Started{}, &InvalidInputError{Err: err}
	}
	run, err := c.temporal.ExecuteWorkflow(ctx, workflows.StartOptions(in), workflows.AgentTaskType, in)
	if already, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		return Started{TaskID: in.TaskID, RunID: already.RunId, Known: true}, nil
	}
	if err != nil {
		return Started{}, explain(err)
	}
	return Started{TaskID: in.TaskID, RunID: run.GetRunID()}, nil
}

// Answer answers the open question of an agent task, or that of another workflow
// by its workflow id where no task has that id. It returns once the answer is
// part of the history; a [*RefusedError] says why it was not accepted.
// Where the way to the server breaks it asks again, and so may the caller, with
// the same AnswerInput.ID: the answer is accepted once, whatever happens.
func (c *Client) Answer(ctx context.Context, taskID string, in workflows.AnswerInput) (workflows.Answer, error) {
	if err := in.Validate(); err != nil {
		return workflows.Answer{}, &InvalidInputError{Err: err}
	}
	in.ID = cmp.Or(in.ID, uuid.NewString())
	ctx, cancel := context.WithTimeout(ctx, messageTimeout)
	defer cancel()
	var accepted workflows.Answer
	var trouble absence
	for {
		err := c.answer(ctx, taskID, in, &accepted)
		if !isAway(err) || ctx.Err() != nil {
			return accepted, err
		}
		if err := trouble.bear(ctx, err); err != nil {
			return accepted, err
		}
	}
}

// Pause stops the agent of a task where it is.
func (c *Client) Pause(ctx context.Context, taskID string) (workflows.Status, error) {
	var status workflows.Status
	err := c.update(ctx, taskID, message{name: workflows.UpdatePause}, &status)
	return status, err
}

// Resume lets the agent of a paused task go on.
func (c *Client) Resume(ctx context.Context, taskID string) (workflows.Status, error) {
	var status workflows.Status
	err := c.update(ctx, taskID, message{name: workflows.UpdateResume}, &status)
	return status, err
}

// Cancel asks a task to stop its agent, delete its session and end. It does
// not wait for that; Wait does.
func (c *Client) Cancel(ctx context.Context, taskID string) error {
	return explain(c.temporal.CancelWorkflow(ctx, workflows.AgentTaskWorkflowID(taskID), ""))
}

// message is an update of a task.
type message struct {
	name string
	id   string // empty: a new one
	args []any
}

func (c *Client) update(ctx context.Context, taskID string, m message, out any) error {
	err := c.updateWorkflow(ctx, workflows.AgentTaskWorkflowID(taskID), m, out)
	if errors.Is(err, ErrUnknownTask) {
		return c.explainEnded(ctx, taskID, err)
	}
	return err
}

func (c *Client) updateWorkflow(ctx context.Context, workflowID string, m message, out any) error {
	ctx, cancel := context.WithTimeout(ctx, messageTimeout)
	defer cancel()
	handle, err := c.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID:     m.id,
		WorkflowID:   workflowID,
		UpdateName:   m.name,
		Args:         m.args,
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, out)
	}
	return c.explainMessage(ctx, err)
}

// explainEnded tells a task that has ended from one that never was: to an
// update of either, Temporal answers that it was not found.
func (c *Client) explainEnded(ctx context.Context, taskID string, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout) // the update may have used up all its time
	defer cancel()
	task, lookup := c.AgentTask(ctx, taskID)
	if lookup != nil || !task.Status.Closed() {
		return err
	}
	return &RefusedError{Reason: fmt.Sprintf("the task has ended (%s)", task.Status)}
}

// messageTimeout bounds an update or a query. A pause may have to wait a
// minute for a vendor that is away.
const messageTimeout = 75 * time.Second

// queryTimeout bounds the state query, which no vendor can hold up.
const queryTimeout = 10 * time.Second

// CheckWorkers returns a [*NoWorkerError] when no worker has asked for work
// lately.
func (c *Client) CheckWorkers(ctx context.Context) error {
	return c.checkQueue(ctx, workflows.TaskQueue)
}

func (c *Client) checkQueue(ctx context.Context, queue string) error {
	d, err := c.temporal.DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return explain(err)
	}
	if len(d.GetPollers()) == 0 {
		return &NoWorkerError{Queue: queue}
	}
	return nil
}

// explainMessage finds out why an update or a query went unanswered.
func (c *Client) explainMessage(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return &RefusedError{Reason: app.Message()}
	}
	if isNoPoller(err) {
		return &NoWorkerError{Queue: workflows.TaskQueue}
	}
	if isDeadline(err) {
		return c.explainSilence(ctx, workflows.TaskQueue, err)
	}
	return explain(err)
}

// explainSilence finds out why nothing has come from a task queue in time.
func (c *Client) explainSilence(ctx context.Context, queue string, err error) error {
	if isNoPoller(err) {
		return &NoWorkerError{Queue: queue}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
	defer cancel()
	if noWorker := c.checkQueue(ctx, queue); noWorker != nil {
		return noWorker
	}
	return fmt.Errorf("the task did not answer in time; its worker may be busy: %w", err)
}
