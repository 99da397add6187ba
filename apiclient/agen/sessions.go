package agen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// CreateSessionRequest describes the session to create; the zero value is a
// valid request.
type CreateSessionRequest struct {
	// BranchName is the git branch to use. Nil is sent as null: the API wants
	// the key in every request.
	BranchName *string `json:"branch_name"`
	// AutoCommit lets the agent commit on its own.
	AutoCommit bool `json:"auto_commit"`
	// Model is a model code that overrides the default of the workspace.
	Model string `json:"model,omitempty"`
}

// Session is an agent session.
type Session struct {
	ID string `json:"id"`
	// Title is made by the vendor out of the first message.
	Title       string `json:"title"`
	WorkspaceID string `json:"workspace_id"`
	UserID      string `json:"user_id"`
	// BranchName is empty where the session has no branch.
	BranchName string        `json:"branch_name"`
	AutoCommit bool          `json:"auto_commit"`
	Status     SessionStatus `json:"status"`
	Origin     Origin        `json:"origin"`
	CreatedAt  Timestamp     `json:"created_at"`
	UpdatedAt  Timestamp     `json:"updated_at"`

	// The fields below are optional.

	SandboxID   string      `json:"sandbox_id,omitempty"` // assigned at the moment
	Model       string      `json:"model,omitempty"`
	AgentStatus AgentStatus `json:"agent_status,omitempty"`
	MergedAt    Timestamp   `json:"merged_at,omitzero"` // of its merge request
	DeepWorkID  string      `json:"deep_work_id,omitempty"`
}

// CreateSession creates a session. No work starts before its first message.
func (c *Client) CreateSession(ctx context.Context, in CreateSessionRequest) (Session, error) {
	return c.session(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   []string{"api", "v1", "sessions"},
		Body:   in,
	})
}

// Session returns one session. The vendor does not document this call, and a
// 404 may mean either that there is no such session or no such call.
func (c *Client) Session(ctx context.Context, sessionID string) (Session, error) {
	return c.session(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID),
	})
}

// UpdateSession sends the changes, which are encoded as JSON, and returns the
// session after them. The vendor documents that a session can be updated, but
// neither with which method and path nor which fields: PATCH on the session's
// own path is an assumption.
func (c *Client) UpdateSession(ctx context.Context, sessionID string, changes any) (Session, error) {
	if changes == nil {
		return Session{}, fmt.Errorf("%w: update of a session without changes", ErrInvalidRequest)
	}
	return c.session(ctx, rest.Request{
		Method: http.MethodPatch,
		Path:   sessionPath(sessionID),
		Body:   changes,
	})
}

func (c *Client) session(ctx context.Context, req rest.Request) (Session, error) {
	var reply sessionReply
	err := c.rest.Do(ctx, req, &reply)
	return reply.session, err
}

// ListOptions selects sessions. The zero value gives the first page of all.
type ListOptions struct {
	Status SessionStatus
	UserID string
	// Include asks for more about each session, mr_pipeline_summary for one.
	Include string
	// Cursor is the NextCursor of the page before. The vendor does not document
	// what it is called in a query; "cursor" is an assumption.
	Cursor string
}

// SessionPage is the answer to [Client.ListSessions].
type SessionPage struct {
	Items      []Session
	NextCursor string    // empty on the last page
	Date       time.Time // the server's clock, from the answer's Date header; zero without one
}

// SessionList is a whole list of sessions.
type SessionList struct {
	Sessions []Session
	Date     time.Time // of the last page
}

// ListSessions returns one page of the sessions that the key may see.
func (c *Client) ListSessions(ctx context.Context, opts ListOptions) (SessionPage, error) {
	query := url.Values{}
	for name, value := range map[string]string{
		"status": string(opts.Status), "user_id": opts.UserID, "include": opts.Include, "cursor": opts.Cursor,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var reply pageReply
	var date time.Time
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   []string{"api", "v1", "sessions"},
		Query:  query,
		Date:   &date,
	}, &reply)
	reply.page.Date = date
	return reply.page, err
}

// ListAllSessions returns the sessions of all pages from opts.Cursor on, each
// once. A list that its cursor does not lead through is [ErrRepeatedPage], so
// what it returns without an error is whole.
func (c *Client) ListAllSessions(ctx context.Context, opts ListOptions) (SessionList, error) {
	var list SessionList
	cursors, ids := map[string]bool{opts.Cursor: true}, map[string]bool{}
	for {
		page, err := c.ListSessions(ctx, opts)
		if err != nil {
			return SessionList{}, err
		}
		known := 0
		for _, s := range page.Items {
			if ids[s.ID] {
				known++ // pages may overlap where sessions are made meanwhile
				continue
			}
			ids[s.ID] = true
			list.Sessions = append(list.Sessions, s)
		}
		list.Date = page.Date
		if len(page.Items) > 0 && known == len(page.Items) {
			return SessionList{}, fmt.Errorf("agen: list sessions: %w", ErrRepeatedPage)
		}
		if page.NextCursor == "" {
			return list, nil
		}
		if cursors[page.NextCursor] {
			return SessionList{}, fmt.Errorf("agen: list sessions: %w", ErrRepeatedPage)
		}
		cursors[page.NextCursor] = true
		opts.Cursor = page.NextCursor
	}
}

func sessionPath(sessionID string, rest ...string) []string {
	return append([]string{"api", "v1", "sessions", sessionID}, rest...)
}

// sessionReply refuses an answer without an id: the session could not be used.
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

// pageReply refuses an answer without items or cursor, which the API promises:
// a list that is taken for whole must not be a part.
type pageReply struct{ page SessionPage }

func (r *pageReply) UnmarshalJSON(raw []byte) error {
	var reply struct {
		Items      *[]Session      `json:"items"`
		NextCursor json.RawMessage `json:"next_cursor"`
	}
	if err := json.Unmarshal(raw, &reply); err != nil {
		return err
	}
	switch {
	case reply.Items == nil:
		return errors.New("items is missing")
	case reply.NextCursor == nil:
		return errors.New("next_cursor is missing")
	}
	if err := json.Unmarshal(reply.NextCursor, &r.page.NextCursor); err != nil {
		return fmt.Errorf("next_cursor: %w", err)
	}
	for _, s := range *reply.Items {
		if s.ID == "" {
			return errors.New("id of a session is missing")
		}
	}
	r.page.Items = *reply.Items
	return nil
}
