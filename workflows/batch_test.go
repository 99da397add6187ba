package workflows

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
)

// batchStory is a batch whose runs over the items are played by the test, in
// turn.
type batchStory struct {
	t    *testing.T
	env  *testsuite.TestWorkflowEnvironment
	runs []activities.RunItemsInput // that there were
	play []itemsPlay

	under sync.WaitGroup // runs under way
}

// itemsPlay is one run over the items.
type itemsPlay func(context.Context, *batchStory) (activities.RunItemsOutput, error)

func newBatchStory(t *testing.T, plays ...itemsPlay) *batchStory {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	s := &batchStory{t: t, env: suite.NewTestWorkflowEnvironment(), play: plays}
	s.env.SetTestTimeout(time.Minute)
	s.env.RegisterWorkflow(Batch)
	s.env.RegisterActivityWithOptions(func(ctx context.Context, in activities.RunItemsInput) (activities.RunItemsOutput, error) {
		s.under.Add(1)
		defer s.under.Done()
		s.runs = append(s.runs, in)
		if len(s.play) < len(s.runs) {
			return activities.RunItemsOutput{}, temporal.NewNonRetryableApplicationError("one run too many", "Test", nil)
		}
		return s.play[len(s.runs)-1](ctx, s)
	}, activity.RegisterOptions{Name: "RunItems"})
	return s
}

// runEnds is a run over the items that ends by itself.
func runEnds(done bool, p BatchProgress) itemsPlay {
	return func(context.Context, *batchStory) (activities.RunItemsOutput, error) {
		return activities.RunItemsOutput{Progress: p, Done: done}, nil
	}
}

// until is a run that does something and goes on until it is told to end.
func until(p BatchProgress, does func(*batchStory)) itemsPlay {
	return func(ctx context.Context, s *batchStory) (activities.RunItemsOutput, error) {
		does(s)
		for {
			activity.RecordHeartbeat(ctx)
			select {
			case <-ctx.Done():
				return activities.RunItemsOutput{Progress: p}, nil
			case <-time.After(time.Millisecond):
			}
		}
	}
}

// update sends an update, whose outcome goes to check.
func (s *batchStory) update(name string, check func(any, error), args ...any) {
	s.env.UpdateWorkflow(name, "", &testsuite.TestUpdateCallback{
		OnAccept:   func() {},
		OnReject:   func(err error) { check(nil, err) },
		OnComplete: check,
	}, args...)
}

func batchInput() BatchInput {
	return BatchInput{
		Batch: BatchRef{ID: "b", Digest: "0123456789"}, Total: 10, Concurrency: 3,
		HeartbeatTimeout: 10 * time.Millisecond, // a cancellation comes with a heartbeat
		Task:             AgentTaskInput{Connection: "agi", Labels: map[string]string{"team": "web"}, Timeout: time.Hour},
	}
}

func (s *batchStory) run(in BatchInput) (BatchResult, error) {
	s.t.Helper()
	s.env.ExecuteWorkflow(Batch, in)
	s.under.Wait() // the environment does not wait for the runs that it cancels
	require.True(s.t, s.env.IsWorkflowCompleted())
	var result BatchResult
	if err := s.env.GetWorkflowError(); err != nil {
		return result, err
	}
	err := s.env.GetWorkflowResult(&result)
	return result, err
}

func (s *batchStory) modes() []activities.BatchMode {
	var modes []activities.BatchMode
	for _, in := range s.runs {
		modes = append(modes, in.Mode)
	}
	return modes
}

