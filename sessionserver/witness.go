package sessionserver

import (
	"log/slog"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/faults"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
	"github.com/errand-dev/errand/sessionserver/truth"
)

// witness writes the truth log: an observer of the engine, and of the faults.
type witness struct {
	log    *truth.Writer
	before *truth.Log // what former processes wrote; nil when all of it is known to be there
	logger *slog.Logger
}

func newWitness(path string, logger *slog.Logger) (*witness, error) {
	log, before, err := truth.Open(path)
	if err != nil {
		return nil, err
	}
	return &witness{log: log, before: before, logger: logger}, nil
}

// write adds a fact. What happened cannot be undone for want of a line, but
// the next start finds it again, unless it is a delete or a fault.
func (w *witness) write(f truth.Fact) {
	if err := w.log.Write(f); err != nil {
		w.logger.Error("fact missing from the truth log", "fact", f.Kind, "session_id", f.Session, "error", err)
	}
}

// Opened implements [sessions.Observer]: it adds what a former process did and
// was killed before it could write.
func (w *witness) Opened(all []*sessions.Session, snapshots []sessions.Snapshot) {
	now := time.Now().UTC()
	w.write(truth.Fact{At: now, Kind: truth.Started, Start: len(w.before.Of(truth.Started)) + 1})
	var facts []truth.Fact
	here := map[string]bool{}
	for _, s := range all {
		here[s.ID] = true
		facts = append(facts, w.created(s.Facts))
		s.Replay(func(before sessions.Status, e sessions.Event) {
			if f, ok := w.event(s.ID, before, e); ok {
				facts = append(facts, f)
			}
		})
	}
	for _, s := range snapshots {
		facts = append(facts, w.snapshot(s))
	}
	for _, f := range w.before.Lacking(facts) {
		w.write(f)
	}
	for _, f := range w.before.Undecided() {
		if !here[f.Session] {
			f.At, f.Kind = now, truth.Deleted
			w.write(f)
		}
	}
	w.before = nil
}

// Created implements [sessions.Observer].
func (w *witness) Created(s *sessions.Session, _ sessions.Status) { w.write(w.created(s.Facts)) }

// Changed implements [sessions.Observer].
func (w *witness) Changed(s *sessions.Session, before, _ sessions.Status, e sessions.Event) {
	if f, ok := w.event(s.ID, before, e); ok {
		w.write(f)
	}
}

// Kept implements [sessions.Observer].
func (w *witness) Kept(s sessions.Snapshot) { w.write(w.snapshot(s)) }

// Deleting implements [sessions.Observer].
func (w *witness) Deleting(s *sessions.Session, d sessions.Deletion) {
	w.write(deletion(truth.Deleting, s.ID, d))
}

// Deleted implements [sessions.Observer].
func (w *witness) Deleted(s *sessions.Session, d sessions.Deletion) {
	w.write(deletion(truth.Deleted, s.ID, d))
}

// Missed implements [sessions.Observer].
func (w *witness) Missed(id string, d sessions.Deletion) {
	w.write(deletion(truth.Missed, id, d))
}

// fired takes the faults of a plan.
func (w *witness) fired(f faults.Fired) {
	w.write(truth.Fact{
		At: time.Now().UTC(), Kind: truth.Fault, Session: f.SessionID,
		Fault: string(f.Fault), Operation: f.Operation,
	})
}

func (w *witness) created(f sessions.Facts) truth.Fact {
	return truth.Fact{
		At: f.CreatedAt, Kind: truth.Created, Session: f.ID,
		Agent: f.Agent, Owner: f.Owner, RestoredFrom: f.RestoredFrom,
	}
}

func (w *witness) snapshot(s sessions.Snapshot) truth.Fact {
	return truth.Fact{At: s.CreatedAt, Kind: truth.Snapshot, Session: s.SessionID, Mode: string(s.Mode)}
}

// markFacts and messageFacts are the events that the log tells of. The others
// are how the agent came to its outcome.
var (
	markFacts = map[sessions.Mark]truth.Kind{
		sessions.Paused:    truth.Paused,
		sessions.Resumed:   truth.Resumed,
		sessions.Cancelled: truth.Cancelled,
	}
	messageFacts = map[agent.MessageType]truth.Kind{
		agent.User:     truth.Message,
		agent.Question: truth.Question,
		agent.Done:     truth.Done,
		agent.Error:    truth.Failed,
	}
)

// event is an event as a fact, if it is one that the log tells of. It follows
// from the session's journal alone, so that a second look finds the same.
func (w *witness) event(session string, before sessions.Status, e sessions.Event) (f truth.Fact, ok bool) {
	f = truth.Fact{At: e.At, Session: session, MessageID: e.Message.ID}
	if f.Kind, ok = markFacts[e.Mark]; ok {
		return f, true
	}
	f.Kind, ok = messageFacts[e.Message.Type]
	switch f.Kind {
	case truth.Message:
		f.Text, f.As = e.Message.Text(), role(before, e)
	case truth.Question, truth.Failed:
		f.Text = e.Message.Text()
	case truth.Done:
		var err error
		if f.SHA256, err = truth.Digest(e.Message.Content); err != nil {
			w.logger.Error("result without a hash in the truth log", "session_id", session, "error", err)
		}
		if len(e.Message.Content) <= truth.MaxResult {
			f.Result = e.Message.Content
		}
	}
	return f, ok
}

// role is what a message is to an agent of that status.
func role(before sessions.Status, e sessions.Event) truth.Role {
	switch {
	case e.Queue != "":
		return truth.Queued
	case before.Phase == sessions.Running:
		return truth.Information
	case before.Phase == sessions.Waiting:
		return truth.Answer
	}
	return truth.Goal
}

func deletion(kind truth.Kind, session string, d sessions.Deletion) truth.Fact {
	return truth.Fact{At: time.Now().UTC(), Kind: kind, Session: session, Mode: string(d.Mode), By: string(d.By)}
}
