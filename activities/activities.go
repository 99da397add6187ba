// Package activities holds the side effects of an agent task, one activity for
// each call to a vendor. It is the only place where a vendor's error becomes a
// Temporal error.
//
// Every activity may run again after its first run took effect: a worker can
// die between the call and its record. Each says in its comment why that is
// harmless.
package activities

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/errand-dev/errand/provider"
)

// Connections finds the provider behind the name of a connection. The keys
// stay with the worker: a payload names a connection, never a key.
type Connections interface {
	Provider(connection string) (provider.Provider, error)
}

// Transcripts keeps what sessions say, for the time after their deletion. The
// same entry may be written more than once, with the same id.
type Transcripts interface {
	Append(taskID string, entries []provider.Entry) error
}

// Activities are the activities of one worker.
type Activities struct {
	Connections Connections
	Transcripts Transcripts // nil: nothing is kept
	Ledger      Ledger      // nil: what a dead worker created is not found again
	Temporal    Temporal    // nil: the ledger does not say where its owners are
	Batches     BatchStore  // nil: batches are left to other workers
	Tasks       BatchTasks  // needed with Batches

	Notifications Notifications // nil: targets of alerts are URLs, and nothing is signed
}

// SessionInput names one session.
type SessionInput struct {
	Connection string `json:"connection"`
	SessionID  string `json:"session_id"`
}

// PauseSession stops the agent where it is. Already paused is success.
func (a *Activities) PauseSession(ctx context.Context, in SessionInput) error {
	return a.onSession(ctx, in, provider.Provider.Pause)
}

// ResumeSession lets the agent go on. Already running is success.
func (a *Activities) ResumeSession(ctx context.Context, in SessionInput) error {
	return a.onSession(ctx, in, provider.Provider.Resume)
}

// CancelSession stops the turn under way for good. A session that is idle or
// gone is success.
func (a *Activities) CancelSession(ctx context.Context, in SessionInput) error {
	err := a.onSession(ctx, in, provider.Provider.Cancel)
	if IsType(err, ErrTypeSessionGone) {
		return nil
	}
	return err
}

func (a *Activities) onSession(ctx context.Context, in SessionInput,
	call func(provider.Provider, context.Context, string) error) error {
	p, err := a.Connections.Provider(in.Connection)
	if err != nil {
		return convertError(in.Connection, err)
	}
	err = call(p, ctx, in.SessionID)
	return withFate(convertError(in.Connection, err), fateOf(err))
}

// DeleteSessionInput says which session to delete and what to keep of it.
type DeleteSessionInput struct {
	Connection    string                `json:"connection"`
	SessionID     string                `json:"session_id"`
	Ref           string                `json:"ref,omitempty"` // by which the ledger knows it
	Snapshot      provider.SnapshotMode `json:"snapshot,omitempty"`
	SaveAsDefault bool                  `json:"save_as_default,omitempty"`
}

// DeleteSessionOutput says what became of the session.
type DeleteSessionOutput struct {
	Found bool `json:"found"` // false: it was gone before this activity, or nobody can tell

	// Doubtful: a former try, whose reply was lost, may have deleted it, and
	// kept the snapshot or not.
	Doubtful bool `json:"doubtful,omitempty"`
}

// DeleteSession deletes the session, with a snapshot if asked. A session that
// is gone is success, which makes a second run harmless.
func (a *Activities) DeleteSession(ctx context.Context, in DeleteSessionInput) (DeleteSessionOutput, error) {
	p, err := a.Connections.Provider(in.Connection)
	if err != nil {
		return DeleteSessionOutput{}, convertError(in.Connection, err)
	}
	before := past(ctx, FateNone)
	var d provider.Deletion
	err = beatDuring(heartbeatInterval(ctx), func() { note(ctx, FateUnheard) }, func() (err error) {
		d, err = p.Delete(ctx, in.SessionID, provider.DeleteRequest{Snapshot: in.Snapshot, SaveAsDefault: in.SaveAsDefault})
		return err
	})
	switch fate := fateOf(err); {
	case err == nil && d.Found:
		note(ctx, FateDone)
	case fate == FateNone:
		note(ctx, before) // an earlier try may still be why the next finds nothing
	default:
		note(ctx, fate)
	}
	if errors.Is(err, provider.ErrUnsupported) { // so nobody can ever delete it
		a.strike(ctx, in)
	}
	if err != nil {
		return DeleteSessionOutput{}, withFate(convertError(in.Connection, err), fateOf(err))
	}
	a.strike(ctx, in)
	found := d.Found || before == FateDone
	return DeleteSessionOutput{Found: found, Doubtful: !found && before != FateNone}, nil
}

