package agi

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

const (
	// DefaultIdleTimeout lets two of the API's heartbeats, one about every 30
	// seconds, go missing.
	DefaultIdleTimeout = 75 * time.Second

	maxEventSize = 4 << 20
)

// EventsOptions selects events. The zero value gives them all, from the
// session's beginning.
type EventsOptions struct {
	EventTypes []EventType
	// Sanitize and IncludeHistory are true by the API's default. With history,
	// a stream begins with every event so far, including the done of an
	// earlier task; tell them apart by MessageID.
	Sanitize       *bool
	IncludeHistory *bool
	// IdleTimeout is the longest silence to wait through; heartbeats and
	// comments count as sound. Zero means DefaultIdleTimeout.
	IdleTimeout time.Duration
}

// Event is one event of a session. Which fields it carries depends on its
// type; Data holds the payload as it came, whether or not it is JSON.
type Event struct {
	Type EventType
	// MessageID is the id of the message behind the event, or 0. It is taken
	// from the data, or else from the id line, which the vendor's documentation
	// shows with the same number.
	MessageID int64
	Text      string          // thought, question, log, done
	Result    json.RawMessage // done
	Error     string          // error
	// StatusCode is what an error event says, or 0.
	StatusCode int
	Timestamp  Timestamp // heartbeat
	Data       []byte
}

// EventStream is an open stream of a session's events.
type EventStream struct {
	stream *rest.Stream
}

// Events opens the session's event stream, which lives as long as the context.
// The API ends it after done or error and knows no cursor: a new stream begins
// anew, and [Client.Follow] tells what is new in it. Close it, or range over
// its events to the end.
func (c *Client) Events(ctx context.Context, sessionID string, opts EventsOptions) (*EventStream, error) {
	query := url.Values{}
	if len(opts.EventTypes) > 0 {
		names := make([]string, len(opts.EventTypes))
		for i, eventType := range opts.EventTypes {
			names[i] = string(eventType)
		}
		query.Set("event_types", strings.Join(names, ","))
	}
	setBool(query, "sanitize", opts.Sanitize)
	setBool(query, "include_history", opts.IncludeHistory)
	return c.openEvents(ctx, sessionID, query, opts.IdleTimeout)
}

func (c *Client) openEvents(ctx context.Context, sessionID string, query url.Values, idle time.Duration) (*EventStream, error) {
	stream, err := c.rest.Stream(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID, "events"),
		Query:  query,
	}, rest.StreamOptions{
		IdleTimeout:  cmp.Or(idle, DefaultIdleTimeout),
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

// parseEvent takes what it can: most payloads are not documented, and one odd
// field is no reason to lose the others.
func parseEvent(raw rest.Event) Event {
	var payload struct {
		MessageID  json.RawMessage `json:"message_id"`
		Text       json.RawMessage `json:"text"`
		Result     json.RawMessage `json:"result"`
		Error      json.RawMessage `json:"error"`
		StatusCode int             `json:"status_code"`
		Timestamp  Timestamp       `json:"timestamp"`
	}
	_ = json.Unmarshal(raw.Data, &payload)
	return Event{
		Type:       EventType(raw.Type),
		MessageID:  messageID(raw, payload.MessageID),
		Text:       ContentText(payload.Text),
		Result:     payload.Result,
		Error:      ContentText(payload.Error),
		StatusCode: payload.StatusCode,
		Timestamp:  payload.Timestamp,
		Data:       raw.Data,
	}
}

// messageID reads a number with or without quotes. A heartbeat has no message
// behind it, whatever its id line counts.
func messageID(raw rest.Event, inData json.RawMessage) int64 {
	if EventType(raw.Type) == EventHeartbeat {
		return 0
	}
	for _, text := range []string{strings.Trim(string(inData), `"`), raw.ID} {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil && id > 0 {
			return id
		}
	}
	return 0
}
