package everruns

import (
	"encoding/json"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// timestamp is ISO 8601 in UTC with milliseconds.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// sessionNote is what the face keeps with a session.
type sessionNote struct {
	AgentID      string          `json:"agent_id"`
	Title        *string         `json:"title,omitempty"`
	Tags         []string        `json:"tags,omitempty"`
	ModelID      *string         `json:"model_id,omitempty"`
	Capabilities json.RawMessage `json:"capabilities,omitempty"`
	// Questions is how the session's agent asks, whatever the server does with
	// later sessions: what has been told must not change.
	Questions Asking    `json:"questions"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// noteOf reads what the face keeps with a session. It was written by the face.
func noteOf(s *sessions.Session) (n sessionNote) {
	_ = json.Unmarshal(s.Note(), &n)
	return n
}

// messageNote is what the face keeps with a user's message: how it was sent, or
// what it answers.
type messageNote struct {
	Content  json.RawMessage `json:"content,omitempty"`
	Controls json.RawMessage `json:"controls,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Tags     []string        `json:"tags,omitempty"`

	ToolResult  *toolResult  `json:"tool_result,omitempty"`
	TaskMessage *taskMessage `json:"task_message,omitempty"`
}

type sessionBody struct {
	ID             string          `json:"id"`
	OrganizationID string          `json:"organization_id"`
	AgentID        string          `json:"agent_id"`
	Status         string          `json:"status"`
	Title          *string         `json:"title"`
	Tags           []string        `json:"tags"`
	ModelID        *string         `json:"model_id"`
	Capabilities   json.RawMessage `json:"capabilities"`
	Preview        *string         `json:"preview"`
	OutputPreview  *string         `json:"output_preview"`
	CreatedAt      string          `json:"created_at"`
	UpdatedAt      string          `json:"updated_at"`
	StartedAt      *string         `json:"started_at"`
	FinishedAt     *string         `json:"finished_at"` // sessions never finish
	Usage          *struct{}       `json:"usage"`

	// The current profile has these as well.
	HarnessID        string `json:"harness_id,omitempty"`
	OwnerPrincipalID string `json:"owner_principal_id,omitempty"`
	WorkspaceID      string `json:"workspace_id,omitempty"`
	urls
}

// urls are where a resource of the current profile is, and what can be done
// with it.
type urls struct {
	SelfURL        string   `json:"self_url,omitempty"`
	ViewURL        string   `json:"view_url,omitempty"`
	UILink         string   `json:"ui_link,omitempty"`
	AllowedActions []action `json:"allowed_actions,omitempty"`
}

type action struct {
	Rel    string `json:"rel"`
	Href   string `json:"href"`
	Method string `json:"method"`
}

type pageBody struct {
	Data    []sessionBody `json:"data"`
	Total   int           `json:"total"`
	Offset  int           `json:"offset"`
	Limit   int           `json:"limit"`
	NextURL string        `json:"next_url,omitempty"`
	PrevURL string        `json:"prev_url,omitempty"`
}

// listBody is a list that comes as a whole.
type listBody[T any] struct {
	Data []T `json:"data"`
}

// part is a piece of a message's content; which fields it has depends on Type.
type part struct {
	Type       string          `json:"type"`
	Text       *string         `json:"text,omitempty"`
	ID         string          `json:"id,omitempty"`
	Name       string          `json:"name,omitempty"`
	Arguments  any             `json:"arguments,omitempty"`
	ToolCallID string          `json:"tool_call_id,omitempty"`
	Result     json.RawMessage `json:"result,omitempty"`
	Error      string          `json:"error,omitempty"`
}

func textPart(text string) part { return part{Type: "text", Text: &text} }

type message struct {
	ID        string          `json:"id"`
	Role      string          `json:"role"`
	Content   any             `json:"content"`
	CreatedAt string          `json:"created_at"`
	Controls  json.RawMessage `json:"controls,omitempty"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
	Tags      []string        `json:"tags,omitempty"`
}

// listedMessage is a message as the list of messages has it.
type listedMessage struct {
	message
	SessionID string `json:"session_id"`
	Sequence  int    `json:"sequence"`
}

type event struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	TS        string          `json:"ts"`
	SessionID string          `json:"session_id"`
	Context   eventContext    `json:"context"`
	Data      any             `json:"data"`
	Sequence  int             `json:"sequence"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
	Tags      []string        `json:"tags,omitempty"`
}

type eventContext struct {
	TurnID         string `json:"turn_id,omitempty"`
	InputMessageID string `json:"input_message_id,omitempty"`
	ExecID         string `json:"exec_id,omitempty"`
}

// toolCall is a call that is to be made.
type toolCall struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Arguments map[string]any `json:"arguments"`
}

// resultText is a result as people read it: the string itself, or its JSON.
func resultText(m agent.Message) string {
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return text
	}
	return string(m.Content)
}

// previewLength is how much of a text its preview has, in characters.
const previewLength = 200

func preview(text string) *string {
	if text == "" {
		return nil
	}
	if runes := []rune(text); len(runes) > previewLength {
		text = string(runes[:previewLength])
	}
	return &text
}
