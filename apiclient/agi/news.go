package agi

import "crypto/sha256"

// news tells the events that are new from those that a server tells again on
// each connection. Events are known by their message id; one without an id has
// its place behind the newest id before it on its connection, and is counted
// there.
type news struct {
	after  int64                  // only what is newer counts
	newest int64                  // the newest id so far, or after
	told   map[toldEvent]struct{} // with an id
	placed map[toldEvent]int      // without one, in the place behind newest

	// Whether a task is over, by the newest event that says anything about it.
	over  bool
	sign  int64 // the id or the place of that event
	again int64 // ask for what is behind this id to be told of the end again

	// What the connection has shown.
	place  int64
	hasID  bool
	counts map[toldEvent]int // without an id, in this place
}

// toldEvent is what an event is known by. Steps, and what the API does not
// document, may share an id, so their data counts too.
type toldEvent struct {
	id   int64
	kind EventType
	sum  [sha256.Size]byte
}

func newNews(after int64) *news {
	return &news{
		after: after, newest: after, sign: after,
		told: map[toldEvent]struct{}{}, placed: map[toldEvent]int{}, counts: map[toldEvent]int{},
	}
}

// connect begins a connection that was asked for what is behind that id.
func (n *news) connect(from int64) {
	n.place, n.hasID = from, false
	clear(n.counts)
}

// admit reports whether the event is new. A heartbeat always is.
func (n *news) admit(e Event) bool {
	switch {
	case e.Type == EventHeartbeat:
		return true
	case e.MessageID > 0:
		return n.admitKnown(e)
	default:
		return n.admitPlaced(e)
	}
}

func (n *news) admitKnown(e Event) bool {
	// The first id says where the connection really begins. After that an id
	// that comes late moves nothing back.
	if !n.hasID || e.MessageID > n.place {
		n.place, n.hasID = e.MessageID, true
		clear(n.counts)
	}
	if e.MessageID <= n.after {
		return false
	}
	key := toldEvent{id: e.MessageID, kind: e.Type}
	if !isMessage(e.Type) {
		key.sum = sha256.Sum256(e.Data)
	}
	if _, again := n.told[key]; again {
		return false
	}
	n.told[key] = struct{}{}
	if e.MessageID > n.newest {
		n.newest = e.MessageID
		clear(n.placed)
	}
	n.heed(e.Type, e.MessageID, e.MessageID-1)
	return true
}

func (n *news) admitPlaced(e Event) bool {
	if n.place < n.newest {
		return false // the newer id came behind it, so it has been told
	}
	key := toldEvent{kind: e.Type, sum: sha256.Sum256(e.Data)}
	if isEnd(e.Type) && n.counts[key] > 0 {
		return false // a task ends once
	}
	n.counts[key]++
	if n.counts[key] <= n.placed[key] {
		return false
	}
	n.placed[key]++
	n.heed(e.Type, n.place, n.place)
	return true
}

// heed notes whether a task is over. What comes late says nothing about now,
// and neither does what may follow the end of a task.
func (n *news) heed(kind EventType, sign, again int64) {
	switch {
	case sign < n.sign, kind == EventLog, kind == EventPaused, kind == EventResumed:
		return
	}
	n.over, n.sign, n.again = isEnd(kind), sign, again
}

// cursor is the id behind which there may be something new, or the end of the
// task: hearing of it once more, the server ends the stream.
func (n *news) cursor() int64 {
	if n.over {
		return n.again
	}
	return n.newest
}

func isEnd(kind EventType) bool { return kind == EventDone || kind == EventError }

// isMessage reports whether an event of that type is a message, and so the
// only one of its type with that id.
func isMessage(kind EventType) bool {
	switch kind {
	case EventThought, EventQuestion, EventUser, EventDone, EventError, EventLog:
		return true
	}
	return false
}
