package sessions

// Observer is told what happens to sessions, while they are locked: it must
// not block, nor call the session. Only Opened may look at sessions.
//
// A change is on disk before observers are told of it, and no client sees it
// before they all were. So an observer that was killed has missed nothing that
// a client has seen, and finds in Opened what it may have missed.
type Observer interface {
	// Opened tells of what a former process left, before any of it is at work
	// again, the oldest first.
	Opened([]*Session, []Snapshot)
	// Created tells of a new session and its status.
	Created(*Session, Status)
	// Changed tells of an event and the statuses before and after it.
	Changed(s *Session, before, after Status, e Event)
	// Kept tells of the snapshot of a session that is being deleted.
	Kept(Snapshot)
	// Deleting tells that a session is about to be taken off the disk, and
	// Deleted that it is gone. Between the two a failure, which leaves the
	// session where it was, or a crash, after which Opened has it or has not.
	Deleting(*Session, Deletion)
	Deleted(*Session, Deletion)
	// Missed tells of a delete that found no session of its caller's.
	Missed(id string, d Deletion)
}

// Deletion is how a session comes to its end.
type Deletion struct {
	Mode SnapshotMode
	By   Ending
}

// Ending is what ends a session.
type Ending string

// The endings of sessions.
const (
	ByClient Ending = "client"
	ByAge    Ending = "age"    // it had its time, see Config.TTL
	ByVanish Ending = "vanish" // see [Engine.Vanish]
)

// Deaf hears nothing. An observer embeds it that listens to some things alone.
type Deaf struct{}

// Opened implements [Observer].
func (Deaf) Opened([]*Session, []Snapshot) {}

// Created implements [Observer].
func (Deaf) Created(*Session, Status) {}

// Changed implements [Observer].
func (Deaf) Changed(*Session, Status, Status, Event) {}

// Kept implements [Observer].
func (Deaf) Kept(Snapshot) {}

// Deleting implements [Observer].
func (Deaf) Deleting(*Session, Deletion) {}

// Deleted implements [Observer].
func (Deaf) Deleted(*Session, Deletion) {}

// Missed implements [Observer].
func (Deaf) Missed(string, Deletion) {}

// Observers are told one after the other.
type Observers []Observer

// Opened implements [Observer].
func (all Observers) Opened(s []*Session, snapshots []Snapshot) {
	for _, o := range all {
		o.Opened(s, snapshots)
	}
}

// Created implements [Observer].
func (all Observers) Created(s *Session, now Status) {
	for _, o := range all {
		o.Created(s, now)
	}
}

// Changed implements [Observer].
func (all Observers) Changed(s *Session, before, after Status, e Event) {
	for _, o := range all {
		o.Changed(s, before, after, e)
	}
}

// Kept implements [Observer].
func (all Observers) Kept(snapshot Snapshot) {
	for _, o := range all {
		o.Kept(snapshot)
	}
}

// Deleting implements [Observer].
func (all Observers) Deleting(s *Session, d Deletion) {
	for _, o := range all {
		o.Deleting(s, d)
	}
}

// Deleted implements [Observer].
func (all Observers) Deleted(s *Session, d Deletion) {
	for _, o := range all {
		o.Deleted(s, d)
	}
}

// Missed implements [Observer].
func (all Observers) Missed(id string, d Deletion) {
	for _, o := range all {
		o.Missed(id, d)
	}
}
