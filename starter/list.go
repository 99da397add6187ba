package starter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/errand-dev/errand/workflows"
)

// Filter chooses agent tasks. Zero fields choose all.
type Filter struct {
	Status     workflows.Status
	Connection string
	Batch      string
	Labels     map[string]string // all of them
	Limit      int               // most recent first; 0: no limit
}

// List returns the tasks that fit the filter, most recently started first, as
// AgentTask returns each. A task that vanishes meanwhile is left out.
func (c *Client) List(ctx context.Context, f Filter) ([]AgentTask, error) {
	query, err := f.query()
	if err != nil {
		return nil, err
	}
	ids, err := c.find(ctx, query, f.Limit)
	if err != nil {
		return nil, err
	}
	tasks := make([]AgentTask, len(ids))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i, id := range ids {
		group.Go(func() error {
			task, err := c.AgentTask(groupCtx, id)
			if _, ok := errors.AsType[*NoWorkerError](err); errors.Is(err, ErrUnknownTask) || ok {
				err = nil
			}
			tasks[i] = task
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(tasks, func(t AgentTask) bool { return t.ID == "" }), nil
}

// find returns the ids of the tasks that a visibility query finds.
func (c *Client) find(ctx context.Context, query string, limit int) ([]string, error) {
	const page = 200
	var ids []string
	request := &workflowservice.ListWorkflowExecutionsRequest{Namespace: c.namespace, Query: query, PageSize: page}
	for {
		if limit > 0 {
			request.PageSize = int32(min(page, limit-len(ids)))
		}
		list, err := c.temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, explain(err)
		}
		for _, e := range list.GetExecutions() {
			ids = append(ids, workflows.TaskIDOf(e.GetExecution().GetWorkflowId()))
		}
		request.NextPageToken = list.GetNextPageToken()
		if len(request.NextPageToken) == 0 || (limit > 0 && len(ids) >= limit) {
			return ids, nil
		}
	}
}

// query is the filter in the words of Temporal's visibility. A run that
// continued as new is not a task of its own.
func (f Filter) query() (string, error) {
	terms := []string{
		fmt.Sprintf("WorkflowType = '%s'", workflows.AgentTaskType),
		"ExecutionStatus != 'ContinuedAsNew'",
	}
	switch attribute := workflows.AttributeStatus.GetName(); f.Status {
	case "":
	case workflows.StatusRunning, workflows.StatusWaiting, workflows.StatusPaused:
		terms = append(terms, "ExecutionStatus = 'Running'", fmt.Sprintf("%s = '%s'", attribute, f.Status))
	case workflows.StatusCompleted:
		terms = append(terms, "ExecutionStatus = 'Completed'")
	case workflows.StatusCancelled:
		terms = append(terms, "ExecutionStatus = 'Canceled'")
	case workflows.StatusTimedOut:
		terms = append(terms, fmt.Sprintf("(ExecutionStatus = 'TimedOut' OR (ExecutionStatus = 'Failed' AND %s = '%s'))", attribute, f.Status))
	case workflows.StatusFailed:
		terms = append(terms, fmt.Sprintf("(ExecutionStatus = 'Terminated' OR (ExecutionStatus = 'Failed' AND %s != '%s'))",
			attribute, workflows.StatusTimedOut))
	default:
		return "", &InvalidInputError{Err: fmt.Errorf("unknown status %q: choose running, waiting, paused, completed, failed, cancelled or timed_out", f.Status)}
	}
	if f.Connection != "" {
		terms = append(terms, equal(workflows.AttributeConnection.GetName(), f.Connection))
	}
	if f.Batch != "" {
		terms = append(terms, equal(workflows.AttributeBatch.GetName(), f.Batch))
	}
	if err := workflows.CheckLabels(f.Labels); err != nil {
		return "", &InvalidInputError{Err: err}
	}
	for _, word := range workflows.LabelWords(f.Labels) {
		terms = append(terms, equal(workflows.AttributeLabels.GetName(), word))
	}
	return strings.Join(terms, " AND "), nil
}

// equal quotes the value as visibility's SQL wants it.
func equal(attribute, value string) string {
	value = strings.ReplaceAll(value, `\`, `\\`)
	return fmt.Sprintf("%s = '%s'", attribute, strings.ReplaceAll(value, "'", `\'`))
}
