// Package truth is the log of what really happened in a session server, for
// those who check afterwards whether the programs that used it did what they
// say. It is a file of JSON lines, one for each fact, in the order in which
// the facts came about; of the facts of one session none is out of order.
//
// The log is exact whenever the server is killed: what a client has seen is in
// it as soon as the server has started again, each fact once. A line that was
// being written at that moment is cut off then, and readers leave it out. It is
// not synced to disk, so a power cut may cost more.
package truth

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Kind is what a fact is about.
type Kind string

// The kinds of facts, with the fields that they have besides At and Session.
const (
	Started   Kind = "started"   // the server: Start; no Session
	Created   Kind = "created"   // a session: Agent, Owner, RestoredFrom
	Message   Kind = "message"   // accepted from a client: MessageID, Text, As
	Question  Kind = "question"  // of the agent: MessageID, Text
	Done      Kind = "done"      // a task, with a result: MessageID, SHA256, Result
	Failed    Kind = "failed"    // a task, as its agent said: MessageID, Text
	Paused    Kind = "paused"    // the agent, by a client
	Resumed   Kind = "resumed"   // the same
	Cancelled Kind = "cancelled" // a task, by a client
	Snapshot  Kind = "snapshot"  // kept of a session that is being deleted: Mode
	Deleting  Kind = "deleting"  // begun: Mode, By. Without Deleted after it the session is still there
	Deleted   Kind = "deleted"   // a session: Mode, By
	Missed    Kind = "missed"    // a delete of a session that its caller has not: Mode, By
	Fault     Kind = "fault"     // fired: Fault, Operation; a Session if the operation is about one
)

// Role is what a client's message was to the agent.
type Role string

// The roles of messages.
const (
	Goal        Role = "goal"        // of a new task
	Answer      Role = "answer"      // to the question before it
	Information Role = "information" // for an agent at work
	Queued      Role = "queued"      // for later: the agent was at work
)

// The By of Deleting and Deleted: what ended the session.
const (
	ByClient = "client"
	ByAge    = "age"    // it had its time
	ByVanish = "vanish" // the fault
)

// MaxResult is the largest result that stands in the log itself, in bytes of
// JSON. Of a larger one there is the hash alone.
const MaxResult = 4 << 10

// Fact is one line of the log. Which fields it has depends on its kind.
type Fact struct {
	At      time.Time `json:"at"`
	Kind    Kind      `json:"fact"`
	Session string    `json:"session,omitempty"` // id

	Start int `json:"start,omitempty"` // counts the starts of the server from 1

	Agent        string `json:"agent,omitempty"` // the name that the client asked for
	Owner        string `json:"owner,omitempty"` // the user; empty on a server that asks for no key
	RestoredFrom string `json:"restored_from,omitempty"`

	MessageID int             `json:"message_id,omitempty"`
	Text      string          `json:"text,omitempty"`
	As        Role            `json:"as,omitempty"`
	SHA256    string          `json:"sha256,omitempty"` // see Digest
	Result    json.RawMessage `json:"result,omitempty"` // up to MaxResult

	Mode string `json:"mode,omitempty"` // of the snapshot: none, memory or filesystem
	By   string `json:"by,omitempty"`

	Fault     string `json:"fault,omitempty"` // its kind, as in a fault plan
	Operation string `json:"operation,omitempty"`
}

// identity is what makes a fact about a session another one than those before.
type identity struct {
	kind      Kind
	session   string
	messageID int
	at        int64
}

func (f Fact) identity() identity { return identity{f.Kind, f.Session, f.MessageID, f.At.UnixNano()} }

// Digest is the SHA-256 of a JSON value, in hexadecimal digits. It is the same
// for the same value, however its bytes are written: space, the order of keys
// and escapes do not matter, the digits of a number do.
func Digest(value json.RawMessage) (string, error) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", fmt.Errorf("digest of a JSON value: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("digest of a JSON value: there is more after its end")
	}
	canonical, err := json.Marshal(v) // sorts keys
	if err != nil {
		return "", fmt.Errorf("digest of a JSON value: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}
