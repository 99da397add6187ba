package everruns

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// The waits before a new connection, where the options name none; those of the
// vendor's SDKs.
const (
	DefaultInitialBackoff = time.Second
	DefaultMaxBackoff     = 30 * time.Second

	// leastCycle keeps a server that ends every connection at once from being
	// asked without a pause.
	leastCycle = 100 * time.Millisecond
)

// FollowOptions says what to follow of a session, and how patiently. The zero
// value tells everything from the session's beginning, and does not give up.
type FollowOptions struct {
	SinceID string // exclusive
	Exclude []EventType
	Types   []EventType // current profile
	// IdleTimeout is the longest silence to wait through before the connection
	// is given up for a new one. Zero means DefaultIdleTimeout.
	IdleTimeout time.Duration
	// InitialBackoff is the wait before a new connection, doubled up to
	// MaxBackoff for each one that brings no event, and spread at random over
	// its upper half. Zero means the defaults.
	InitialBackoff time.Duration
	MaxBackoff     time.Duration
	// MaxAttempts bounds the connections, one after the other, that bring no
	// event. Zero is no bound. Those that the API ends in order never count.
	MaxAttempts int
	// OnReconnect is called before each wait with the reason for it; nil is
	// allowed. The cause is nil when the API ended the connection in order.
	OnReconnect func(cause error, wait time.Duration)
}

// Follow tells the events of a session, each once, over as many connections as
// it takes. A session has no end, so neither has Follow. A connection that the
// API ends in order, by [EventDisconnecting], is followed by the next one after
// the pause that it names; any other end by a wait that grows while no event
// comes, and is never shorter than a 429 or 503 asks for, up to 15 minutes.
// The events of the connections themselves are not told.
//
// Follow ends with an error, as its last item, when
//
//   - the request cannot succeed: [ErrInvalidRequest], a [*BodyError] for what
//     is not an event stream, an [*Error] with another status than 408, 425,
//     429 or 5xx (404 once the session is deleted), or an event over 4 MiB;
//   - opts.MaxAttempts is reached: the last connection's error;
//   - the context has ended: an error that wraps the context's.
//
// Each connection asks for what is behind the last event. Events that come
// again all the same are known by their ids and left out, as far as the last
// 4,096 go. The sequence can be ranged over again, and then begins anew.
func (c *Client) Follow(ctx context.Context, sessionID string, opts FollowOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f := follower{client: c, sessionID: sessionID, opts: opts, since: opts.SinceID}
		f.run(ctx, yield)
	}
}

type follower struct {
	client    *Client
	sessionID string
	opts      FollowOptions
	since     string
	told      recentIDs
}

// connectionEnd is how one connection went.
type connectionEnd struct {
	progress bool          // it brought an event
	left     bool          // the loop over the events was left
	cycled   bool          // the API ended it in order
	pause    time.Duration // that it asked for then
	err      error         // nil when it ended in order, announced or not
}

func (f *follower) run(ctx context.Context, yield func(Event, error) bool) {
	wait := rest.Backoff{
		First: rest.OrDefault(f.opts.InitialBackoff, DefaultInitialBackoff),
		Most:  rest.OrDefault(f.opts.MaxBackoff, DefaultMaxBackoff),
	}
	for failed := 0; ; {
		end := f.connect(ctx, yield)
		switch {
		case end.left:
			return
		case ctx.Err() != nil:
			yield(Event{}, f.ended(ctx, end.err))
			return
		case end.err != nil && rest.Permanent(end.err):
			yield(Event{}, end.err)
			return
		}
		if end.progress {
			failed = 0
			wait.Reset()
		}
		delay := end.pause
		if !end.cycled {
			if end.err == nil {
				end.err = f.broken(io.ErrUnexpectedEOF) // no end was announced
			}
			failed++
			if f.opts.MaxAttempts > 0 && failed >= f.opts.MaxAttempts {
				yield(Event{}, end.err)
				return
			}
			delay = wait.Next(end.err)
		}
		if f.opts.OnReconnect != nil {
			f.opts.OnReconnect(end.err, delay)
		}
		if !rest.Pause(ctx, delay) {
			yield(Event{}, f.ended(ctx, nil))
			return
		}
	}
}

// connect tells what is new on one connection.
func (f *follower) connect(ctx context.Context, yield func(Event, error) bool) (end connectionEnd) {
	stream, err := f.client.Events(ctx, f.sessionID, EventsOptions{
		SinceID: f.since, Exclude: f.opts.Exclude, Types: f.opts.Types, IdleTimeout: f.opts.IdleTimeout,
	})
	if err != nil {
		return connectionEnd{err: err}
	}
	for event, err := range stream.Events() {
		switch {
		case err != nil:
			end.err = err
			return end
		case event.Type == EventConnected && event.ID == "":
			continue
		case event.Type == EventDisconnecting && event.ID == "":
			said, _ := DataOf[ConnectionData](event)
			end.cycled = true
			end.pause = max(leastCycle, min(time.Duration(said.RetryMS)*time.Millisecond, DefaultMaxBackoff))
			return end
		}
		end.progress = true
		if event.ID != "" {
			f.since = event.ID
			if !f.told.add(event.ID) {
				continue
			}
		}
		if !yield(event, nil) {
			end.left = true
			return end
		}
	}
	return end
}

// ended is the error for a context that has ended, whatever the connection
// made of that.
func (f *follower) ended(ctx context.Context, err error) error {
	if err != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	return f.broken(ctx.Err())
}

func (f *follower) broken(cause error) error {
	path := "/" + strings.Join(sessionPath(url.PathEscape(f.sessionID), "sse"), "/")
	return &StreamError{Method: http.MethodGet, Path: path, Err: cause}
}

// maxRecent is how many ids are remembered: more than any server has reason to
// tell again.
const maxRecent = 4096

// recentIDs is the set of the last ids.
type recentIDs struct {
	known map[string]struct{}
	order []string // a ring, once it is full
	next  int
}

// add reports whether the id is new.
func (r *recentIDs) add(id string) bool {
	if _, again := r.known[id]; again {
		return false
	}
	if r.known == nil {
		r.known = map[string]struct{}{}
	}
	r.known[id] = struct{}{}
	if len(r.order) < maxRecent {
		r.order = append(r.order, id)
		return true
	}
	delete(r.known, r.order[r.next])
	r.order[r.next] = id
	r.next = (r.next + 1) % maxRecent
	return true
}
