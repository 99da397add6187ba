package worker

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/workflows"
)

func TestAWorkerTellsOfTheRunsThatEndOnIt(t *testing.T) {
	for name, ends := range map[string]error{"well": nil, "badly": temporal.NewNonRetryableApplicationError("no", "No", nil)} {
		t.Run(name, func(t *testing.T) {
			closed := &closings{}
			told, before := closed.expect("default-test-workflow-id")
			require.False(t, before)
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestWorkflowEnvironment()
			env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{closed}})

			env.ExecuteWorkflow(func(ctx workflow.Context) error {
				require.Empty(t, told, "it has not ended yet")
				_ = workflow.Sleep(ctx, time.Hour)
				return ends
			})

			require.Equal(t, "default-test-run-id", <-told)
			closed.forget("default-test-workflow-id")
			_, before = closed.expect("default-test-workflow-id")
			require.False(t, before)
		})
	}
}

// temporalSays is a Temporal server with one task, which closes when closeAt is
// over; zero: not by itself.
type temporalSays struct {
	client.Client
	closeAt   time.Time
	known     bool             // was started before
	results   map[string]error // by run id; else it ends well
	described int
	gotten    []string // run ids
}

func (s *temporalSays) ExecuteWorkflow(context.Context, client.StartWorkflowOptions, any, ...any) (client.WorkflowRun, error) {
	if s.known {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("", "", "")
	}
	return nil, nil
}

func (s *temporalSays) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	s.described++
	info := &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{RunId: "last"}}
	if !s.closeAt.IsZero() && !time.Now().Before(s.closeAt) {
		info.CloseTime = timestamppb.New(s.closeAt)
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
}

func (s *temporalSays) GetWorkflow(_ context.Context, _, runID string) client.WorkflowRun {
	s.gotten = append(s.gotten, runID)
	return run{result: s.results[runID]}
}

type run struct {
	client.WorkflowRun
	result error
}

func (r run) Get(_ context.Context, out any) error {
	if r.result != nil {
		return r.result
	}
	*out.(*workflows.AgentTaskResult) = workflows.AgentTaskResult{StartedAt: time.Now(), Result: json.RawMessage(`1`)}
	return nil
}

// terminated is the error of a run that was, which the SDK lets nobody make.
type terminated struct{}

func (terminated) Error() string { return "workflow execution error" }
func (terminated) Unwrap() error { return errors.New("terminated") }
func (terminated) As(target any) bool {
	_, ok := target.(**temporal.WorkflowExecutionError)
	return ok
}

func itemTask() activities.ItemTask {
	return activities.ItemTask{TaskID: "t", Prompt: "p", Common: json.RawMessage(`{"connection":"c"}`)}
}

func TestATaskThatEndsHereIsHeardOfWithoutAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		says := &temporalSays{}
		tasks := &tasks{client: says, closed: &closings{}}
		require.NoError(t, tasks.Start(t.Context(), itemTask()))
		tasks.closed.tell("agent-task-t", "first") // before anyone waits

		begun := time.Now()
		result, err := tasks.Await(t.Context(), itemTask())

		require.NoError(t, err)
		require.Equal(t, activities.ItemCompleted, result.State)
		require.Equal(t, []string{"first"}, says.gotten)
		require.Zero(t, says.described)
		require.Zero(t, time.Since(begun))
		require.Empty(t, tasks.closed.waiters)
	})
}

func TestATaskThatEndsElsewhereIsFoundByAskingLessAndLessOften(t *testing.T) {
	for name, row := range map[string]struct {
		known bool
		after time.Duration
		asked int // at most
		late  time.Duration
	}{
		"one that had ended before":   {true, 0, 1, 0},
		"one that ends soon":          {false, time.Second, 1, lookAtFirst},
		"one that takes ten minutes":  {false, 10 * time.Minute, 40, lookAtMost},
		"one found open that goes on": {true, 10 * time.Minute, 40, lookAtMost},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				says := &temporalSays{known: row.known, closeAt: time.Now().Add(row.after)}
				tasks := &tasks{client: says, closed: &closings{}}
				require.NoError(t, tasks.Start(t.Context(), itemTask()))

				_, err := tasks.Await(t.Context(), itemTask())

				require.NoError(t, err)
				require.LessOrEqual(t, time.Since(says.closeAt), row.late)
				require.LessOrEqual(t, says.described, row.asked)
				require.Equal(t, []string{"last"}, says.gotten)
				require.Empty(t, tasks.closed.waiters)
			})
		})
	}
}

func TestARunThatWasTerminatedAsItClosedMayNotBeTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		says := &temporalSays{results: map[string]error{"first": terminated{}}, closeAt: time.Now().Add(time.Second)}
		tasks := &tasks{client: says, closed: &closings{}}
		require.NoError(t, tasks.Start(t.Context(), itemTask()))
		tasks.closed.tell("agent-task-t", "first")

		result, err := tasks.Await(t.Context(), itemTask())

		require.NoError(t, err)
		require.Equal(t, activities.ItemCompleted, result.State)
		require.Equal(t, []string{"first", "last"}, says.gotten)
	})
}

func TestATaskThatGoesOnInAnotherRunIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		says := &temporalSays{results: map[string]error{"first": context.DeadlineExceeded}}
		tasks := &tasks{client: says, closed: &closings{}}
		require.NoError(t, tasks.Start(t.Context(), itemTask()))
		tasks.closed.tell("agent-task-t", "first")
		begun := time.Now()
		time.AfterFunc(time.Hour+time.Millisecond, func() { tasks.closed.tell("agent-task-t", "second") })

		result, err := tasks.Await(t.Context(), itemTask())

		require.NoError(t, err)
		require.Equal(t, activities.ItemCompleted, result.State)
		require.Equal(t, []string{"first", "second"}, says.gotten)
		require.Less(t, time.Since(begun), time.Hour+time.Second)
	})
}

func TestAWaitThatIsGivenUpLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tasks := &tasks{client: &temporalSays{}, closed: &closings{}}
		require.NoError(t, tasks.Start(t.Context(), itemTask()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := tasks.Await(ctx, itemTask())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Empty(t, tasks.closed.waiters)
	})
}
