package agi

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// The wait before a new connection, where the options name none.
const (
	DefaultInitialBackoff = time.Second
	DefaultMaxBackoff     = 30 * time.Second
)

// ErrNotOver means that a server kept ending a session's event stream before
// the task was over.
var ErrNotOver = errors.New("event stream ended before the task did")

// FollowOptions says what to follow of a session, and how patiently. The zero
// value tells everything from the session's beginning, and does not give up.
type FollowOptions struct {
	// AfterID is exclusive: only what is newer than this message is told. Take
	// it before the task is sent, as the largest id of [Client.Messages], or
	// the result of an earlier task is told as news.
	AfterID int64
	// EventTypes are the types to be told of; none means all. They are picked
	// by the client, since the others, too, tell whether a task is over.
	EventTypes []EventType
	// Sanitize is true by the API's default.
	Sanitize *bool
	// IdleTimeout is the longest silence to wait through before the connection
	// is given up for a new one. Zero means DefaultIdleTimeout.
	IdleTimeout time.Duration
	// InitialBackoff is the wait before a new connection, doubled up to
	// MaxBackoff for each one that brings nothing, and spread at random over
	// its upper half. Zero means the defaults.
	InitialBackoff time.Duration
	MaxBackoff     time.Duration
	// MaxAttempts bounds the connections, one after the other, that bring
	// neither news nor a heartbeat. Zero is no bound.
	MaxAttempts int
	// SendAfterID asks the server for what is behind the newest id alone, as
	// the vendor's C# SDK does. The vendor's documentation knows no such query.
	SendAfterID bool
	// OnReconnect is called before each wait with the reason for it; nil is
	// allowed. The cause is nil when the server ended the stream in order.
	OnReconnect func(cause error, wait time.Duration)
}

// Follow tells the events of a session, each once, over as many connections as
// it takes. It ends without an error when the server ends the stream in order
// and the newest event is a done or an error that is newer than opts.AfterID:
// the API ends a stream with the current task, but it replays earlier tasks
// first, so a done by itself proves nothing. Logs, heartbeats, paused and
// resumed may come behind it. Any other end brings a new connection, after a
// wait that grows while nothing new comes and is never shorter than a 429 or
// 503 asks for, up to 15 minutes.
//
// Follow ends with an error, as its last item, when
//
//   - the request cannot succeed: [ErrInvalidRequest], a [*BodyError] for what
//     is not an event stream, an [*Error] with another status than 408, 425,
//     429 or 5xx, or an event over 4 MiB;
//   - opts.MaxAttempts is reached: the last connection's error, or a
//     [*StreamError] that wraps [ErrNotOver];
//   - the context has ended: an error that wraps the context's.
//
// The API has no cursor and replays all history on each connection, so what
// was told is left out by these rules:
//
//   - An event with a message id, be it in its data or in its id line, is told
//     once for each type, in whatever order the ids come. Steps and unknown
//     types are told once for each payload.
//   - An event without an id counts as newer than the newest id before it on
//     its connection. It is left out when a newer id than that is known. In
//     the newest place equal ones are counted, and only those beyond the
//     number already told are told; a done or an error is told once.
//   - Heartbeats are always told.
//
// The sequence can be ranged over again, and then begins anew.
func (c *Client) Follow(ctx context.Context, sessionID string, opts FollowOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f := follower{client: c, sessionID: sessionID, opts: opts, news: newNews(opts.AfterID)}
		f.run(ctx, yield)
	}
}

type follower struct {
	client    *Client
	sessionID string
	opts      FollowOptions
	news      *news
}

func (f *follower) run(ctx context.Context, yield func(Event, error) bool) {
	wait := rest.Backoff{
		First: rest.OrDefault(f.opts.InitialBackoff, DefaultInitialBackoff),
		Most:  rest.OrDefault(f.opts.MaxBackoff, DefaultMaxBackoff),
	}
	for failed := 0; ; {
		progress, left, err := f.connect(ctx, yield)
		switch {
		case left:
			return
		case err == nil && f.news.over:
			return
		case ctx.Err() != nil:
			yield(Event{}, f.ended(ctx, err))
			return
		case err != nil && rest.Permanent(err):
			yield(Event{}, err)
			return
		}
		failed++
		if progress {
			failed = 0
			wait.Reset()
		}
		if f.opts.MaxAttempts > 0 && failed >= f.opts.MaxAttempts {
			if err == nil {
				err = f.broken(ErrNotOver)
			}
			yield(Event{}, err)
			return
		}
		delay := wait.Next(err)
		if f.opts.OnReconnect != nil {
			f.opts.OnReconnect(err, delay)
		}
		if !rest.Pause(ctx, delay) {
			yield(Event{}, f.ended(ctx, nil))
			return
		}
	}
}

// connect tells the news of one connection. Left means that the loop over the
// events was; the error is nil when the server ended the stream in order.
func (f *follower) connect(ctx context.Context, yield func(Event, error) bool) (progress, left bool, err error) {
	query := url.Values{}
	setBool(query, "sanitize", f.opts.Sanitize)
	var from int64
	if f.opts.SendAfterID {
		from = f.news.cursor()
		setAfterID(query, from)
	}
	stream, err := f.client.openEvents(ctx, f.sessionID, query, f.opts.IdleTimeout)
	if err != nil {
		return false, false, err
	}
	f.news.connect(from)
	for event, err := range stream.Events() {
		if err != nil {
			return progress, false, err
		}
		if !f.news.admit(event) {
			continue
		}
		progress = true
		if f.wanted(event.Type) && !yield(event, nil) {
			return progress, true, nil
		}
	}
	return progress, false, nil
}

func (f *follower) wanted(kind EventType) bool {
	return len(f.opts.EventTypes) == 0 || slices.Contains(f.opts.EventTypes, kind)
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
	path := "/" + strings.Join(sessionPath(url.PathEscape(f.sessionID), "events"), "/")
	return &StreamError{Method: http.MethodGet, Path: path, Err: cause}
}
