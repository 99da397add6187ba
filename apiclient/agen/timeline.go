package agen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// SendMessageRequest is a task, an answer or a remark for the agent.
type SendMessageRequest struct {
	// Message holds at least one character.
	Message string `json:"message"`
	// ClientID comes back on the event. The vendor does not promise that a
	// second message of the same id is refused.
	ClientID string `json:"client_id,omitempty"`
}

// SessionEvent is one item of a session's timeline. Its status, and with it
// UpdatedAt, changes in place.
type SessionEvent struct {
	ID        string    `json:"id"`
	SessionID string    `json:"session_id"`
	Type      EventType `json:"type"`
	// Payload is an object whose shape depends on the type; see
	// [SessionEvent.Text]. The vendor documents that of a user_message alone.
	Payload   json.RawMessage `json:"payload"`
	Status    EventStatus     `json:"status"`
	CreatedAt Timestamp       `json:"created_at"`
	UpdatedAt Timestamp       `json:"updated_at"`

	// The fields below are empty where the API gives null.

	ClientID      string `json:"client_id,omitempty"` // of the message
	SessionGoalID string `json:"session_goal_id,omitempty"`
	SessionTaskID string `json:"session_task_id,omitempty"`
}

// Text returns the payload for people: see [PayloadText].
func (e SessionEvent) Text() string { return PayloadText(e.Payload) }

// Timeline is the answer to [Client.Timeline].
type Timeline struct {
	Events []SessionEvent
	Date   time.Time // the server's clock, from the answer's Date header; zero without one
}

// SendMessage gives the session a message and returns it as an event. The agent
// begins with it at once, or has it queued while it is busy. An answer to an
// agent_ask_user event is a message too, as far as is known.
func (c *Client) SendMessage(ctx context.Context, sessionID string, in SendMessageRequest) (SessionEvent, error) {
	var reply eventReply
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   sessionPath(sessionID, "messages"),
		Body:   in,
	}, &reply)
	return reply.event, err
}

// Timeline returns all that was said and done in the session. The vendor does
// not say in which order.
func (c *Client) Timeline(ctx context.Context, sessionID string) (Timeline, error) {
	var reply eventsReply
	var timeline Timeline
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID, "events"),
		Date:   &timeline.Date,
	}, &reply)
	timeline.Events = reply
	return timeline, err
}

// PayloadText turns the payload of an event into text for people: the first of
// its question, message and text that is a string and not empty, or a payload
// that is a string itself. Any other payload is shown as compact JSON, null and
// an object with no more than a type as nothing.
func PayloadText(payload json.RawMessage) string {
	var text string
	if json.Unmarshal(payload, &text) == nil {
		return text
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(payload, &object) == nil {
		delete(object, "type")
		if len(object) == 0 {
			return ""
		}
		for _, key := range []string{"question", "message", "text"} {
			if json.Unmarshal(object[key], &text) == nil && text != "" {
				return text
			}
		}
	}
	var compact bytes.Buffer
	if json.Compact(&compact, payload) != nil {
		return ""
	}
	return compact.String()
}

// eventReply refuses an answer without an id, which is no event.
type eventReply struct{ event SessionEvent }

func (r *eventReply) UnmarshalJSON(raw []byte) error {
	if err := json.Unmarshal(raw, &r.event); err != nil {
		return err
	}
	if r.event.ID == "" {
		return errors.New("id is missing")
	}
	return nil
}

// eventsReply refuses null, and events without an id, which could not be told
// from one another.
type eventsReply []SessionEvent

func (r *eventsReply) UnmarshalJSON(raw []byte) error {
	var events []SessionEvent
	if err := json.Unmarshal(raw, &events); err != nil {
		return err
	}
	if events == nil {
		return errors.New("no list of events")
	}
	for _, e := range events {
		if e.ID == "" {
			return errors.New("id of an event is missing")
		}
	}
	*r = events
	return nil
}
