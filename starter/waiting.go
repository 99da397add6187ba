package starter

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/errand-dev/errand/workflows"
)

// Waiting is something that waits for a person: a question, or a task that
// somebody has paused. Its JSON is a contract.
type Waiting struct {
	ID         string           `json:"id"` // what Answer takes: the id of an agent task, else the workflow's
	WorkflowID string           `json:"workflow_id"`
	Type       string           `json:"type"` // of the workflow: AgentTask, Ask, …
	Status     workflows.Status `json:"status"`
	Connection string           `json:"connection"`      // empty for what is no agent task
	Subject    string           `json:"subject"`         // the prompt of an agent task
	Asker      string           `json:"asker,omitempty"` // workflow id of who asks through AskHuman
	ViewURL    string           `json:"view_url"`
	StartedAt  time.Time        `json:"started_at"`

	// Question is null of a paused task that asks nothing, and where Trouble
	// says why it is not known.
	Question *workflows.Question `json:"question"`
	Trouble  string              `json:"trouble,omitempty"`
}

// IsAgentTask says that ID is that of an agent task.
func (w Waiting) IsAgentTask() bool { return w.Type == workflows.AgentTaskType }

// WaitingPage is a part of what waits.
type WaitingPage struct {
	Items []Waiting `json:"items"` // the question that was asked first comes first, what is not known last
	Next  string    `json:"next"`  // for Page.After; empty: there is no more
}

// Page chooses a part of a list.
type Page struct {
	Status workflows.Status // StatusWaiting, which it is if empty, or StatusPaused
	Size   int              // 0: DefaultPageSize; at most MaxPageSize
	After  string           // WaitingPage.Next of the page before; empty: the first
}

// query finds what has that status in Temporal's visibility. One status at a
// time, because SQL stores have those in the order of pages already: of two they
// would sort all that there are, for each page.
func (p Page) query() (string, error) {
	switch p.Status {
	case "", workflows.StatusWaiting, workflows.StatusPaused:
		return fmt.Sprintf("%s = '%s' AND ExecutionStatus = 'Running'",
			workflows.AttributeStatus.GetName(), cmp.Or(p.Status, workflows.StatusWaiting)), nil
	default:
		return "", &InvalidInputError{Err: fmt.Errorf("unknown status %q: choose waiting or paused", p.Status)}
	}
}

// The sizes of a page.
const (
	DefaultPageSize = 50
	MaxPageSize     = 1000
)

// parallelQueries is how many workflows are asked at once for what they ask.
const parallelQueries = 16

// inquiryTimeout bounds such a query. A worker that is there answers in
// milliseconds; a page must not wait long for one that is not.
const inquiryTimeout = 3 * time.Second

// Waiting returns a page of what waits for an answer, in whatever workflow, or of
// what a person has paused: those that were started last are on the first page.
// It reads no more of Temporal's visibility than the page, and asks each workflow
// on it what it asks. What no worker answers for is there too, and says so.
func (c *Client) Waiting(ctx context.Context, p Page) (WaitingPage, error) {
	unknown := &InvalidInputError{Err: errors.New("unknown page: begin again with the first")}
	after, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil {
		return WaitingPage{}, unknown
	}
	query, err := p.query()
	if err != nil {
		return WaitingPage{}, err
	}
	list, err := c.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: c.namespace, Query: query,
		PageSize:      int32(min(cmp.Or(max(0, p.Size), DefaultPageSize), MaxPageSize)),
		NextPageToken: after,
	})
	if _, refused := errors.AsType[*serviceerror.InvalidArgument](err); refused && p.After != "" {
		return WaitingPage{}, unknown
	}
	if err != nil {
		return WaitingPage{}, explain(err)
	}
	items := make([]*Waiting, len(list.GetExecutions()))
	var silent silentQueues
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallelQueries)
	for i, info := range list.GetExecutions() {
		group.Go(func() (err error) {
			items[i], err = c.waiting(groupCtx, info, &silent)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return WaitingPage{}, err
	}
	page := WaitingPage{Items: []Waiting{}, Next: base64.RawURLEncoding.EncodeToString(list.GetNextPageToken())}
	for _, item := range items {
		if item != nil {
			page.Items = append(page.Items, *item)
		}
	}
	slices.SortStableFunc(page.Items, func(a, b Waiting) int { return a.since().Compare(b.since()) })
	return page, nil
}

// AllWaiting returns all that waits for an answer and all that is paused, as
// Waiting does page by page.
func (c *Client) AllWaiting(ctx context.Context) ([]Waiting, error) {
	var all []Waiting
	for _, status := range []workflows.Status{workflows.StatusWaiting, workflows.StatusPaused} {
		p := Page{Status: status, Size: MaxPageSize}
		for {
			page, err := c.Waiting(ctx, p)
			if err != nil {
				return nil, err
			}
			all = append(all, page.Items...)
			if p.After = page.Next; p.After == "" {
				break
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Waiting) int { return a.since().Compare(b.since()) })
	return all, nil
}

// CountWaiting returns how much waits for an answer, as far as Temporal's
// visibility knows by now.
func (c *Client) CountWaiting(ctx context.Context) (int64, error) {
	query, err := Page{}.query()
	if err != nil {
		return 0, err
	}
	n, err := c.temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: c.namespace, Query: query})
	return n.GetCount(), explain(err)
}

// since is when the question was asked; the far future where that is not known.
func (w Waiting) since() time.Time {
	if w.Question == nil {
		return w.StartedAt.AddDate(1000, 0, 0)
	}
	return w.Question.AskedAt
}

