package provider

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// counted is a vendor that only creates and lists.
type counted struct {
	Provider
	mu       sync.Mutex
	sessions []Session
	hold     chan struct{} // creates wait for it, if set
}

func (c *counted) Create(context.Context, CreateRequest) (Session, error) {
	if c.hold != nil {
		<-c.hold
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions = append(c.sessions, Session{ID: "s", State: StateIdle})
	return c.sessions[len(c.sessions)-1], nil
}

func (c *counted) Sessions(context.Context) (Listing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Listing{Sessions: append([]Session(nil), c.sessions...)}, nil
}

func TestAConnectionKeepsToItsNumberOfSessions(t *testing.T) {
	vendor := &counted{sessions: []Session{{ID: "other", State: StateWorking}, {ID: "old", State: StateGone}}}
	p := &limited{Provider: vendor, max: 2}

	_, err := p.Create(t.Context(), CreateRequest{})
	require.NoError(t, err)
	_, err = p.Create(t.Context(), CreateRequest{})
	require.True(t, IsKind(err, ErrorBusy), "%v", err)
	require.ErrorContains(t, err, "2 of 2 sessions are open")

	vendor.sessions = vendor.sessions[1:]
	_, err = p.Create(t.Context(), CreateRequest{})
	require.NoError(t, err, "a session has ended")
}

func TestCreatesAtTheSameTimeDoNotGoOverTheNumber(t *testing.T) {
	vendor := &counted{hold: make(chan struct{})}
	p := &limited{Provider: vendor, max: 3}
	errs := make(chan error, 10)
	for range cap(errs) {
		go func() {
			_, err := p.Create(t.Context(), CreateRequest{})
			errs <- err
		}()
	}
	for range cap(errs) - 3 { // refused while the others are being created
		require.True(t, IsKind(<-errs, ErrorBusy))
	}
	close(vendor.hold)
	for range 3 {
		require.NoError(t, <-errs)
	}
}
