// Package agent is the contract between the session server and the agents
// that do the work of its sessions.
//
// An agent is a plain value that holds nothing about any session: all it may
// rely on comes in with the [Turn]. So a server that is killed in the middle of
// a turn starts that turn again in its next life, with the same message and
// with the state that the agent saved last.
package agent

import (
	"context"
	"encoding/json"
	"time"
)

// Agent does the work of a session, one turn at a time.
//
// Run is called once for every message that starts or continues a task: a new
// goal, the answer to a question, or, after a crash, the interrupted message
// again. Messages that arrive while Run is busy are extra information; they
// are kept in the session and seen in the History of the next turn.
//
// The context ends when the task is cancelled, the session deleted or the
// server closed. What Run returns after that is ignored. One Agent serves many
// sessions at once.
type Agent interface {
	Run(ctx context.Context, turn *Turn) Outcome
}

// Turn is all an agent gets to know about the session it works for.
type Turn struct {
	// Host takes what the agent has to say while it works.
	Host
	// SessionID is the UUID of the session.
	SessionID string
	// StartURL is the last start URL given in this session, empty if none was.
	StartURL string
	// Message is the user's message to act on. Its StartURL is set only if the
	// URL came with this very message.
	Message Message
	// Answering says that Message answers the question that ended the turn before.
	Answering bool
	// History holds the session's messages before Message, oldest first.
	History []Message
	// State is what the agent saved last, in this session or in the one that
	// this session was restored from; nil if there is nothing.
	State json.RawMessage
}

// Host is the session's side of a running turn. Think, Log and Wait block
// while the session is paused. They fail when the turn is over (its context is
// done) or when the session cannot be written; the agent should then return.
type Host interface {
	// Think adds a THOUGHT message: one short sentence for people.
	Think(ctx context.Context, text string) error
	// Log adds a LOG message: a detail for those who look closely.
	Log(ctx context.Context, text string) error
	// Wait returns after d.
	Wait(ctx context.Context, d time.Duration) error
	// Save replaces the agent's private state. It is written together with what
	// the agent does next (a thought, a log, a wait, its outcome), so that after
	// a crash neither is found without the other. State must marshal to JSON.
	Save(state any) error
}

// MessageType tells who said a message and why.
type MessageType string

// The message types of a session.
const (
	User     MessageType = "user"     // a goal, an answer or extra information
	Thought  MessageType = "thought"  // progress, for people
	Log      MessageType = "log"      // progress, in detail
	Question MessageType = "question" // the agent needs an answer to go on
	Done     MessageType = "done"     // the task's result
	Error    MessageType = "error"    // the task's failure
)

// Message is one message of a session.
type Message struct {
	// ID counts the messages of a session from 1.
	ID int `json:"id"`
	// Type tells who said it and why.
	Type MessageType `json:"type"`
	// Content is a JSON string, or for Done any JSON value.
	Content json.RawMessage `json:"content"`
	// StartURL is the page that a user's message asks to work on.
	StartURL string `json:"start_url,omitempty"`
}

// Text is the content of a message as plain text: the string itself, or the
// JSON of any other value.
func (m Message) Text() string {
	var s string
	if json.Unmarshal(m.Content, &s) == nil {
		return s
	}
	return string(m.Content)
}

// Outcome is how a turn ends: with a result, a question or a failure.
type Outcome struct {
	// Type is Done, Question or Error.
	Type MessageType
	// Content is the result, or the text of the question or failure.
	Content any
}

// Finished ends the task with its result, a string or any value that marshals
// to JSON.
func Finished(result any) Outcome { return Outcome{Type: Done, Content: result} }

// Ask ends the turn with a question; the answer comes as the next turn.
func Ask(question string) Outcome { return Outcome{Type: Question, Content: question} }

// Failed ends the task with a failure, told in plain words.
func Failed(reason string) Outcome { return Outcome{Type: Error, Content: reason} }
