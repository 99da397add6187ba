package everruns

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// CapabilityRef names a capability and its configuration, any JSON value.
type CapabilityRef struct {
	Ref    string          `json:"ref"`
	Config json.RawMessage `json:"config,omitempty"`
}

// CreateSessionRequest describes the session to create.
type CreateSessionRequest struct {
	// AgentID is agent_ and 32 hexadecimal digits. The current profile takes
	// AgentName in its place.
	AgentID string `json:"agent_id,omitempty"`
	// Capabilities are added after the agent's own.
	Capabilities []CapabilityRef `json:"capabilities,omitempty"`
	// ModelID is model_ and 32 hexadecimal digits; empty means the agent's.
	ModelID string   `json:"model_id,omitempty"`
	Tags    []string `json:"tags,omitempty"`
	Title   string   `json:"title,omitempty"`

	// The fields below are of the current profile.

	AgentName         string          `json:"agent_name,omitempty"`
	HarnessID         string          `json:"harness_id,omitempty"`
	HarnessName       string          `json:"harness_name,omitempty"`
	Locale            string          `json:"locale,omitempty"`
	MaxIterations     int             `json:"max_iterations,omitempty"`
	ParallelToolCalls *bool           `json:"parallel_tool_calls,omitempty"`
	SystemPrompt      string          `json:"system_prompt,omitempty"`
	Tools             json.RawMessage `json:"tools,omitempty"` // client-side ones
	WorkspaceID       string          `json:"workspace_id,omitempty"`
}

// TokenUsage counts tokens.
type TokenUsage struct {
	InputTokens         int64 `json:"input_tokens"`
	OutputTokens        int64 `json:"output_tokens"`
	CacheReadTokens     int64 `json:"cache_read_tokens,omitempty"`
	CacheCreationTokens int64 `json:"cache_creation_tokens,omitempty"`
}

// Session is a conversation with an agent.
type Session struct {
	ID             string        `json:"id"` // session_ and 32 hexadecimal digits
	OrganizationID string        `json:"organization_id"`
	AgentID        string        `json:"agent_id"`
	Status         SessionStatus `json:"status"`
	CreatedAt      Timestamp     `json:"created_at"`
	UpdatedAt      Timestamp     `json:"updated_at"`

	StartedAt     Timestamp       `json:"started_at,omitzero"`
	FinishedAt    Timestamp       `json:"finished_at,omitzero"` // sessions do not finish: it says nothing
	Title         string          `json:"title,omitempty"`
	ModelID       string          `json:"model_id,omitempty"`
	Preview       string          `json:"preview,omitempty"`        // the beginning of the first user message
	OutputPreview string          `json:"output_preview,omitempty"` // the beginning of the last answer
	Tags          []string        `json:"tags,omitempty"`
	Capabilities  []CapabilityRef `json:"capabilities,omitempty"`
	Usage         *TokenUsage     `json:"usage,omitempty"`

	// The fields below are of the current profile.

	HarnessID        string          `json:"harness_id,omitempty"`
	OwnerPrincipalID string          `json:"owner_principal_id,omitempty"`
	WorkspaceID      string          `json:"workspace_id,omitempty"`
	SelfURL          string          `json:"self_url,omitempty"`
	ViewURL          string          `json:"view_url,omitempty"`
	UILink           string          `json:"ui_link,omitempty"`
	AllowedActions   []AllowedAction `json:"allowed_actions,omitempty"`
}

// AllowedAction is something that can be done with a resource now.
type AllowedAction struct {
	Rel         string `json:"rel"`
	Href        string `json:"href,omitempty"`
	Method      string `json:"method,omitempty"`
	OperationID string `json:"operation_id,omitempty"`
	Hint        string `json:"hint,omitempty"`
}

// CreateSession creates a session. The agent does nothing before the first
// message.
func (c *Client) CreateSession(ctx context.Context, in CreateSessionRequest) (Session, error) {
	var reply sessionReply
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   []string{"v1", "sessions"},
		Body:   in,
	}, &reply)
	return reply.session, err
}

// ListSessionsOptions selects a page of sessions. The zero value is the first
// page of all.
type ListSessionsOptions struct {
	AgentID string
	Offset  int
	Limit   int    // 1 to 100; 0 means the API's default, 20
	Search  string // current profile
}

// SessionPage is one page of sessions, the newest first.
type SessionPage struct {
	Data   []Session
	Total  int // of all pages, at the time of the answer
	Offset int
	Limit  int

	Date time.Time // the server's clock, from the answer's Date header; zero without one
}

// UnmarshalJSON refuses a page without a list: it would read as "there are no
// sessions".
func (p *SessionPage) UnmarshalJSON(raw []byte) error {
	var list dataList[Session]
	var page struct {
		Total  int `json:"total"`
		Offset int `json:"offset"`
		Limit  int `json:"limit"`
	}
	if err := errors.Join(json.Unmarshal(raw, &list), json.Unmarshal(raw, &page)); err != nil {
		return err
	}
	p.Data, p.Total, p.Offset, p.Limit = list.data, page.Total, page.Offset, page.Limit
	return nil
}

// ListSessions returns one page of the organization's sessions.
func (c *Client) ListSessions(ctx context.Context, opts ListSessionsOptions) (SessionPage, error) {
	query := url.Values{}
	setString(query, "agent_id", opts.AgentID)
	setInt(query, "offset", int64(opts.Offset))
	setInt(query, "limit", int64(opts.Limit))
	setString(query, "search", opts.Search)
	var page SessionPage
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   []string{"v1", "sessions"},
		Query:  query,
		Date:   &page.Date,
	}, &page)
	return page, err
}

// Session returns one session. The API answers 404 for a session that is
// unknown, deleted or not the caller's, and 400 for what is not a session id.
func (c *Client) Session(ctx context.Context, sessionID string) (Session, error) {
	var reply sessionReply
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID),
	}, &reply)
	return reply.session, err
}

// UpdateSessionRequest changes what is set, and leaves the rest.
type UpdateSessionRequest struct {
	Title *string   `json:"title,omitempty"`
	Tags  *[]string `json:"tags,omitempty"`
}

// UpdateSession changes a session's title and tags.
func (c *Client) UpdateSession(ctx context.Context, sessionID string, in UpdateSessionRequest) (Session, error) {
	var reply sessionReply
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodPatch,
		Path:   sessionPath(sessionID),
		Body:   in,
	}, &reply)
	return reply.session, err
}

// DeleteSession deletes a session with all that it holds.
func (c *Client) DeleteSession(ctx context.Context, sessionID string) error {
	return c.rest.Do(ctx, rest.Request{
		Method: http.MethodDelete,
		Path:   sessionPath(sessionID),
	}, nil)
}

// CancelResult is the answer to a cancellation.
type CancelResult struct {
	Status  CancelStatus `json:"status"`
	Message string       `json:"message"` // for people
}

// CancelSession cancels the turn under way, if there is one. The session stays
// and takes new messages.
func (c *Client) CancelSession(ctx context.Context, sessionID string) (CancelResult, error) {
	var result CancelResult
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   sessionPath(sessionID, "cancel"),
	}, &result)
	return result, err
}

func sessionPath(sessionID string, rest ...string) []string {
	return append([]string{"v1", "sessions", sessionID}, rest...)
}

// sessionReply refuses an answer without an id: the session could neither be
// used nor deleted.
type sessionReply struct{ session Session }

func (r *sessionReply) UnmarshalJSON(raw []byte) error {
	if err := json.Unmarshal(raw, &r.session); err != nil {
		return err
	}
	if r.session.ID == "" {
		return errors.New("id is missing")
	}
	return nil
}
