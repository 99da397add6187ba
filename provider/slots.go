package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// listFor is how long the vendor's list is good for: sessions of other
	// programs come and go.
	listFor = 2 * time.Second

	// settling is how long what this process has just created or deleted counts
	// whatever the list says.
	settling = 10 * time.Second

	// keepPlace is how long the place of one who went away is kept, and comeBack
	// when it should be there again.
	keepPlace = 10 * time.Second
	comeBack  = 250 * time.Millisecond
)

// localSlots are the slots of one process. It goes by the vendor's own list, so
// sessions of other workers and programs count too, and by what it has created
// and deleted since: a slot that it frees itself is handed on at once. Two
// processes that create at the same moment may go over by one.
type localSlots struct {
	most int
	list func(context.Context) (Listing, error)

	mu     sync.Mutex
	open   map[string]bool // sessions
	taken  map[string]int  // slots without a session so far, by reference
	queue  []*ticket
	listed time.Time            // when the list was asked for; zero: it is not good any more
	births map[string]time.Time // sessions of ours, lately
	deaths map[string]time.Time

	listing sync.Mutex // held while the vendor is asked
}

// ticket is a place in the queue.
type ticket struct {
	ref    string
	called chan struct{} // closed once it has its slot
	there  bool          // its owner waits; else its place is kept until then
	until  time.Time
}

func newLocalSlots(most int, list func(context.Context) (Listing, error)) *localSlots {
	return &localSlots{
		most: most, list: list,
		open: map[string]bool{}, taken: map[string]int{}, births: map[string]time.Time{}, deaths: map[string]time.Time{},
	}
}

// Take implements [Slots].
func (s *localSlots) Take(ctx context.Context, ref string, patience time.Duration) error {
	s.mu.Lock()
	if ref != "" && s.taken[ref] > 0 { // by Enter, before Create
		s.mu.Unlock()
		return nil
	}
	t := s.join(ref)
	s.mu.Unlock()

	over := time.NewTimer(patience)
	defer over.Stop()
	again := time.NewTicker(listFor)
	defer again.Stop()
	for {
		err := s.call(ctx)
		if patience <= 0 {
			return s.away(t, 0, err)
		}
		select {
		case <-t.called:
			return nil
		case <-again.C:
		case <-over.C:
			return s.away(t, comeBack, err)
		case <-ctx.Done():
			return s.away(t, 0, ctx.Err())
		}
	}
}

// join takes a place in the queue, the one that was kept if there is one.
func (s *localSlots) join(ref string) *ticket {
	at := slices.IndexFunc(s.queue, func(t *ticket) bool { return ref != "" && t.ref == ref && !t.there })
	if at >= 0 {
		s.queue[at].there = true
		return s.queue[at]
	}
	t := &ticket{ref: ref, called: make(chan struct{}), there: true}
	s.queue = append(s.queue, t)
	return t
}

// away leaves without a slot, unless it was called at the last moment. Who does
// not come back at once has no place.
func (s *localSlots) away(t *ticket, back time.Duration, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-t.called:
		if !isContextError(err) {
			return nil
		}
		s.giveBack(t.ref)
		s.serveIfFresh()
		return err
	default:
	}
	t.there, t.until = false, time.Now().Add(keepPlace)
	if t.ref == "" || isContextError(err) {
		t.until = time.Time{}
	}
	if err != nil {
		return err
	}
	return &Error{
		Kind: ErrorBusy, Op: "create session", RetryAfter: back,
		Message: fmt.Sprintf("%d of %d sessions are open (max_sessions), %d wait for one", len(s.open)+s.reserved(), s.most, s.waiting()),
	}
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// call gives slots to those who wait, after asking the vendor where that was
// too long ago.
func (s *localSlots) call(ctx context.Context) error {
	s.mu.Lock()
	fresh := s.fresh()
	if fresh {
		s.serve()
	}
	s.mu.Unlock()
	if fresh {
		return nil
	}
	s.listing.Lock()
	defer s.listing.Unlock()
	s.mu.Lock()
	fresh, asked := s.fresh(), time.Now() // another may have asked meanwhile
	s.mu.Unlock()
	if fresh {
		return nil
	}
	list, err := s.list(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take(list, asked)
	s.serve()
	return nil
}

func (s *localSlots) fresh() bool { return time.Since(s.listed) < listFor }

// take takes over the vendor's list.
func (s *localSlots) take(list Listing, asked time.Time) {
	s.open, s.listed = map[string]bool{}, asked
	for _, session := range list.Sessions {
		if session.State != StateGone {
			s.open[session.ID] = true
		}
	}
	for id, at := range s.births {
		if s.open[id] = true; asked.Sub(at) > settling {
			delete(s.births, id)
		}
	}
	for id, at := range s.deaths {
		if delete(s.open, id); asked.Sub(at) > settling {
			delete(s.deaths, id)
		}
	}
}

// serve gives the slots that are free to those who are there, in their order.
func (s *localSlots) serve() {
	now := time.Now()
	s.queue = slices.DeleteFunc(s.queue, func(t *ticket) bool {
		if !t.there {
			return now.After(t.until)
		}
		if len(s.open)+s.reserved() >= s.most {
			return false
		}
		s.taken[t.ref]++
		close(t.called)
		return true
	})
}

func (s *localSlots) reserved() (n int) {
	for _, count := range s.taken {
		n += count
	}
	return n
}

func (s *localSlots) waiting() (n int) {
	for _, t := range s.queue {
		if t.there {
			n++
		}
	}
	return n
}

func (s *localSlots) giveBack(ref string) bool {
	if s.taken[ref] == 0 {
		return false
	}
	if s.taken[ref]--; s.taken[ref] == 0 {
		delete(s.taken, ref)
	}
	return true
}

// Used implements [Slots].
func (s *localSlots) Used(ref, sessionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.giveBack(ref) {
		s.open[sessionID] = true
		s.births[sessionID] = time.Now()
	}
}

// Back implements [Slots].
func (s *localSlots) Back(ref string, doubtful bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.giveBack(ref) {
		return
	}
	if doubtful { // the vendor knows
		s.listed = time.Time{}
		return
	}
	s.serveIfFresh()
}

// Freed implements [Slots].
func (s *localSlots) Freed(sessionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sessionID)
	delete(s.births, sessionID)
	s.deaths[sessionID] = time.Now()
	s.serveIfFresh()
}

// serveIfFresh leaves it to those who wait to ask the vendor: they do so in a
// moment.
func (s *localSlots) serveIfFresh() {
	if time.Since(s.listed) < 2*listFor { // they ask each listFor, and it takes a while
		s.serve()
	}
}
