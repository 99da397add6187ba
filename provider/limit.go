package provider

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Queue is a Provider of a connection that has room for so many sessions. Who
// wants to create one waits for room first.
type Queue interface {
	Provider

	// Enter waits until there is room for the session that will be created under
	// that ClientRef, at most so long, and returns ErrorBusy if there was none.
	// Who comes back soon under the same reference keeps its place.
	Enter(ctx context.Context, ref string, patience time.Duration) error

	// Leave gives the room back, unless a session was created in it.
	Leave(ref string)
}

// Slots hand out the room that a connection has for sessions, in the order in
// which it is asked for. Those of one process are here; ones that a cluster
// shares can take their place.
type Slots interface {
	// Take waits for a slot, as Queue.Enter does.
	Take(ctx context.Context, ref string, patience time.Duration) error
	// Used says that the slot has the session.
	Used(ref, sessionID string)
	// Back gives back a slot that has no session. It does nothing to one that has.
	// Doubtful: a session may be in it all the same.
	Back(ref string, doubtful bool)
	// Freed says that a session is gone.
	Freed(sessionID string)
}

// limited keeps a connection's sessions at or below a number.
type limited struct {
	Provider
	slots Slots
}

var _ Queue = (*limited)(nil)

// limit limits a provider to so many sessions, whoever made them.
func limit(p Provider, most int) *limited {
	return &limited{Provider: p, slots: newLocalSlots(most, func(ctx context.Context) (Listing, error) {
		list, err := p.Sessions(ctx)
		if !p.Capabilities().Delete {
			list.Sessions = slices.DeleteFunc(list.Sessions, atRest)
		}
		return list, err
	})}
}

// atRest says that a session takes no room at a vendor that deletes none: those
// whose work is done stay there for ever.
func atRest(s Session) bool { return s.State == StateIdle || s.State == StateFailed }

// Enter implements [Queue].
func (p *limited) Enter(ctx context.Context, ref string, patience time.Duration) error {
	return p.slots.Take(ctx, ref, patience)
}

// Leave implements [Queue].
func (p *limited) Leave(ref string) { p.slots.Back(ref, false) }

// Create creates in the room that Enter has found, or refuses with ErrorBusy
// where there is none at once.
func (p *limited) Create(ctx context.Context, in CreateRequest) (Session, error) {
	if err := p.slots.Take(ctx, in.ClientRef, 0); err != nil {
		return Session{}, err
	}
	s, err := p.Provider.Create(ctx, in)
	if err != nil {
		p.slots.Back(in.ClientRef, mayHaveMade(err))
		return s, err
	}
	p.slots.Used(in.ClientRef, s.ID)
	return s, nil
}

// mayHaveMade reports whether a create that failed so may have made a session.
func mayHaveMade(err error) bool {
	e, known := errors.AsType[*Error](err)
	return !known || e.Ambiguous || e.Pending
}

// Delete hands the room on at once.
func (p *limited) Delete(ctx context.Context, sessionID string, in DeleteRequest) (Deletion, error) {
	d, err := p.Provider.Delete(ctx, sessionID, in)
	if err == nil {
		p.slots.Freed(sessionID)
	}
	return d, err
}
