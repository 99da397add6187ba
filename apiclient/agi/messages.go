package agi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// SendMessageRequest is a task, an answer or a remark for the agent.
type SendMessageRequest struct {
	// Message holds 1 to 10,000 characters of valid UTF-8.
	Message string `json:"message"`
	// StartURL is where the browser begins; up to 2,000 characters.
	StartURL string `json:"start_url,omitempty"`
	// ConfigUpdates is free-form, and in the vendor's Node and Python SDKs only.
	ConfigUpdates map[string]any `json:"config_updates,omitempty"`
	// Context is in the vendor's C# SDK only.
	Context string `json:"context,omitempty"`
}

// Message is one entry of a session's transcript.
type Message struct {
	// ID increases within a session.
	ID        int64       `json:"id"`
	Type      MessageType `json:"type"`
	Timestamp Timestamp   `json:"timestamp"`
	// Content is a string, an object or a list of objects; see [Message.Text].
	Content json.RawMessage `json:"content"`
	// Metadata is an object of no documented shape.
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// Text returns the content for people: see [ContentText].
func (m Message) Text() string { return ContentText(m.Content) }

// MessageList is an answer to [Client.Messages].
type MessageList struct {
	Messages []Message `json:"messages"`
	// Status is the execution status at the time of the answer.
	Status   ExecutionStatus `json:"status"`
	HasAgent bool            `json:"has_agent"`
}

// MessagesOptions selects messages. The zero value gives them all.
type MessagesOptions struct {
	// AfterID is exclusive: only messages with a larger id are given.
	AfterID int64
	// Sanitize leaves out system messages, internal prompts and images; nil
	// means the API's default, true.
	Sanitize *bool
}

// SendMessage queues a message for the agent. Success means queued, not done.
// The API has no question id: an answer is the next message.
func (c *Client) SendMessage(ctx context.Context, sessionID string, in SendMessageRequest) (ActionResult, error) {
	var result ActionResult
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   sessionPath(sessionID, "message"),
		Body:   in,
	}, &result)
	return result, err
}

// Status returns the execution status. Right after a message was queued it may
// still be that of the task before.
func (c *Client) Status(ctx context.Context, sessionID string) (ExecutionStatus, error) {
	var reply struct {
		Status ExecutionStatus `json:"status"`
	}
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID, "status"),
	}, &reply)
	return reply.Status, err
}

// Messages returns the transcript behind opts.AfterID, together with the
// execution status.
func (c *Client) Messages(ctx context.Context, sessionID string, opts MessagesOptions) (MessageList, error) {
	query := url.Values{}
	setAfterID(query, opts.AfterID)
	setBool(query, "sanitize", opts.Sanitize)
	var list MessageList
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID, "messages"),
		Query:  query,
	}, &list)
	return list, err
}

func setAfterID(query url.Values, id int64) {
	if id != 0 {
		query.Set("after_id", strconv.FormatInt(id, 10))
	}
}

func setBool(query url.Values, name string, value *bool) {
	if value != nil {
		query.Set(name, strconv.FormatBool(*value))
	}
}
