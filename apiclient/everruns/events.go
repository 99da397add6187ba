package everruns

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

const (
	// DefaultIdleTimeout is that of the vendor's SDKs; the API sends a comment
	// about every 30 seconds.
	DefaultIdleTimeout = 45 * time.Second

	maxEventSize = 4 << 20
)

// EventContext says what an event belongs to.
type EventContext struct {
	TurnID         string `json:"turn_id,omitempty"`
	InputMessageID string `json:"input_message_id,omitempty"`
	ExecID         string `json:"exec_id,omitempty"`
	TraceID        string `json:"trace_id,omitempty"`
	SpanID         string `json:"span_id,omitempty"`
	ParentSpanID   string `json:"parent_span_id,omitempty"`
}

// Event is one event of a session. Data is its payload as it came; see
// [DataOf].
type Event struct {
	ID        string          `json:"id"` // event_ and 32 hexadecimal digits, in the order of time
	Type      EventType       `json:"type"`
	TS        Timestamp       `json:"ts"`
	SessionID string          `json:"session_id"`
	Context   EventContext    `json:"context"`
	Data      json.RawMessage `json:"data"`

	Sequence int64           `json:"sequence,omitempty"` // from 1, increasing within the session; 0 if not given
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Tags     []string        `json:"tags,omitempty"`
}

// UnmarshalJSON takes what it can: payloads differ between vintages, and one
// odd field is no reason to lose the others.
func (e *Event) UnmarshalJSON(raw []byte) error {
	*e = Event{}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	for name, into := range map[string]any{
		"id": &e.ID, "type": &e.Type, "ts": &e.TS, "session_id": &e.SessionID, "context": &e.Context,
		"sequence": &e.Sequence, "tags": &e.Tags,
	} {
		_ = json.Unmarshal(fields[name], into)
	}
	e.Data, e.Metadata = fields["data"], fields["metadata"]
	return nil
}

// ListEventsOptions selects events. The zero value gives them all.
type ListEventsOptions struct {
	// SinceID is exclusive: only events behind that one are given.
	SinceID string
	// Exclude names up to 25 types to leave out. The API answers 400 for one
	// that it does not know.
	Exclude []EventType

	// The fields below are of the current profile.

	Types          []EventType
	Limit          int // 1 to 1000: the last ones
	BeforeSequence int64
	AfterSequence  int64
	TurnID         string
}

// ListEvents returns the events of a session, the oldest first.
func (c *Client) ListEvents(ctx context.Context, sessionID string, opts ListEventsOptions) ([]Event, error) {
	query := url.Values{}
	setString(query, "since_id", opts.SinceID)
	setEach(query, "exclude", opts.Exclude)
	setEach(query, "types", opts.Types)
	setInt(query, "limit", int64(opts.Limit))
	setInt(query, "before_sequence", opts.BeforeSequence)
	setInt(query, "after_sequence", opts.AfterSequence)
	setString(query, "turn_id", opts.TurnID)
	var list dataList[Event]
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID, "events"),
		Query:  query,
	}, &list)
	return list.data, err
}

// EventsOptions selects what a stream tells. The zero value tells everything,
// from the session's beginning.
type EventsOptions struct {
	SinceID string // exclusive
	Exclude []EventType
	Types   []EventType // current profile
	// IdleTimeout is the longest silence to wait through; comments count as
	// sound. Zero means DefaultIdleTimeout.
	IdleTimeout time.Duration
}

// EventStream is an open stream of a session's events.
type EventStream struct {
	stream *rest.Stream
}

// Events opens the session's event stream, which lives as long as the context.
// It begins with [EventConnected], and the API ends it every few minutes, after
// [EventDisconnecting]; [Client.Follow] goes on from there. Close it, or range
// over its events to the end.
func (c *Client) Events(ctx context.Context, sessionID string, opts EventsOptions) (*EventStream, error) {
	query := url.Values{}
	setString(query, "since_id", opts.SinceID)
	setEach(query, "exclude", opts.Exclude)
	setEach(query, "types", opts.Types)
	stream, err := c.rest.Stream(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID, "sse"),
		Query:  query,
	}, rest.StreamOptions{
		IdleTimeout:  rest.OrDefault(opts.IdleTimeout, DefaultIdleTimeout),
		MaxEventSize: maxEventSize,
	})
	if err != nil {
		return nil, err
	}
	return &EventStream{stream: stream}, nil
}

// Events yields the events as they come, and a [*StreamError] as the last item
// when the stream breaks. It can be ranged over once, and closes the stream
// when the loop is left.
func (s *EventStream) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for event, err := range s.stream.Events() {
			if err != nil {
				yield(Event{}, err)
				return
			}
			if !yield(parseEvent(event), nil) {
				return
			}
		}
	}
}

// Close ends the stream. It may be called twice, and while another goroutine
// is ranging over the events, whose loop then ends without an error.
func (s *EventStream) Close() error {
	return s.stream.Close()
}

// parseEvent reads a frame whose data is a whole event. What is not one, such
// as the events of the connection, is the payload of an event of the frame's
// type.
func parseEvent(raw rest.Event) Event {
	var event Event
	if json.Unmarshal(raw.Data, &event) == nil && event.ID != "" {
		event.Type = cmp.Or(event.Type, EventType(raw.Type))
		return event
	}
	return Event{ID: raw.ID, Type: EventType(raw.Type), Data: raw.Data}
}
