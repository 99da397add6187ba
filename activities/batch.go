package activities

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"
)

// BatchStore keeps what a batch is made of and what comes of it, outside of
// Temporal: neither items nor results ever are in a payload. All workers and
// clients of a namespace share one store.
type BatchStore interface {
	// Items are the items of a batch in their order, from that index on.
	Items(ctx context.Context, b BatchRef, from int) iter.Seq2[BatchItem, error]
	// Results are all results that were added, in no order. The same may be
	// among them more than once.
	Results(ctx context.Context, b BatchRef) iter.Seq2[ItemResult, error]
	// AddResults adds results.
	AddResults(ctx context.Context, b BatchRef, results []ItemResult) error
	// Outcomes are the items of a batch in their order, each with its latest
	// result.
	Outcomes(ctx context.Context, b BatchRef) iter.Seq2[ItemOutcome, error]
	// SetProgress replaces what is known of how far the batch has come.
	SetProgress(ctx context.Context, b BatchRef, p BatchProgress) error
	// Progress is what was set last; zero if nothing was.
	Progress(ctx context.Context, b BatchRef) (BatchProgress, error)
}

// BatchRef names a batch in the store. Batches of the same id but of other
// contents are not the same.
type BatchRef struct {
	ID     string `json:"id"`     // letters, digits, - and _
	Digest string `json:"digest"` // of all that its items are made of: lower-case letters and digits
}

// TaskID is the id of the agent task of an item. A batch's id has no dot and an
// item's name no tilde, so no two are the same.
func (b BatchRef) TaskID(name string, attempt int) string {
	id := b.ID + "." + name
	if attempt > 1 {
		id += fmt.Sprintf("~%d", attempt)
	}
	return id
}

// BatchItem is one item of a batch, with the texts of its task.
type BatchItem struct {
	Index  int             `json:"index"`
	Key    string          `json:"key"`
	Name   string          `json:"name"` // of its task within the batch, made of the key
	Item   json.RawMessage `json:"item"` // a JSON object
	Prompt string          `json:"prompt"`
	URL    string          `json:"url,omitempty"`
}

// ItemOutcome is an item and what has come of it.
type ItemOutcome struct {
	BatchItem
	Latest *ItemResult // of the latest attempt that has ended; nil: none has
}

// ItemState is what an item of a batch has come to.
type ItemState string

// The states of an item.
const (
	ItemPending   ItemState = "pending" // not started, or to be started again
	ItemRunning   ItemState = "running"
	ItemWaiting   ItemState = "waiting" // for a person's answer
	ItemCompleted ItemState = "completed"
	ItemFailed    ItemState = "failed"
	ItemCancelled ItemState = "cancelled"
)

// ItemResult is what came of one attempt at an item.
type ItemResult struct {
	Index      int             `json:"index"`
	Key        string          `json:"key"`
	Attempt    int             `json:"attempt"` // from 1
	State      ItemState       `json:"state"`   // completed, failed or cancelled
	Result     json.RawMessage `json:"result,omitempty"`
	Error      *ItemError      `json:"error,omitempty"`
	TaskID     string          `json:"task_id"`
	SessionID  string          `json:"session_id,omitempty"`
	StartedAt  time.Time       `json:"started_at,omitzero"`
	FinishedAt time.Time       `json:"finished_at,omitzero"`
}

// ItemError is why an item has no result, in the types of its task.
type ItemError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// BatchProgress is how far a batch has come. What it does not count is pending.
type BatchProgress struct {
	Attempt   int       `json:"attempt"`
	Completed int       `json:"completed"`
	Failed    int       `json:"failed"`
	Cancelled int       `json:"cancelled"`
	Open      int       `json:"open"` // tasks that are under way
	At        time.Time `json:"at,omitzero"`
}

// count counts an item of that state, n times.
func (p *BatchProgress) count(s ItemState, n int) {
	switch s {
	case ItemCompleted:
		p.Completed += n
	case ItemFailed:
		p.Failed += n
	case ItemCancelled:
		p.Cancelled += n
	}
}

// BatchTasks starts the agent tasks of batches and waits for them. An error of
// its methods is of the way to Temporal: calling again may help.
type BatchTasks interface {
	// Start starts the task, or finds it open or closed.
	Start(ctx context.Context, t ItemTask) error
	// Known reports whether the task was started.
	Known(ctx context.Context, t ItemTask) (bool, error)
	// Await waits until the task has closed. It fills in all of the result that
	// is not of the item.
	Await(ctx context.Context, t ItemTask) (ItemResult, error)
	// Cancel asks the task to end. One that has ended is success.
	Cancel(ctx context.Context, t ItemTask) error
}

// ItemTask is the agent task of an item.
type ItemTask struct {
	Batch  string
	TaskID string
	Prompt string
	URL    string
	Common json.RawMessage // what the tasks of the batch have in common, as JSON of the task's input
}

// BatchMode is what a run over the items of a batch is for.
type BatchMode string

// The modes.
const (
	BatchRun   BatchMode = "run"   // start what is not started, wait for all
	BatchDrain BatchMode = "drain" // start nothing, wait for what is open
	BatchStop  BatchMode = "stop"  // start nothing, cancel what is open and wait for it
)

// RunItemsInput says which items to run and how. It holds nothing of any item.
type RunItemsInput struct {
	Batch       BatchRef        `json:"batch"`
	Mode        BatchMode       `json:"mode"`
	Total       int             `json:"total"`
	Concurrency int             `json:"concurrency"`
	Window      int             `json:"window"`          // the most that the concurrency of this attempt has been
	Attempt     int             `json:"attempt"`         // from 1
	Again       []ItemState     `json:"again,omitempty"` // from the second attempt on: what is run again
	Task        json.RawMessage `json:"task"`            // ItemTask.Common
	Shift       time.Duration   `json:"shift"`           // hand back after so long
}

// IsRunAgain reports whether an attempt is at an item that former attempts have
// left in that state; empty: with no result, as those that a cancelled batch
// never started.
func IsRunAgain(attempt int, again []ItemState, before ItemState) bool {
	return attempt <= 1 || slices.Contains(again, cmp.Or(before, ItemCancelled))
}

// RunItemsOutput is how far the batch has come.
type RunItemsOutput struct {
	Progress BatchProgress `json:"progress"`
	Done     bool          `json:"done"` // there is nothing left to do in this mode
}

// RunItems keeps a window of the batch's tasks open: as soon as one closes, the
// next starts. What came of each is added to the store before it counts, and a
// task's id is its item's, so a later run finds what a former one has started,
// and gives no item a second task or a second result.
func (a *Activities) RunItems(ctx context.Context, in RunItemsInput) (RunItemsOutput, error) {
	if a.Batches == nil || a.Tasks == nil {
		return RunItemsOutput{}, retryableError(ErrTypeUnavailable, "this worker has no store of batches", 0)
	}
	r, err := a.newItemRun(ctx, in)
	if err != nil {
		return RunItemsOutput{}, storeError(err)
	}
	return r.run(ctx)
}

// storeError is tried again, perhaps by a worker that can reach the store.
func storeError(err error) error {
	return retryableError(ErrTypeUnavailable, fmt.Sprintf("the store of batches cannot be used: %s", err), 0)
}
