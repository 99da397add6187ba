package faults

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is what goes wrong.
type Kind string

// The kinds of faults.
const (
	InternalError Kind = "500"            // a JSON error in the API's usual body
	BadGateway    Kind = "502"            // an HTML page, as a proxy writes it
	TooMany       Kind = "429"            // with Retry-After
	Slow          Kind = "slow"           // the answer comes after a delay
	Cut           Kind = "cut"            // half an answer, then the connection is torn
	LostBefore    Kind = "lost-before"    // no answer, and nothing was done
	LostAfter     Kind = "lost-after"     // no answer, though it was done
	DropStream    Kind = "drop-stream"    // an event stream is torn
	DropWebhook   Kind = "drop-webhook"   // a webhook is never sent
	DoubleWebhook Kind = "double-webhook" // a webhook is sent twice
	Stuck         Kind = "stuck"          // the agent's turn never ends
	Vanish        Kind = "vanish"         // the session is gone without a trace
)

// The operations that are no requests, and the one that is a stream.
const (
	opTurn    = "turn"
	opWebhook = "webhook"
	opEvents  = "events"
)

// anywhere stands for every operation that a kind can hit.
const anywhere = "*"

var kinds = []Kind{InternalError, BadGateway, TooMany, Slow, Cut, LostBefore, LostAfter, DropStream, DropWebhook, DoubleWebhook, Stuck, Vanish}

// general are the requests about no single session, of any of the APIs.
var general = []string{"create", "list", "delete_all", "models", "agents", "capabilities", "stats"}

// single are the requests about one session. Not every API has all of them:
// events is a stream and timeline a list of events, answer is a call that takes
// nothing but an answer.
var single = []string{
	"get", "delete", "message", "status", "messages", opEvents, "pause", "resume", "cancel", "navigate", "screenshot",
	"update", "timeline", "answer", "tasks",
}

// operations gives those that the kind can hit.
func (k Kind) operations() []string {
	switch k {
	case Stuck:
		return []string{opTurn}
	case DropWebhook, DoubleWebhook:
		return []string{opWebhook}
	case DropStream:
		return []string{opEvents}
	case Vanish:
		return single
	}
	all := slices.Concat(general, single)
	if k == Cut || k == LostAfter { // a stream has no half, and its end may never come
		all = slices.DeleteFunc(all, func(op string) bool { return op == opEvents })
	}
	return all
}

func (k Kind) check() error {
	if slices.Contains(kinds, k) {
		return nil
	}
	names := make([]string, len(kinds))
	for i, known := range kinds {
		names[i] = string(known)
	}
	return fmt.Errorf("there is no fault %q, only %s", k, strings.Join(names, ", "))
}
