// Package agent is the contract between the session server and the agents
// that do the work of its sessions.
//
// An [Agent] stands for one kind of work, a [Worker] does it for one session.
// A worker may keep something alive from turn to turn, a process or a browser;
// one that does not holds nothing about its session at all, and all it relies
// on comes in with the [Turn]. What a worker can do besides is told by the
// further interfaces it has: [Pauser], [Listener], [Screen], [Sleeper], [Keeper].
//
// A server that is killed in the middle of a turn starts that turn again in its
// next life, with the same message and with the state that was saved last.
// Agents that cannot go on like that say so: see [Mortal].
package agent

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"
)

// Agent does one kind of work, for many sessions at once.
type Agent interface {
	// Open readies the agent for a session. It is called before the first turn
	// that the session has in this life of the server, or before somebody asks
	// for its screen, and starts nothing yet.
	Open(Session) Worker
}

// Worker works for one session, one turn at a time.
type Worker interface {
	// Run is called once for every message that starts or continues a task: a
	// new goal, the answer to a question, or, after a crash, the interrupted
	// message again. Messages that arrive while Run is busy are extra
	// information: they are seen in the History of the next turn, and at once by
	// a [Listener].
	//
	// The context ends when the task is cancelled, the session deleted or the
	// server closed. What Run returns after that is ignored, and no other Run is
	// called before it has returned.
	Run(ctx context.Context, turn *Turn) Outcome
	// Close ends all that the worker keeps alive, and returns when it is gone.
	Close()
}

// PerTurn is an agent that keeps nothing alive from turn to turn.
type PerTurn func(ctx context.Context, turn *Turn) Outcome

// Open implements [Agent].
func (p PerTurn) Open(Session) Worker { return p }

// Run implements [Worker].
func (p PerTurn) Run(ctx context.Context, turn *Turn) Outcome { return p(ctx, turn) }

// Close implements [Worker].
func (p PerTurn) Close() {}

// Pauser is a worker that can be held at any moment. Other workers are held at
// their next call of the [Host]. A task that is cancelled while it is held is
// resumed, too.
type Pauser interface {
	Pause() error
	Resume() error
}

// Listener is a worker that hears messages while it works.
type Listener interface {
	Hear(Message)
}

// ErrNoScreen is what a Screen returns that turns out to have none.
var ErrNoScreen = errors.New("the agent has no screen")

// Screen is a worker that shows what it looks at, a browser for instance. It
// can be asked at any time: in a turn, between two, and before the first.
type Screen interface {
	// Screenshot takes a picture. It fails with an error for people.
	Screenshot(ctx context.Context) (Screenshot, error)
	// Navigate opens an absolute http or https URL and tells where that led.
	Navigate(ctx context.Context, url string) (current string, err error)
}

// Sleeper is a Screen that may have to be started for a picture.
type Sleeper interface {
	// Awake tells whether there is a picture to be had at once. People who watch
	// a session wake nobody.
	Awake() bool
}

// Screenshot is one picture of a screen.
type Screenshot struct {
	JPEG  []byte
	URL   string // of the page shown; may be empty
	Title string
	// Width and Height are in pixels, 0 if not known.
	Width, Height int
}

// Keeper is a worker whose own memory can be carried into another session.
type Keeper interface {
	// Keep gives the state that a later worker finds in [Turn.State]. It fails
	// with an error for people if there is nothing that could be restored.
	Keep(ctx context.Context) (json.RawMessage, error)
}

// Mortal is an agent whose workers cannot be replaced in the middle of a task.
type Mortal interface {
	// Lost tells, in a sentence for people, why a task under way in a former
	// life of the server cannot go on; empty if it can. It is called before
	// any Open of that session. State is what was saved last.
	Lost(s Session, state json.RawMessage) string
}

