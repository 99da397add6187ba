// Package provider is the neutral contract between agent tasks and the
// companies that sell agent sessions. Every vendor is adapted to it in one
// file; workflows and activities know this contract and no vendor.
//
// Two rules of the contract come from what the vendors have in common:
//
//   - The outcome of a turn is read from what the session said after a
//     [Watermark], never from the state of the session alone: right after a
//     send the state may still be that of the turn before.
//   - Reading is the truth, an event stream only says that reading is worth
//     while now. A stream that is missing, ends or lies changes nothing.
package provider

import (
	"context"
	"encoding/json"
	"time"
)

// Provider is one account at one vendor. Its methods are safe for concurrent
// use, do not retry, and return a [*Error] for whatever the vendor refused.
type Provider interface {
	// Capabilities says what this vendor can do at all.
	Capabilities() Capabilities

	// Create makes a session. No work starts before the first Send.
	Create(ctx context.Context, in CreateRequest) (Session, error)

	// Sessions lists the sessions that the vendor still knows, all of them or
	// none: a list that may be incomplete is an error.
	Sessions(ctx context.Context) (Listing, error)

	// Send gives the session a message: a goal, an answer or a follow-up.
	// It does not look whether the message is there already; see Find.
	Send(ctx context.Context, sessionID string, m Message) error

	// Find reports whether m has reached the session after the watermark, as
	// far as the session says now. It is what makes a repeated send harmless.
	Find(ctx context.Context, sessionID string, m Message, after Watermark) (Arrival, error)

	// Read returns what the session said after the watermark, and the outcome
	// of the turn if that is among it. Reading twice is harmless.
	Read(ctx context.Context, sessionID string, after Watermark) (Progress, error)

	// Watch keeps the vendor's event stream open and returns when it ends. It
	// calls wake once the stream is open, and whenever the session said
	// something of the given types, or anything if none is given. Vendors
	// without Capabilities.Stream return ErrUnsupported.
	Watch(ctx context.Context, sessionID string, wake func(), types ...EntryType) error

	// Pause, Resume and Cancel act on the turn under way. "Already so" is
	// success. ErrUnsupported where the vendor has no such call.
	Pause(ctx context.Context, sessionID string) error
	Resume(ctx context.Context, sessionID string) error
	Cancel(ctx context.Context, sessionID string) error

	// Delete ends the session and, if asked, keeps a snapshot of it. A session
	// that is gone already is success, with Deletion.Found false.
	Delete(ctx context.Context, sessionID string, in DeleteRequest) (Deletion, error)
}

// Capabilities are the vendor's own, not the account's.
type Capabilities struct {
	Stream     bool // Watch works
	Pause      bool // Pause and Resume work
	Cancel     bool // Cancel works
	Delete     bool // Delete works; if not, the session remains at the vendor
	Snapshot   bool // Delete can keep a snapshot, Create can restore one
	ClientRef  bool // Create carries CreateRequest.ClientRef to where Sessions shows it
	NeedsAgent bool // Create takes no request that names none
	StartURL   bool // Send takes Message.StartURL apart; if not, it goes with the text

	Options []Option // those that Create takes

	PollInterval time.Duration // how often to read while there is no stream
	PollAtMost   time.Duration // how far that grows while nothing is new; 0: it does not

	// SettleTime is how long after a lost reply its call may still take effect.
	SettleTime time.Duration
}

// Watermark is the vendor's own cursor into a session (message id, event id,
// sequence), opaque to everyone but its adapter. The zero value stands before
// the first message.
type Watermark string

// CreateRequest describes the session to make.
type CreateRequest struct {
	Agent string // AGI: agent_name, Everruns: agent_id, Agen: model; empty: the vendor's default

	RestoreSession     string // id of a session whose snapshot is restored
	RestoreDefaultUser string // user whose default environment is restored

	ClientRef string // our own name for the session, where the vendor carries one

	Options SessionOptions // only those of Capabilities.Options
}

