package activities

import (
	"context"
	"time"

	"github.com/errand-dev/errand/provider"
)

// Ledger remembers, outside of Temporal, which sessions are Errand's: an entry
// stands before a create is sent, and until the session is deleted. It is what
// the reaper goes by when a workflow can no longer tell, because it was
// terminated, reset or removed.
//
// All workers of a connection share one ledger. Nobody but the try that began
// an entry changes it, except to forget it.
type Ledger interface {
	// Put writes an entry, new or changed. The create is not sent before it has.
	Put(ctx context.Context, e LedgerEntry) error
	// Tries returns the entries of one session that is wanted, in no order.
	Tries(ctx context.Context, connection, ref string) ([]LedgerEntry, error)
	// Entries returns all entries of a connection, in no order.
	Entries(ctx context.Context, connection string) ([]LedgerEntry, error)
	// Forget removes an entry. One that is not there is success.
	Forget(ctx context.Context, e LedgerEntry) error
}

// LedgerEntry is one try to create a session. Without a SessionID no reply has
// told what came of it.
type LedgerEntry struct {
	Connection string `json:"connection"`
	Ref        string `json:"ref"` // of the session that is wanted: the same for all tries
	Try        string `json:"try"` // unique
	Agent      string `json:"agent,omitempty"`
	Owner      Owner  `json:"owner"`

	Snapshot provider.SnapshotMode `json:"snapshot,omitempty"` // to keep when the reaper deletes the session

	At     time.Time `json:"at"`               // before the create was sent
	LostAt time.Time `json:"lost_at,omitzero"` // when no reply was waited for any more

	SessionID string `json:"session_id,omitempty"`
	ViewURL   string `json:"view_url,omitempty"`

	EnvironmentID string `json:"environment_id,omitempty"` // see [provider.Session]
}

// Temporal tells activities what they cannot know of themselves. An answer that
// may be incomplete or out of date is an error.
type Temporal interface {
	// Home is where the workflows of this worker are.
	Home(ctx context.Context) (Home, error)
	// Gone reports whether a namespace of the same cluster has been deleted.
	Gone(ctx context.Context, h Home) (bool, error)
	// OpenRun returns the first run of a workflow that is open, else nothing.
	OpenRun(ctx context.Context, workflowID string) (firstRunID string, err error)
	// OpenTasks returns the workflow ids of the open agent tasks of a connection.
	OpenTasks(ctx context.Context, connection string) ([]string, error)
	// Holds returns the session that an open agent task works with, nothing if it
	// has none now, by its own word.
	Holds(ctx context.Context, workflowID string) (sessionID string, err error)
}

// Home is a Temporal namespace, by ids that no other cluster or namespace has
// or gets.
type Home struct {
	Cluster   string `json:"cluster,omitempty"`   // empty: the cluster does not tell
	Namespace string `json:"namespace,omitempty"` // the id, not the name
}

// Owner is the workflow that a session was made for.
type Owner struct {
	Home
	WorkflowID string `json:"workflow_id"`
	FirstRunID string `json:"first_run_id"` // the same through continue-as-new, reset and retry
}

// noLedger is the ledger of a worker that has none.
type noLedger struct{}

func (noLedger) Put(context.Context, LedgerEntry) error { return nil }
func (noLedger) Tries(context.Context, string, string) ([]LedgerEntry, error) {
	return nil, nil
}
func (noLedger) Entries(context.Context, string) ([]LedgerEntry, error) { return nil, nil }
func (noLedger) Forget(context.Context, LedgerEntry) error              { return nil }

func (a *Activities) ledger() Ledger {
	if a.Ledger == nil {
		return noLedger{}
	}
	return a.Ledger
}
