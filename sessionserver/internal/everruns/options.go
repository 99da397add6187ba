package everruns

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Profile is the state of the API that the face shows.
type Profile string

// The profiles.
const (
	// Current is the API as its OpenAPI file of July 2026 has it.
	Current Profile = "current"
	// Given is the API of February 2026: agent_id is required, errors of sessions
	// have no body, and there are neither tool results nor tasks.
	Given Profile = "given"
)

// Asking is what becomes of an agent's question.
type Asking string

// The ways of asking.
const (
	// ByTool asks with a call of the client-side tool ask_user.
	ByTool Asking = "tool"
	// ByTask asks with a task that awaits input.
	ByTask Asking = "task"
	// ByMessage asks with an ordinary message of a turn that is completed. The
	// next message of the user is the answer.
	ByMessage Asking = "message"
)

// Busy is what becomes of a message while a turn is active.
type Busy string

// What a busy session does.
const (
	Queue  Busy = "queue"  // the message is the next turn
	Steer  Busy = "steer"  // the agent hears it at once
	Refuse Busy = "refuse" // 409
)

// Options say how the API behaves where the vendor's documentation is silent.
type Options struct {
	// Profile is the state of the API, current if it is empty.
	Profile Profile `toml:"profile"`
	// Questions is how the agent asks; by default with a tool in the current
	// profile, and with a message in the given one, which knows nothing else.
	Questions Asking `toml:"questions"`
	// WhileActive is what a session does with a message while a turn is active;
	// it is queued if this is empty.
	WhileActive Busy `toml:"while_active"`
	// WaitingStatus is the status of a session that waits for tool results:
	// "waitingfortoolresults" or "waiting_for_tool_results".
	WaitingStatus string `toml:"waiting_status"`
	// ShortIDs takes ids of 31 digits as well, as the documentation's examples have.
	ShortIDs bool `toml:"short_ids"`
	// MaxMessage bounds the text of a message in bytes, larger ones are answered
	// with 413; 0 is no bound.
	MaxMessage int `toml:"max_message"`
	// Heartbeat is the time between heartbeats of an event stream, 30 s.
	Heartbeat time.Duration `toml:"heartbeat"`
	// StreamCycle is how long an event stream lives before its client has to
	// connect again, 5 min and up to a fifth more or less.
	StreamCycle time.Duration `toml:"stream_cycle"`
}

// oneOf puts a default in where nothing is said, and refuses what cannot be.
// The first of the values is the default.
func oneOf[T ~string](name string, value *T, allowed ...T) error {
	*value = cmp.Or(*value, allowed[0])
	if slices.Contains(allowed, *value) {
		return nil
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	return fmt.Errorf("%s is %q, it can be %s", name, *value, strings.Join(words, ", "))
}

// Filled checks the options and puts the defaults where nothing is said.
func (o Options) Filled() (Options, error) {
	if err := oneOf("profile", &o.Profile, Current, Given); err != nil {
		return o, err
	}
	ways := []Asking{ByTool, ByTask, ByMessage}
	if o.Profile == Given {
		ways = []Asking{ByMessage}
	}
	if err := oneOf("questions", &o.Questions, ways...); err != nil {
		return o, fmt.Errorf("%w in the profile %s", err, o.Profile)
	}
	if err := oneOf("while_active", &o.WhileActive, Queue, Steer, Refuse); err != nil {
		return o, err
	}
	if err := oneOf("waiting_status", &o.WaitingStatus, "waitingfortoolresults", "waiting_for_tool_results"); err != nil {
		return o, err
	}
	if o.MaxMessage < 0 {
		return o, fmt.Errorf("max_message is %d, it must not be negative", o.MaxMessage)
	}
	o.Heartbeat = cmp.Or(o.Heartbeat, 30*time.Second)
	o.StreamCycle = cmp.Or(o.StreamCycle, 5*time.Minute)
	if o.Heartbeat < 0 || o.StreamCycle < 0 {
		return o, fmt.Errorf("heartbeat is %s and stream_cycle %s, both must be positive", o.Heartbeat, o.StreamCycle)
	}
	return o, nil
}