func TestABatchRunsOverItsItemsUntilAllHaveEnded(t *testing.T) {
	for want, last := range map[Status]BatchProgress{
		StatusCompleted: {Completed: 10},
		StatusFailed:    {Completed: 8, Failed: 1, Cancelled: 1},
	} {
		s := newBatchStory(t, runEnds(false, BatchProgress{Completed: 4, Open: 3}), runEnds(true, last))
		result, err := s.run(batchInput())
		require.NoError(t, err)
		require.Equal(t, want, result.Status)
		got := BatchProgress{Completed: result.Completed, Failed: result.Failed, Cancelled: result.Cancelled}
		require.Equal(t, last, got)
		require.Equal(t, 10, result.Total)
		require.Len(t, s.runs, 2)
		require.Equal(t, s.runs[0], s.runs[1])
		in := s.runs[0]
		require.Equal(t, 3, in.Concurrency)
		require.Equal(t, 1, in.Attempt)
		var task AgentTaskInput
		require.NoError(t, json.Unmarshal(in.Task, &task))
		require.Equal(t, batchInput().Task, task, "the task arrives as it was given")
	}
}

func TestAnInputOfABatchThatBreaksARuleRunsNothing(t *testing.T) {
	for name, change := range map[string]func(*BatchInput){
		"an id with a dot":      func(in *BatchInput) { in.Batch.ID = "a.b" },
		"a digest with a slash": func(in *BatchInput) { in.Batch.Digest = "../../../etc" },
		"no items":              func(in *BatchInput) { in.Total = 0 },
		"none at a time":        func(in *BatchInput) { in.Concurrency = 0 },
		"a prompt for all":      func(in *BatchInput) { in.Task.Prompt = "x" },
		"no connection":         func(in *BatchInput) { in.Task.Connection = "" },
	} {
		t.Run(name, func(t *testing.T) {
			s := newBatchStory(t)
			in := batchInput()
			change(&in)
			_, err := s.run(in)
			requireType(t, err, ErrTypeInvalidInput)
			require.Empty(t, s.runs)
		})
	}
}

func TestAPausedBatchDrainsAndStandsStillUntilItIsResumed(t *testing.T) {
	var statuses []Status
	seen := func(out any, err error) {
		require.NoError(t, err)
		statuses = append(statuses, out.(Status))
	}
	s := newBatchStory(t,
		until(BatchProgress{Completed: 2, Open: 3}, func(s *batchStory) { s.update(UpdatePause, seen) }),
		runEnds(true, BatchProgress{Completed: 5}),
		runEnds(true, BatchProgress{Completed: 10}),
	)
	s.env.RegisterDelayedCallback(func() {
		value, err := s.env.QueryWorkflow(QueryState)
		require.NoError(t, err)
		var state BatchState
		require.NoError(t, value.Get(&state))
		require.Equal(t, StatusPaused, state.Status)
		require.Equal(t, 5, state.Progress.Completed)
		require.Len(t, s.runs, 2, "a week long it asks for nothing")
		s.update(UpdateResume, seen)
	}, 7*24*time.Hour)

	result, err := s.run(batchInput())

	require.NoError(t, err)
	require.Equal(t, StatusCompleted, result.Status)
	require.Equal(t, []activities.BatchMode{activities.BatchRun, activities.BatchDrain, activities.BatchRun}, s.modes())
	require.Equal(t, []Status{StatusPaused, StatusRunning}, statuses)
}

func TestAnotherConcurrencyTakesEffectAtOnce(t *testing.T) {
	s := newBatchStory(t,
		until(BatchProgress{}, func(s *batchStory) {
			s.update(UpdateConcurrency, func(out any, err error) {
				require.NoError(t, err)
				require.Equal(t, 8, out)
				require.Len(t, s.runs, 1, "told once the next run goes by it")
			}, 8)
		}),
		until(BatchProgress{}, func(s *batchStory) {
			s.update(UpdateConcurrency, func(_ any, err error) { require.ErrorContains(t, err, "1 to 1000 tasks open at once, not 0") }, 0)
			s.update(UpdateConcurrency, func(_ any, err error) { require.NoError(t, err) }, 2)
		}),
		runEnds(true, BatchProgress{Completed: 10}),
	)
	_, err := s.run(batchInput())
	require.NoError(t, err)
	require.Equal(t, []int{3, 8, 2}, []int{s.runs[0].Concurrency, s.runs[1].Concurrency, s.runs[2].Concurrency})
	require.Equal(t, []int{3, 8, 8}, []int{s.runs[0].Window, s.runs[1].Window, s.runs[2].Window}, "what was started in a wider window is found")
}

