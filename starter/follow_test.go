package starter

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"

	"github.com/errand-dev/errand/workflows"
)

// absentWorker is a server with one open task that asks something. The worker
// that has put the question died before it could be queried.
type absentWorker struct {
	client.Client
	t       *testing.T
	queries int
	polls   int
}

func (a *absentWorker) WorkflowService() workflowservice.WorkflowServiceClient {
	return polled{of: a}
}

func (a *absentWorker) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: "agent-task-t", RunId: "run"},
		Status:    enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}}, nil
}

// started is the first event, which holds the input.
func (a *absentWorker) started() *historypb.HistoryEvent {
	input, err := converter.GetDefaultDataConverter().ToPayloads(workflows.AgentTaskInput{TaskID: "t", Prompt: "go", Connection: "agi"})
	require.NoError(a.t, err)
	return &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: input},
	}}
}

func (a *absentWorker) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return &events{a.started()}
}

type events []*historypb.HistoryEvent

func (e *events) HasNext() bool { return len(*e) > 0 }

func (e *events) Next() (*historypb.HistoryEvent, error) {
	next := (*e)[0]
	*e = (*e)[1:]
	return next, nil
}

// polled is the server as its long polls see it.
type polled struct {
	workflowservice.WorkflowServiceClient
	of *absentWorker
}

// GetWorkflowExecutionHistory tells of the question once, and then of nothing.
func (a polled) GetWorkflowExecutionHistory(context.Context, *workflowservice.GetWorkflowExecutionHistoryRequest, ...grpc.CallOption) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	page := &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{}, NextPageToken: []byte("more")}
	if a.of.polls++; a.of.polls == 1 {
		page.History.Events = []*historypb.HistoryEvent{{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED}}
	}
	return page, nil
}

// QueryWorkflow is answered once there is a worker again.
func (a *absentWorker) QueryWorkflow(context.Context, string, string, string, ...any) (converter.EncodedValue, error) {
	if a.queries++; a.queries < 3 {
		return nil, serviceerror.NewFailedPrecondition("no poller seen for task queue recently, worker may be down")
	}
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(workflows.AgentTaskState{
		AgentTaskResult: workflows.AgentTaskResult{Status: workflows.StatusWaiting, Question: &workflows.Question{ID: "q-1", Text: "Which?"}},
	})
	require.NoError(a.t, err)
	return client.NewValue(payloads), nil
}

func TestAFollowerLearnsOfAQuestionThatWasAskedWhileNoWorkerWasThere(t *testing.T) {
	server := &absentWorker{t: t}
	enough := errors.New("seen")
	var seen []workflows.Status
	_, err := New(server, Options{}).Follow(t.Context(), "t", func(now AgentTask) error {
		seen = append(seen, now.Status)
		if now.Question != nil {
			return enough
		}
		return nil
	})
	require.ErrorIs(t, err, enough)
	require.Equal(t, []workflows.Status{workflows.StatusRunning, workflows.StatusWaiting}, seen, "what is not known is told once")
}

func TestATaskThatNoWorkerAnswersForIsTheServersWord(t *testing.T) {
	server := &absentWorker{t: t}
	task, err := New(server, Options{}).AgentTask(t.Context(), "t")
	var none *NoWorkerError
	require.ErrorAs(t, err, &none)
	require.Equal(t, "go", task.Prompt)
}
