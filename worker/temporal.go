package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/workflows"
)

// server tells activities what Temporal knows of their namespace. It asks the
// executions themselves wherever it can, as lists come late.
type server struct {
	client client.Client

	mu   sync.Mutex
	home activities.Home // once known
}

var _ activities.Temporal = (*server)(nil)

// listLag is how long a list may take to show what is there.
const listLag = 30 * time.Second

// Home implements [activities.Temporal]. It does not change while a worker
// runs, so it is asked for once.
func (s *server) Home(ctx context.Context) (activities.Home, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.home.Namespace != "" {
		return s.home, nil
	}
	namespace, err := s.client.WorkflowService().DescribeNamespace(ctx,
		&workflowservice.DescribeNamespaceRequest{Namespace: activity.GetInfo(ctx).Namespace})
	if err != nil {
		return activities.Home{}, err
	}
	cluster, err := s.client.WorkflowService().GetClusterInfo(ctx, &workflowservice.GetClusterInfoRequest{})
	if err != nil && !isRefusal(err) {
		return activities.Home{}, err
	}
	s.home = activities.Home{Cluster: cluster.GetClusterId(), Namespace: namespace.GetNamespaceInfo().GetId()}
	return s.home, nil
}

// isRefusal reports whether a server keeps something to itself for good.
func isRefusal(err error) bool {
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	_, unknown := errors.AsType[*serviceerror.Unimplemented](err)
	return denied || unknown
}

// Gone implements [activities.Temporal].
func (s *server) Gone(ctx context.Context, h activities.Home) (bool, error) {
	d, err := s.client.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Id: h.Namespace})
	if _, ok := errors.AsType[*serviceerror.NamespaceNotFound](err); ok {
		return true, nil
	}
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return true, nil
	}
	return deleted(d.GetNamespaceInfo()), err
}

func deleted(n *namespacepb.NamespaceInfo) bool {
	return n.GetState() == enumspb.NAMESPACE_STATE_DELETED
}

// OpenRun implements [activities.Temporal].
func (s *server) OpenRun(ctx context.Context, workflowID string) (string, error) {
	d, err := s.client.DescribeWorkflowExecution(ctx, workflowID, "")
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	info := d.GetWorkflowExecutionInfo()
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED,
		enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
		enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return "", nil
	}
	if info.GetFirstRunId() == "" {
		return "", fmt.Errorf("the server does not tell the first run of workflow %s", workflowID)
	}
	return info.GetFirstRunId(), nil
}

// OpenTasks implements [activities.Temporal]. A list that does not show the
// workflow that asks comes too late to be believed.
func (s *server) OpenTasks(ctx context.Context, connection string) ([]string, error) {
	self := activity.GetInfo(ctx).WorkflowExecution
	for end := time.Now().Add(listLag); ; {
		seen, err := s.list(ctx, fmt.Sprintf("WorkflowId = '%s' AND RunId = '%s'", self.ID, self.RunID))
		switch {
		case err != nil:
			return nil, err
		case len(seen) > 0:
			return s.list(ctx, workflows.OpenTasksQuery(connection))
		case time.Now().After(end):
			return nil, errors.New("its lists are late: they do not show this workflow yet")
		}
		select {
		case <-time.After(time.Second):
			activity.RecordHeartbeat(ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// list returns the ids of all workflows that a query finds.
func (s *server) list(ctx context.Context, query string) ([]string, error) {
	var ids []string
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: activity.GetInfo(ctx).Namespace, Query: query, PageSize: 1000,
	}
	for {
		page, err := s.client.ListWorkflow(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, e := range page.GetExecutions() {
			ids = append(ids, e.GetExecution().GetWorkflowId())
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return ids, nil
		}
	}
}

// Holds implements [activities.Temporal].
func (s *server) Holds(ctx context.Context, workflowID string) (string, error) {
	value, err := s.client.QueryWorkflow(ctx, workflowID, "", workflows.QueryState)
	if err != nil {
		return "", err
	}
	var state workflows.AgentTaskState
	if err := value.Get(&state); err != nil {
		return "", err
	}
	if state.Session == nil || state.Session.Deleted {
		return "", nil
	}
	return state.Session.ID, nil
}