func TestACancelledBatchStopsItsTasksAndCountsTheRestAsCancelled(t *testing.T) {
	s := newBatchStory(t,
		until(BatchProgress{Completed: 2, Open: 3}, func(s *batchStory) { s.env.CancelWorkflow() }),
		runEnds(false, BatchProgress{Completed: 3, Cancelled: 1, Open: 1}),
		runEnds(true, BatchProgress{Completed: 3, Failed: 1, Cancelled: 1}),
	)
	_, err := s.run(batchInput())
	var canceled *temporal.CanceledError
	require.ErrorAs(t, err, &canceled)
	var result BatchResult
	require.NoError(t, canceled.Details(&result))
	require.Equal(t, StatusCancelled, result.Status)
	require.Equal(t, []int{3, 1, 6}, []int{result.Completed, result.Failed, result.Cancelled})
	require.Equal(t, []activities.BatchMode{activities.BatchRun, activities.BatchStop, activities.BatchStop}, s.modes())
}

func TestACancelReachesAPausedBatch(t *testing.T) {
	s := newBatchStory(t,
		until(BatchProgress{}, func(s *batchStory) { s.update(UpdatePause, func(any, error) {}) }),
		runEnds(true, BatchProgress{Completed: 2}),
		runEnds(true, BatchProgress{Completed: 3}),
	)
	s.env.RegisterDelayedCallback(func() { s.env.CancelWorkflow() }, time.Hour)
	s.env.RegisterDelayedCallback(func() {
		s.update(UpdateResume, func(_ any, err error) { require.Error(t, err) })
	}, time.Hour+time.Millisecond)
	_, err := s.run(batchInput())
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	require.Equal(t, []activities.BatchMode{activities.BatchRun, activities.BatchDrain, activities.BatchStop}, s.modes())
}

func TestABatchGoesOnInANewRunWithAllThatItKnows(t *testing.T) {
	s := newBatchStory(t,
		until(BatchProgress{}, func(s *batchStory) {
			s.update(UpdateConcurrency, func(_ any, err error) { require.NoError(t, err) }, 7)
		}),
		runEnds(false, BatchProgress{Completed: 4, Open: 3}),
	)
	s.env.SetContinueAsNewSuggested(false)
	first := s.play[1]
	s.play[1] = func(ctx context.Context, s *batchStory) (activities.RunItemsOutput, error) {
		s.env.SetContinueAsNewSuggested(true)
		return first(ctx, s)
	}
	_, err := s.run(batchInput())
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next)
	var in BatchInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	require.Equal(t, 7, in.Carried.Concurrency)
	require.Equal(t, 4, in.Carried.Progress.Completed)

	again := newBatchStory(t, runEnds(true, BatchProgress{Completed: 10}))
	result, err := again.run(in)
	require.NoError(t, err)
	require.Equal(t, StatusCompleted, result.Status)
	require.Equal(t, 7, again.runs[0].Concurrency)
	require.WithinDuration(t, in.Carried.StartedAt, result.StartedAt, 0)
}

func TestALaterAttemptIsAtWhatIsToBeRunAgain(t *testing.T) {
	in := batchInput()
	in.Attempt, in.Again, in.FirstStartedAt = 2, []ItemState{ItemFailed}, time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
	s := newBatchStory(t, runEnds(true, BatchProgress{Completed: 10}))
	result, err := s.run(in)
	require.NoError(t, err)
	require.Equal(t, 2, s.runs[0].Attempt)
	require.Equal(t, in.Again, s.runs[0].Again)
	require.Equal(t, in.FirstStartedAt, result.StartedAt)

	require.True(t, in.Runs(ItemFailed))
	require.False(t, in.Runs(ItemCompleted))
	require.False(t, in.Runs(""), "what was never started counts as cancelled")
	in.Again = []ItemState{ItemCancelled}
	require.True(t, in.Runs(""))
	require.False(t, in.Runs(ItemFailed))
}
