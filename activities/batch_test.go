package activities

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
)

// memoryStore is a store of one batch.
type memoryStore struct {
	BatchStore
	mu       sync.Mutex
	items    int
	results  []ItemResult
	progress BatchProgress
	full     bool // nothing can be added
}

func (s *memoryStore) Items(_ context.Context, _ BatchRef, from int) iter.Seq2[BatchItem, error] {
	return func(yield func(BatchItem, error) bool) {
		for i := from; i < s.items; i++ {
			if !yield(BatchItem{Index: i, Key: fmt.Sprint(i), Name: fmt.Sprint(i), Prompt: "x"}, nil) {
				return
			}
		}
	}
}

func (s *memoryStore) Results(context.Context, BatchRef) iter.Seq2[ItemResult, error] {
	return func(yield func(ItemResult, error) bool) {
		for _, r := range s.results {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (s *memoryStore) AddResults(_ context.Context, _ BatchRef, results []ItemResult) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return errors.New("no space left")
	}
	s.results = append(s.results, results...)
	return nil
}

func (s *memoryStore) SetProgress(_ context.Context, _ BatchRef, p BatchProgress) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = p
	return nil
}

// fakeTasks are tasks that take a moment.
type fakeTasks struct {
	mu              sync.Mutex
	started, closed map[string]int
	cancelled       map[string]bool
	open, peak      int
	hang            bool // tasks do not end
}

func newFakeTasks(known ...string) *fakeTasks {
	f := &fakeTasks{started: map[string]int{}, closed: map[string]int{}, cancelled: map[string]bool{}}
	for _, id := range known {
		f.started[id] = 1
	}
	return f
}

func (f *fakeTasks) Start(_ context.Context, t ItemTask) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started[t.TaskID]++
	f.open++
	f.peak = max(f.peak, f.open)
	return nil
}

func (f *fakeTasks) Known(_ context.Context, t ItemTask) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started[t.TaskID] > 0, nil
}

func (f *fakeTasks) Cancel(_ context.Context, t ItemTask) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancelled[t.TaskID] = true
	return nil
}

func (f *fakeTasks) Await(ctx context.Context, t ItemTask) (ItemResult, error) {
	if f.hang {
		<-ctx.Done()
		return ItemResult{}, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
	f.closed[t.TaskID]++
	if f.cancelled[t.TaskID] {
		return ItemResult{State: ItemCancelled}, nil
	}
	return ItemResult{State: ItemCompleted}, nil
}

func runItems(t *testing.T, store *memoryStore, tasks *fakeTasks, in RunItemsInput) (RunItemsOutput, error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(&Activities{Batches: store, Tasks: tasks})
	in.Batch, in.Total = BatchRef{ID: "b", Digest: "01234567"}, store.items
	if in.Shift == 0 {
		in.Shift = time.Minute
	}
	if in.Attempt == 0 {
		in.Attempt = 1
	}
	var a *Activities
	value, err := env.ExecuteActivity(a.RunItems, in)
	var out RunItemsOutput
	if err == nil {
		require.NoError(t, value.Get(&out))
	}
	return out, err
}

func TestEachItemIsStartedOnceWithinTheWindow(t *testing.T) {
	store, tasks := &memoryStore{items: 700}, newFakeTasks()
	store.results = []ItemResult{{Index: 3, Attempt: 1, State: ItemFailed}, {Index: 3, Attempt: 1, State: ItemFailed}, {Index: 5, Attempt: 1, State: ItemCompleted}}

	out, err := runItems(t, store, tasks, RunItemsInput{Mode: BatchRun, Concurrency: 7, Window: 7})

	require.NoError(t, err)
	require.True(t, out.Done)
	require.Equal(t, []int{699, 1, 0}, []int{out.Progress.Completed, out.Progress.Failed, out.Progress.Open})
	require.Len(t, tasks.started, 698, "what has a result is left alone")
	require.LessOrEqual(t, tasks.peak, 7)
	require.Len(t, store.results, 3+698)
	require.Equal(t, out.Progress.Completed, store.progress.Completed)
	for id, n := range tasks.started {
		require.Equal(t, 1, n, id)
	}
}

func TestADrainStartsNothingAndFindsAllThatIsOpen(t *testing.T) {
	store, tasks := &memoryStore{items: 5000}, newFakeTasks("b.2", "b.9", "b.11")
	out, err := runItems(t, store, tasks, RunItemsInput{Mode: BatchDrain, Concurrency: 1, Window: 10})
	require.NoError(t, err)
	require.True(t, out.Done)
	require.Equal(t, 3, out.Progress.Completed)
	require.Len(t, tasks.started, 3)
	require.Equal(t, map[string]int{"b.2": 1, "b.9": 1, "b.11": 1}, tasks.closed)
	require.Empty(t, tasks.cancelled)
}

func TestAStopCancelsWhatIsOpen(t *testing.T) {
	store, tasks := &memoryStore{items: 100}, newFakeTasks("b.0", "b.1")
	out, err := runItems(t, store, tasks, RunItemsInput{Mode: BatchStop, Concurrency: 2, Window: 2})
	require.NoError(t, err)
	require.Equal(t, 2, out.Progress.Cancelled)
	require.Equal(t, map[string]bool{"b.0": true, "b.1": true}, tasks.cancelled)
}

func TestALaterAttemptHasTasksOfItsOwn(t *testing.T) {
	store, tasks := &memoryStore{items: 4}, newFakeTasks()
	store.results = []ItemResult{
		{Index: 0, Attempt: 1, State: ItemCompleted}, {Index: 1, Attempt: 1, State: ItemFailed}, {Index: 2, Attempt: 1, State: ItemCancelled},
	}
	out, err := runItems(t, store, tasks, RunItemsInput{Mode: BatchRun, Concurrency: 2, Window: 2, Attempt: 2, Again: []ItemState{ItemFailed}})
	require.NoError(t, err)
	require.Equal(t, map[string]int{"b.1~2": 1}, tasks.started)
	require.Equal(t, []int{2, 0, 2}, []int{out.Progress.Completed, out.Progress.Failed, out.Progress.Cancelled})
}

func TestAShiftHandsBackWithWhatIsOpen(t *testing.T) {
	store, tasks := &memoryStore{items: 50}, newFakeTasks()
	tasks.hang = true
	out, err := runItems(t, store, tasks, RunItemsInput{Mode: BatchRun, Concurrency: 4, Window: 4, Shift: 100 * time.Millisecond})
	require.NoError(t, err)
	require.False(t, out.Done)
	require.Equal(t, 4, out.Progress.Open)
}

func TestAStoreThatCannotBeWrittenFailsTheRunAndNoItem(t *testing.T) {
	store, tasks := &memoryStore{items: 300, full: true}, newFakeTasks()
	_, err := runItems(t, store, tasks, RunItemsInput{Mode: BatchRun, Concurrency: 4, Window: 4})
	require.True(t, IsType(err, ErrTypeUnavailable), "%v", err)
	require.ErrorContains(t, err, "the store of batches cannot be used: no space left")
	require.Empty(t, store.results)
}

func TestItemsThatTheStoreLacksFailTheRun(t *testing.T) {
	store, tasks := &memoryStore{items: 3}, newFakeTasks()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(&Activities{Batches: store, Tasks: tasks})
	var a *Activities
	_, err := env.ExecuteActivity(a.RunItems, RunItemsInput{Mode: BatchRun, Total: 5, Concurrency: 1, Window: 1, Attempt: 1, Shift: time.Minute})
	require.ErrorContains(t, err, "2 items are missing in it")
}
