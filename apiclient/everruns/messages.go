package everruns

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// InputMessage is a message of the user.
type InputMessage struct {
	Role    MessageRole `json:"role,omitempty"` // user, which is the default
	Content Content     `json:"content"`
}

// Controls say how a message is to be worked on.
type Controls struct {
	ModelID   string           `json:"model_id,omitempty"`
	Reasoning *ReasoningConfig `json:"reasoning,omitempty"`
}

// ReasoningConfig says how much the model is to think.
type ReasoningConfig struct {
	Effort ReasoningEffort `json:"effort,omitempty"`
}

// CreateMessageRequest is a message for the agent.
type CreateMessageRequest struct {
	Message  InputMessage `json:"message"`
	Controls *Controls    `json:"controls,omitempty"`
	// Metadata comes back on the message, in the list as in its event.
	Metadata map[string]any `json:"metadata,omitempty"`
	Tags     []string       `json:"tags,omitempty"`
}

// Message is one message of a session.
type Message struct {
	ID        string      `json:"id"` // message_ and 32 hexadecimal digits
	Role      MessageRole `json:"role"`
	Content   Content     `json:"content"`
	CreatedAt Timestamp   `json:"created_at"`

	Controls          *Controls       `json:"controls,omitempty"`
	Metadata          json.RawMessage `json:"metadata,omitempty"`
	Thinking          string          `json:"thinking,omitempty"`
	ThinkingSignature string          `json:"thinking_signature,omitempty"`

	// In a list alone.
	SessionID string `json:"session_id,omitempty"`
	Sequence  int64  `json:"sequence,omitempty"`
}

// CreateMessage gives the session a message, which begins a turn. Success means
// that the message was accepted. What becomes of one that comes while a turn is
// under way is up to the server: it may queue, join the turn or be refused with
// 409 or 429.
func (c *Client) CreateMessage(ctx context.Context, sessionID string, in CreateMessageRequest) (Message, error) {
	var message Message
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   sessionPath(sessionID, "messages"),
		Body:   in,
	}, &message)
	return message, err
}

// ListMessages returns all messages of a session.
func (c *Client) ListMessages(ctx context.Context, sessionID string) ([]Message, error) {
	var list dataList[Message]
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID, "messages"),
	}, &list)
	return list.data, err
}

// ToolResult is the result of a client-side tool call, or its error. Current
// profile.
type ToolResult struct {
	ToolCallID string          `json:"tool_call_id"`
	Result     json.RawMessage `json:"result,omitempty"` // any JSON value
	Error      string          `json:"error,omitempty"`
}

// ToolResultsReply is the answer to tool results.
type ToolResultsReply struct {
	// Accepted is how many results were taken, nil if the API does not say.
	Accepted *int64 `json:"accepted,omitempty"`
	// Status is the session's, with underscores.
	Status SessionStatus `json:"status"`
}

// SubmitToolResults answers the tool calls that a session waits for. The API
// answers 409 when it does not wait for them: not yet, or not any more. Current
// profile.
func (c *Client) SubmitToolResults(ctx context.Context, sessionID string, results []ToolResult) (ToolResultsReply, error) {
	var reply ToolResultsReply
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   sessionPath(sessionID, "tool-results"),
		Body: struct {
			ToolResults []ToolResult `json:"tool_results"`
		}{results},
	}, &reply)
	return reply, err
}