// Session is what a session is born with.
type Session struct {
	// ID is the session's UUID.
	ID string
	// Dir is the session's working directory, its environment; see MakeDir.
	Dir string
	// Goal, MaxSteps, CDPURL, EnvironmentType and Model are what the client
	// asked for, empty or 0 if it asked for nothing. They bind no agent.
	Goal            string
	MaxSteps        int
	CDPURL          string
	EnvironmentType string
	Model           string
	// Past gives the session's messages so far, oldest first and without those of
	// a turn under way, and what the agent saved last, in this session or in the
	// one that it was restored from; nil if there is nothing. It is for workers
	// that act between turns, and not to be called in Open.
	Past func() (history []Message, state json.RawMessage)
	// Amend changes what the agent saved last, at once and for good. In a turn it
	// changes what the turn has saved and not written yet as well. The change is
	// made under the session's lock and must call nothing of the session.
	Amend func(change func(state json.RawMessage) (any, error)) error
	// Gone is called by a worker when what it kept alive has ended between two
	// turns, with a sentence for people: an open question then fails the task,
	// so that nobody answers a dead agent. It may be nil.
	Gone func(reason string)
}

// MakeDir makes the working directory if it is not there, and returns it.
func (s Session) MakeDir() (string, error) { return s.Dir, os.MkdirAll(s.Dir, 0o700) }

// Turn is all an agent gets to know about the work to do now.
type Turn struct {
	// Host takes what the agent has to say while it works.
	Host
	// Session is the session that the turn belongs to.
	Session Session
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

// Host is the session's side of a running turn. All but Save and Show block
// while the session is paused. They fail when the turn is over (its context is
// done) or when the session cannot be written; the agent should then return.
type Host interface {
	// Think adds a THOUGHT message: one short sentence for people.
	Think(ctx context.Context, text string) error
	// Log adds a LOG message: a detail for those who look closely.
	Log(ctx context.Context, text string) error
	// Step tells of something the agent did, such as opening a page, to those
	// who follow live. It is no message.
	Step(ctx context.Context, text string) error
	// Say adds a THOUGHT or LOG message with any content.
	Say(ctx context.Context, m Saying) error
	// Wait returns after d.
	Wait(ctx context.Context, d time.Duration) error
	// Save replaces the agent's private state. It is written together with what
	// the agent does next (a thought, a log, a wait, its outcome), so that after
	// a crash neither is found without the other. State must marshal to JSON.
	Save(state any) error
	// Show replaces the picture of the agent's screen that people see live.
	Show(Screenshot)
}

// Saying is a message to add while a turn goes on.
type Saying struct {
	Type    MessageType // Thought or Log
	Content any         // a string or any value that marshals to JSON
	// Hidden marks system messages and internal prompts, which are left out
	// for clients that ask for sanitised messages.
	Hidden bool
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
	// Content is a JSON string or any other JSON value.
	Content json.RawMessage `json:"content"`
	// StartURL is the page that a user's message asks to work on.
	StartURL string `json:"start_url,omitempty"`
	// Hidden messages are left out for clients that ask for sanitised ones.
	Hidden bool `json:"hidden,omitempty"`
	// Config is what a user's message asks the agent to change, an object of
	// no documented shape; Context is further information in the same way.
	Config  json.RawMessage `json:"config,omitempty"`
	Context json.RawMessage `json:"context,omitempty"`
}

// Text is the content of a message as plain text: the string itself, the
// "text" of an object that has one, or else the JSON of the value.
func (m Message) Text() string {
	var s string
	if json.Unmarshal(m.Content, &s) == nil {
		return s
	}
	var object struct {
		Text *string `json:"text"`
	}
	if json.Unmarshal(m.Content, &object) == nil && object.Text != nil {
		return *object.Text
	}
	return string(m.Content)
}

// Outcome is how a turn ends: with a result, a question or a failure.
type Outcome struct {
	// Type is Done, Question or Error.
	Type MessageType
	// Content is the result, or the question or failure: a string or any value
	// that marshals to JSON.
	Content any
}

// Finished ends the task with its result, a string or any value that marshals
// to JSON.
func Finished(result any) Outcome { return Outcome{Type: Done, Content: result} }

// Ask ends the turn with a question; the answer comes as the next turn.
func Ask(question string) Outcome { return Outcome{Type: Question, Content: question} }

// Failed ends the task with a failure, told in plain words.
func Failed(reason string) Outcome { return Outcome{Type: Error, Content: reason} }
