package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/errand-dev/errand/activities"
)

// Names by which the world outside reaches a batch, beside those that it shares
// with agent tasks: the query QueryState (→ BatchState) and the updates
// UpdatePause and UpdateResume (→ Status).
const (
	BatchType = "Batch" // workflow type

	UpdateConcurrency = "concurrency" // int → int
)

// BatchWorkflowID is the workflow id of the batch with that id.
func BatchWorkflowID(batchID string) string { return batchPrefix + batchID }

// BatchIDOf is the inverse of BatchWorkflowID.
func BatchIDOf(workflowID string) string { return strings.TrimPrefix(workflowID, batchPrefix) }

const batchPrefix = "batch-"

type (
	// BatchStore is where items and results are.
	BatchStore = activities.BatchStore
	// BatchRef names a batch in the store.
	BatchRef = activities.BatchRef
	// BatchItem is one item of a batch, with the texts of its task.
	BatchItem = activities.BatchItem
	// BatchProgress is how far a batch has come.
	BatchProgress = activities.BatchProgress
	// ItemOutcome is an item and what has come of it.
	ItemOutcome = activities.ItemOutcome
	// ItemResult is what came of one attempt at an item.
	ItemResult = activities.ItemResult
	// ItemError is why an item has no result.
	ItemError = activities.ItemError
	// ItemState is what an item has come to.
	ItemState = activities.ItemState
)

// The states of an item.
const (
	ItemPending   = activities.ItemPending
	ItemRunning   = activities.ItemRunning
	ItemWaiting   = activities.ItemWaiting
	ItemCompleted = activities.ItemCompleted
	ItemFailed    = activities.ItemFailed
	ItemCancelled = activities.ItemCancelled
)

// MaxConcurrency is the most tasks of a batch that may be open at once: a
// Temporal server holds only so many waits for their ends.
const MaxConcurrency = 1000

// MaxBatchID is the longest id of a batch, in bytes.
const MaxBatchID = 64

// DefaultBatchHeartbeat is how long a dead worker's batch may stand still, and
// how late a pause may be noticed.
const DefaultBatchHeartbeat = 30 * time.Second

// BatchInput is many agent tasks, whose items are in the store of batches: a
// payload never holds one.
type BatchInput struct {
	Batch       BatchRef `json:"batch"`
	Total       int      `json:"total"`
	Concurrency int      `json:"concurrency"`

	// Task is what the tasks of all items have in common: without TaskID, Prompt
	// and StartURL.
	Task AgentTaskInput `json:"task"`

	HeartbeatTimeout time.Duration `json:"heartbeat_timeout,omitempty"` // 0: DefaultBatchHeartbeat

	// Attempt counts the runs of the batch; 0 is the first. Again says which
	// items a later one is at: those that were left in one of these states, and
	// for ItemCancelled also those that were never started.
	Attempt int         `json:"attempt,omitempty"`
	Again   []ItemState `json:"again,omitempty"`

	// FirstStartedAt is when the first attempt began; only a retry sets it.
	FirstStartedAt time.Time `json:"first_started_at,omitzero"`

	// Carried is the state of the run before; only continue-as-new sets it.
	Carried *batchState `json:"carried,omitempty"`
}

// Runs reports whether the attempt is at an item that former attempts have left
// in that state; empty: without a result.
func (in BatchInput) Runs(before ItemState) bool {
	return activities.IsRunAgain(in.Attempt, in.Again, before)
}

const (
	lowerDigits  = "abcdefghijklmnopqrstuvwxyz0123456789"
	lettersAnd09 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + lowerDigits
)

// isMadeOf reports whether a text is made of some characters alone.
func isMadeOf(s, characters string) bool { return strings.TrimLeft(s, characters) == "" }

// CheckBatchID reports what is wrong with the id of a batch.
func CheckBatchID(id string) error {
	if id == "" || len(id) > MaxBatchID || !isMadeOf(id, lettersAnd09+"_-") || !isMadeOf(id[:1], lettersAnd09) {
		return fmt.Errorf("a batch id has 1 to %d letters, digits, - and _, and begins with a letter or a digit: %q", MaxBatchID, id)
	}
	return nil
}

// Validate reports the first thing wrong with the input, in words for the
// person who wrote it. The items are not looked at.
func (in BatchInput) Validate() error {
	if err := CheckBatchID(in.Batch.ID); err != nil {
		return err
	}
	if n := len(in.Batch.Digest); n < 8 || n > 64 || !isMadeOf(in.Batch.Digest, lowerDigits) {
		return fmt.Errorf("a batch's digest has 8 to 64 lower-case letters and digits: %q", in.Batch.Digest)
	}
	if in.Total < 1 {
		return fmt.Errorf("the batch has no items")
	}
	if err := CheckConcurrency(in.Concurrency); err != nil {
		return err
	}
	if in.HeartbeatTimeout < 0 {
		return fmt.Errorf("the heartbeat timeout is negative (%s)", in.HeartbeatTimeout)
	}
	if in.Task.TaskID != "" || in.Task.Prompt != "" || in.Task.StartURL != "" || in.Task.Batch != "" {
		return fmt.Errorf("what the tasks of a batch have in common has no task id, prompt, start URL or batch")
	}
	task := in.Task
	task.TaskID, task.Prompt = "x", "x"
	return task.Validate()
}

// CheckConcurrency reports what is wrong with the concurrency of a batch.
func CheckConcurrency(n int) error {
	if n < 1 || n > MaxConcurrency {
		return fmt.Errorf("a batch has 1 to %d tasks open at once, not %d", MaxConcurrency, n)
	}
	return nil
}

// BatchState is the answer of the state query: what the batch is about, and its
// progress as of when its latest run over the items ended. The store knows more.
type BatchState struct {
	Status      Status        `json:"status"` // StatusRunning, StatusPaused, or how it has ended
	Cancelling  bool          `json:"cancelling,omitempty"`
	Concurrency int           `json:"concurrency"`
	Attempt     int           `json:"attempt"`
	Progress    BatchProgress `json:"progress"`
	StartedAt   time.Time     `json:"started_at"`
}

// BatchResult is the account of a batch. One that was cancelled carries it in
// the details of its error.
type BatchResult struct {
	Status     Status    `json:"status"` // completed: all items; failed: not all of them; cancelled
	Total      int       `json:"total"`
	Completed  int       `json:"completed"`
	Failed     int       `json:"failed"`
	Cancelled  int       `json:"cancelled"`
	Attempt    int       `json:"attempt"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
}
