package provider

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// counted is a vendor that only creates and lists.
type counted struct {
	Provider
	mu       sync.Mutex
	sessions []Session
	hold     chan struct{} // creates wait for it, if set
	keeps    bool          // deletes nothing
}

func (c *counted) Capabilities() Capabilities { return Capabilities{Delete: !c.keeps} }

func (c *counted) Create(context.Context, CreateRequest) (Session, error) {
	if c.hold != nil {
		<-c.hold
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions = append(c.sessions, Session{ID: fmt.Sprintf("s%d", len(c.sessions)), State: StateIdle})
	return c.sessions[len(c.sessions)-1], nil
}

func (c *counted) Sessions(context.Context) (Listing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Listing{Sessions: append([]Session(nil), c.sessions...)}, nil
}

func (c *counted) Delete(_ context.Context, id string, _ DeleteRequest) (Deletion, error) {
	c.end(id)
	return Deletion{Found: true}, nil
}

// end ends a session without a word to the limit.
func (c *counted) end(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions = slices.DeleteFunc(c.sessions, func(s Session) bool { return s.ID == id })
}

func TestAConnectionKeepsToItsNumberOfSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := &counted{sessions: []Session{{ID: "other", State: StateWorking}, {ID: "old", State: StateGone}}}
		p := limit(vendor, 2)

		_, err := p.Create(t.Context(), CreateRequest{ClientRef: "a"})
		require.NoError(t, err)
		_, err = p.Create(t.Context(), CreateRequest{ClientRef: "b"})
		require.True(t, IsKind(err, ErrorBusy), "%v", err)
		require.ErrorContains(t, err, "2 of 2 sessions are open")

		vendor.end("other")
		<-time.After(listFor)
		_, err = p.Create(t.Context(), CreateRequest{ClientRef: "b"})
		require.NoError(t, err, "a session of another program has ended")
	})
}

func TestWhereNothingIsDeletedSessionsAtRestTakeNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := &counted{keeps: true, sessions: []Session{
			{ID: "done", State: StateIdle}, {ID: "broken", State: StateFailed},
			{ID: "busy", State: StateWorking}, {ID: "odd", State: StateUnknown},
		}}
		_, err := limit(vendor, 3).Create(t.Context(), CreateRequest{ClientRef: "a"})
		require.NoError(t, err)
		_, err = limit(vendor, 2).Create(t.Context(), CreateRequest{ClientRef: "a"})
		require.True(t, IsKind(err, ErrorBusy), "%v", err)
		vendor.keeps = false
		_, err = limit(vendor, 4).Create(t.Context(), CreateRequest{ClientRef: "a"})
		require.True(t, IsKind(err, ErrorBusy), "%v", err)
	})
}

// enter waits for room in a goroutine of its own.
func enter(t *testing.T, p *limited, ref string, patience time.Duration) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- p.Enter(t.Context(), ref, patience) }()
	synctest.Wait()
	return done
}

func TestAFreedSlotGoesAtOnceToTheFirstInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := limit(&counted{}, 1)
		s, err := p.Create(t.Context(), CreateRequest{ClientRef: "a"})
		require.NoError(t, err)
		first, second := enter(t, p, "b", time.Minute), enter(t, p, "c", time.Minute)

		at := time.Now()
		_, err = p.Delete(t.Context(), s.ID, DeleteRequest{})
		require.NoError(t, err)
		require.NoError(t, <-first)
		require.Equal(t, at, time.Now(), "no time has passed")
		synctest.Wait()
		require.Empty(t, second)

		p.Leave("b") // it could not create after all
		require.NoError(t, <-second)
		require.Equal(t, at, time.Now())
		_, err = p.Create(t.Context(), CreateRequest{ClientRef: "c"})
		require.NoError(t, err, "in the room that it has")
		p.Leave("c")
		require.True(t, IsKind(p.Enter(t.Context(), "d", 0), ErrorBusy), "a session is in it")
	})
}

func TestWhoComesBackSoonHasKeptItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := limit(&counted{}, 1)
		s, err := p.Create(t.Context(), CreateRequest{ClientRef: "a"})
		require.NoError(t, err)
		first := enter(t, p, "b", time.Second)
		enter(t, p, "gone for good", time.Second)
		second := enter(t, p, "c", time.Minute)
		err = <-first
		require.True(t, IsKind(err, ErrorBusy), "%v", err)
		var busy *Error
		require.ErrorAs(t, err, &busy)
		require.Equal(t, comeBack, busy.RetryAfter)
		<-time.After(busy.RetryAfter)

		again := enter(t, p, "b", time.Minute)
		_, err = p.Delete(t.Context(), s.ID, DeleteRequest{})
		require.NoError(t, err)
		require.NoError(t, <-again)
		synctest.Wait()
		require.Empty(t, second)
		p.Leave("b")
		require.NoError(t, <-second, "whoever does not come back holds nobody up")
	})
}

func TestWhoIsCancelledLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := limit(&counted{}, 1)
		s, err := p.Create(t.Context(), CreateRequest{ClientRef: "a"})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Enter(ctx, "b", time.Minute) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)

		_, err = p.Delete(t.Context(), s.ID, DeleteRequest{})
		require.NoError(t, err)
		require.NoError(t, p.Enter(t.Context(), "c", 0))
	})
}

func TestASlotThatSomebodyElseFreesIsSeenInTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := &counted{sessions: []Session{{ID: "other", State: StateWorking}}}
		p := limit(vendor, 1)
		waiting := enter(t, p, "a", time.Minute)
		vendor.end("other")
		at := time.Now()
		require.NoError(t, <-waiting)
		require.LessOrEqual(t, time.Since(at), listFor)
	})
}

func TestCreatesAtTheSameTimeDoNotGoOverTheNumber(t *testing.T) {
	vendor := &counted{hold: make(chan struct{})}
	p := limit(vendor, 3)
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
