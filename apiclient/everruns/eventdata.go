package everruns

import "encoding/json"

// DataOf reads the payload of an event as one of the types below, or as one of
// the caller's.
func DataOf[T any](e Event) (T, error) {
	var data T
	err := json.Unmarshal(e.Data, &data)
	return data, err
}

// TurnData is what the events of a turn and of a session's activity say; which
// fields are set depends on the type.
type TurnData struct {
	TurnID         string      `json:"turn_id"`
	InputMessageID string      `json:"input_message_id,omitempty"` // turn.started, session.activated
	InputContent   string      `json:"input_content,omitempty"`    // turn.started, turn.completed
	Iterations     int64       `json:"iterations,omitempty"`       // turn.completed, session.idled
	DurationMS     int64       `json:"duration_ms,omitempty"`      // turn.completed
	Error          string      `json:"error,omitempty"`            // turn.failed
	ErrorCode      string      `json:"error_code,omitempty"`       // turn.failed
	Reason         string      `json:"reason,omitempty"`           // turn.cancelled, turn.sealed
	Usage          *TokenUsage `json:"usage,omitempty"`
}

// MessageData is what input.message and output.message.completed say.
type MessageData struct {
	Message  Message         `json:"message"`
	Metadata json.RawMessage `json:"metadata,omitempty"` // about the model
	Usage    *TokenUsage     `json:"usage,omitempty"`
}

// ReasonCompletedData is what reason.completed says.
type ReasonCompletedData struct {
	Success       bool        `json:"success"`
	HasToolCalls  bool        `json:"has_tool_calls"`
	ToolCallCount int64       `json:"tool_call_count"`
	TextPreview   string      `json:"text_preview,omitempty"` // up to 200 characters
	DurationMS    int64       `json:"duration_ms,omitempty"`
	Error         string      `json:"error,omitempty"`
	Usage         *TokenUsage `json:"usage,omitempty"`
}

// ThinkingData is what reason.thinking.completed says.
type ThinkingData struct {
	TurnID   string `json:"turn_id"`
	Thinking string `json:"thinking"`
}

// DeltaData is what reason.thinking.delta and output.message.delta say.
type DeltaData struct {
	TurnID      string `json:"turn_id"`
	Delta       string `json:"delta"`
	Accumulated string `json:"accumulated"`
}

// ToolCall is a call of a tool.
type ToolCall struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

// ToolStartedData is what tool.started says.
type ToolStartedData struct {
	ToolCall ToolCall `json:"tool_call"`
}

// ToolCompletedData is what tool.completed says.
type ToolCompletedData struct {
	ToolCallID string  `json:"tool_call_id"`
	ToolName   string  `json:"tool_name"`
	Success    bool    `json:"success"`
	Status     string  `json:"status"` // success, error, timeout, cancelled
	Result     Content `json:"result,omitempty"`
	Error      string  `json:"error,omitempty"`
	DurationMS int64   `json:"duration_ms,omitempty"`
}

// ToolCallsData is what act.started and, of the current profile,
// tool.call_requested say. The latter asks the client for the results.
type ToolCallsData struct {
	ToolCalls []ToolCall `json:"tool_calls"`
	Headline  string     `json:"headline,omitempty"`
}

// ActCompletedData is what act.completed says.
type ActCompletedData struct {
	Completed    bool  `json:"completed"`
	SuccessCount int64 `json:"success_count"`
	ErrorCount   int64 `json:"error_count"`
	DurationMS   int64 `json:"duration_ms,omitempty"`
}

// ConnectionData is what connected and disconnecting say.
type ConnectionData struct {
	Status  string `json:"status,omitempty"`   // connected
	Reason  string `json:"reason,omitempty"`   // connection_cycle, server_maintenance
	RetryMS int64  `json:"retry_ms,omitempty"` // how long to wait before the next connection
}