// silentQueues are the task queues from which no answer comes, with the reason:
// what else is in them is not asked, or a page would take that long for each.
type silentQueues struct {
	mu      sync.Mutex
	reasons map[string]string
}

func (s *silentQueues) reason(queue string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reasons[queue]
}

func (s *silentQueues) add(queue, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reasons == nil {
		s.reasons = map[string]string{}
	}
	s.reasons[queue] = reason
}

// listed is what visibility knows of something that waits.
func (c *Client) listed(info *workflowpb.WorkflowExecutionInfo) *Waiting {
	w := &Waiting{
		ID:         info.GetExecution().GetWorkflowId(),
		WorkflowID: info.GetExecution().GetWorkflowId(),
		Type:       info.GetType().GetName(),
		Status:     statusOf(info.GetStatus(), info.GetSearchAttributes()),
		Connection: keyword(info.GetSearchAttributes(), workflows.AttributeConnection.GetName()),
		Asker:      info.GetParentExecution().GetWorkflowId(),
		StartedAt:  info.GetStartTime().AsTime(),
	}
	if w.IsAgentTask() {
		w.ID = workflows.TaskIDOf(w.WorkflowID)
	}
	return w
}

// waiting is what an entry of visibility waits for. It returns nil for one that
// has come to something else since visibility last heard of it.
func (c *Client) waiting(ctx context.Context, info *workflowpb.WorkflowExecutionInfo, silent *silentQueues) (*Waiting, error) {
	w := c.listed(info)
	queue := info.GetTaskQueue()
	if w.Trouble = silent.reason(queue); w.Trouble != "" {
		return w, nil
	}
	err := c.ask(ctx, w)
	_, gone := errors.AsType[*serviceerror.NotFound](err)
	_, closed := errors.AsType[*closedError](err)
	switch {
	case err == nil && w.Question == nil && w.Status != workflows.StatusPaused, gone || closed:
		return nil, nil
	case err == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case isDeadline(err) || isNoPoller(err):
		w.Trouble = c.explainSilence(ctx, queue, err).Error()
		silent.add(queue, w.Trouble)
	default:
		w.Trouble = explain(err).Error()
	}
	return w, nil
}

// ask asks a workflow what it asks, and fills that in.
func (c *Client) ask(ctx context.Context, w *Waiting) error {
	inquiry, err := c.inquiry(ctx, w.WorkflowID)
	if _, unknown := errors.AsType[*serviceerror.QueryFailed](err); unknown {
		if w.IsAgentTask() {
			return c.askOlder(ctx, w)
		}
		return fmt.Errorf("this workflow does not say what it asks: %w", err)
	}
	if err != nil {
		return err
	}
	w.Status, w.Subject, w.ViewURL, w.Question = inquiry.Status, inquiry.Subject, inquiry.ViewURL, inquiry.Question
	w.Asker = cmp.Or(inquiry.Asker, w.Asker)
	return nil
}

// WhatWaits returns what the open task or workflow of that id waits for, as
// Waiting does: with a Question or with none. A task that has ended is known by
// its Status. It fails where nobody can say, with a [*NoWorkerError] for example.
func (c *Client) WhatWaits(ctx context.Context, id string) (Waiting, error) {
	for _, workflowID := range []string{workflows.AgentTaskWorkflowID(id), id} {
		d, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
		if _, none := errors.AsType[*serviceerror.NotFound](err); none {
			continue
		}
		if err != nil {
			return Waiting{}, explain(err)
		}
		info := d.GetWorkflowExecutionInfo()
		w := c.listed(info)
		if w.Status.Closed() {
			return *w, nil
		}
		err = c.ask(ctx, w)
		if _, closed := errors.AsType[*closedError](err); closed {
			return c.WhatWaits(ctx, id)
		}
		if isDeadline(err) || isNoPoller(err) {
			err = c.explainSilence(ctx, info.GetTaskQueue(), err)
		}
		return *w, err
	}
	return Waiting{}, fmt.Errorf("%w (%s)", ErrUnknownTask, id)
}

// askOlder asks a task whose worker does not know the inquiry yet.
func (c *Client) askOlder(ctx context.Context, w *Waiting) error {
	task, err := c.AgentTask(ctx, w.ID)
	if err != nil {
		return err
	}
	w.Subject, w.Question, w.Status = task.Prompt, task.Question, task.Status
	if task.Session != nil {
		w.ViewURL = task.Session.ViewURL
	}
	return nil
}

// closedError says that a workflow has ended and cannot be asked any more.
type closedError struct {
	status enumspb.WorkflowExecutionStatus
}

func (e *closedError) Error() string { return "it has ended: " + e.status.String() }

// inquiry asks the open workflow of that id what it asks.
func (c *Client) inquiry(ctx context.Context, workflowID string) (i workflows.Inquiry, err error) {
	ctx, cancel := context.WithTimeout(ctx, inquiryTimeout)
	defer cancel()
	r, err := c.temporal.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: workflowID, QueryType: workflows.QueryInquiry,
		QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
	})
	switch {
	case err != nil:
		return i, err
	case r.QueryRejected != nil:
		return i, &closedError{r.QueryRejected.GetStatus()}
	}
	err = r.QueryResult.Get(&i)
	return i, err
}

func isNoPoller(err error) bool {
	refused, ok := errors.AsType[*serviceerror.FailedPrecondition](err)
	return ok && strings.Contains(refused.Error(), "no poller")
}