// strike removes a session that is gone from the ledger.
func (a *Activities) strike(ctx context.Context, in DeleteSessionInput) {
	if in.Ref == "" {
		return
	}
	tries, err := a.ledger().Tries(ctx, in.Connection, in.Ref)
	if err != nil {
		activity.GetLogger(ctx).Warn("session not struck from the ledger", "session", in.SessionID, "error", err)
	}
	for _, e := range tries {
		if e.SessionID == in.SessionID {
			a.forget(ctx, e)
		}
	}
}

// TakeTurnInput names the turn to wait for.
type TakeTurnInput struct {
	TaskID       string             `json:"task_id"`
	Connection   string             `json:"connection"`
	SessionID    string             `json:"session_id"`
	RunID        string             `json:"run_id,omitempty"`       // of the workflow, when the turn began; see deliver
	After        provider.Watermark `json:"after,omitempty"`        // only what is newer counts
	Message      *Message           `json:"message,omitempty"`      // that opens the turn; nil: it is there already
	TurnTimeout  time.Duration      `json:"turn_timeout,omitempty"` // from when the message is there; 0: only the deadline counts
	Deadline     time.Time          `json:"deadline,omitzero"`      // of turn and task; zero: none
	StallTimeout time.Duration      `json:"stall_timeout,omitempty"`
	StrayPause   bool               `json:"stray_pause,omitempty"`   // a pause that was given up may still come: it is not meant
	ResultSchema json.RawMessage    `json:"result_schema,omitempty"` // JSON Schema of the result; none: anything goes
}

// Message is a message that opens a turn.
type Message struct {
	Text     string `json:"text"`
	StartURL string `json:"start_url,omitempty"`
	Number   int    `json:"number,omitempty"`   // of the message within the task, from 1; 0: a workflow of before there were numbers
	ReplyTo  string `json:"reply_to,omitempty"` // see [provider.Message]
	Before   Fate   `json:"before,omitempty"`   // of a try that was made in another activity
}

// Turn is how a turn ended.
type Turn struct {
	Outcome provider.OutcomeKind `json:"outcome"`
	Text    string               `json:"text,omitempty"`   // the question, or the agent's own error
	Result  json.RawMessage      `json:"result,omitempty"` // of a finished turn
	Cursor  provider.Watermark   `json:"cursor"`           // behind all that the turn said

	ReplyTo string `json:"reply_to,omitempty"` // of a question: what its answer must name
}

// TakeTurn sends the message that opens a turn, if it is not there yet, and
// waits until the agent has finished, asks or has failed. The message and its
// watermark stand in history before; see deliver for what makes a second run
// harmless. Waiting only reads: the heartbeat carries the cursor from which the
// next run reads on.
func (a *Activities) TakeTurn(ctx context.Context, in TakeTurnInput) (Turn, error) {
	p, err := a.Connections.Provider(in.Connection)
	if err != nil {
		return Turn{}, convertError(in.Connection, err)
	}
	schema, err := compileSchema(in.ResultSchema)
	if err != nil {
		return Turn{}, finalError(ErrTypeInvalidRequest, "the result schema is not valid JSON Schema: "+err.Error())
	}
	w := newTurnWatch(ctx, a, in)
	turn, err := w.run(ctx, p)
	if err != nil {
		return Turn{}, convertError(in.Connection, err)
	}
	if turn.Outcome == provider.OutcomeFinished {
		if err := checkResult(schema, turn.Result); err != nil {
			return Turn{}, err
		}
	}
	return turn, nil
}