// Session is a session as the vendor describes it.
type Session struct {
	ID        string
	Agent     string
	State     State
	RawState  string    // the vendor's own word
	ViewURL   string    // where a person can watch it; may be empty
	CreatedAt time.Time // by the vendor's clock; zero if it does not say
	ClientRef string    // of its create, where the vendor carries one

	// EnvironmentID is what a restored session has in common with the one that
	// the snapshot is of; empty where the vendor does not say.
	EnvironmentID string
}

// Listing is all sessions of an account at one moment.
type Listing struct {
	Sessions []Session
	At       time.Time // by the vendor's clock; zero if it does not say
}

// Arrival says whether a message has reached its session.
type Arrival string

// The arrivals. Missing is what the session says now: a request that is still
// under way may change it.
const (
	Arrived  Arrival = "arrived"
	Missing  Arrival = "missing"
	Doubtful Arrival = "doubtful" // the session does not tell
)

// Message is one message from us to the session.
type Message struct {
	Text     string
	StartURL string // page to begin with

	// Key is our own name for the message within its session, the same for
	// every try to send it; empty: it has none.
	Key string

	// ReplyTo is Outcome.ReplyTo of the question that the message answers.
	ReplyTo string
}

// State is the vendor's state of a session, brought to common words.
type State string

// The common states. An unknown vendor word becomes StateUnknown, which is
// never terminal.
const (
	StateStarting State = "starting"
	StateIdle     State = "idle"
	StateWorking  State = "working"
	StateWaiting  State = "waiting" // for an answer
	StatePaused   State = "paused"
	StateFailed   State = "failed"
	StateGone     State = "gone"
	StateUnknown  State = "unknown"
)

// Progress is the result of one Read.
type Progress struct {
	State    State
	RawState string
	Entries  []Entry   // oldest first
	Cursor   Watermark // where to read on: behind what is settled, at least the one given
	Outcome  *Outcome  // nil while the turn goes on

	// Unsettled says that the state and the entries do not agree yet: the turn
	// may have ended. Reading again soon will tell. An entry that may be the
	// outcome stays ahead of Cursor, so it and what follows are read again.
	Unsettled bool
}

// Entry is one thing the session said.
type Entry struct {
	ID      string
	Type    EntryType
	Text    string
	Content json.RawMessage // as the vendor sent it
	At      time.Time
}

// EntryType says what an entry is.
type EntryType string

// The types of entries, which are also those of the watch command.
const (
	EntryThought  EntryType = "thought"
	EntryQuestion EntryType = "question"
	EntryUser     EntryType = "user"
	EntryDone     EntryType = "done"
	EntryError    EntryType = "error"
	EntryLog      EntryType = "log"
)

// Outcome is how a turn ended.
type Outcome struct {
	Kind   OutcomeKind
	Text   string          // the result as text, the question, or the agent's own error
	Result json.RawMessage // of a finished turn: any JSON value
	ID     string          // the vendor's id of the entry that decided

	// ReplyTo is what an answer must name, at vendors that want it named. It is
	// opaque to everyone but the adapter.
	ReplyTo string
}

// OutcomeKind is the way a turn ended.
type OutcomeKind string

// The ways a turn ends.
const (
	OutcomeFinished OutcomeKind = "finished"
	OutcomeQuestion OutcomeKind = "question"
	OutcomeFailed   OutcomeKind = "failed"
)

// SnapshotMode is what a vendor keeps of a deleted session.
type SnapshotMode string

// The snapshot modes.
const (
	SnapshotNone       SnapshotMode = "none"
	SnapshotMemory     SnapshotMode = "memory"
	SnapshotFilesystem SnapshotMode = "filesystem"
)

// DeleteRequest says what to keep of a session.
type DeleteRequest struct {
	Snapshot      SnapshotMode // empty means none
	SaveAsDefault bool         // make it the user's default environment
}

// Deletion is what came of a Delete.
type Deletion struct {
	Found bool // false: the vendor did not know the session any more
}
