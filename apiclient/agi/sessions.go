package agi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// CreateSessionRequest describes the session to create; the zero value is a
// valid request.
type CreateSessionRequest struct {
	// AgentName is agi-0 when empty; the vendor's documentation also names
	// agi-0-fast.
	AgentName string `json:"agent_name,omitempty"`
	// WebhookURL is an http or https URL of up to 2,000 characters.
	WebhookURL string `json:"webhook_url,omitempty"`
	// RestoreFromSessionID wins over RestoreDefaultEnvironmentFromUserID.
	RestoreFromSessionID                string `json:"restore_from_session_id,omitempty"`
	RestoreDefaultEnvironmentFromUserID string `json:"restore_default_environment_from_user_id,omitempty"`
	// EnableMemorySnapshot matters for a restored session; nil means true, and
	// false restores the file system alone.
	EnableMemorySnapshot *bool `json:"enable_memory_snapshot,omitempty"`

	// The fields below are in the vendor's SDKs and not in its documentation.

	// Goal starts a task at once.
	Goal string `json:"goal,omitempty"`
	// MaxSteps bounds a task; the SDKs send 100 where their user names none.
	MaxSteps                 int         `json:"max_steps,omitempty"`
	RestoreFromEnvironmentID string      `json:"restore_from_environment_id,omitempty"`
	AgentSessionType         SessionType `json:"agent_session_type,omitempty"`
	// CDPURL is the browser of an external-cdp session, in the Node SDK's word.
	CDPURL string `json:"cdp_url,omitempty"`
	// CDPWSURL is the same in the C# SDK's word.
	CDPWSURL        string          `json:"cdp_ws_url,omitempty"`
	EnvironmentType EnvironmentType `json:"environment_type,omitempty"`
	// Model is in the C# SDK only; for its values see [Client.Models].
	Model string `json:"model,omitempty"`
}

// Session is an agent session. Lists may leave out the optional fields.
type Session struct {
	SessionID string        `json:"session_id"` // a UUID
	AgentName string        `json:"agent_name"`
	Status    SessionStatus `json:"status"`
	CreatedAt Timestamp     `json:"created_at"`
	VNCURL    string        `json:"vnc_url,omitempty"` // where a person can watch

	// The fields below are in the vendor's Node and C# SDKs only.

	// EnvironmentID names what a snapshot is stored on; a restored session
	// keeps it.
	EnvironmentID string `json:"environment_id,omitempty"`
	// AgentURL is where the steps of a desktop session are asked for.
	AgentURL         string      `json:"agent_url,omitempty"`
	Goal             string      `json:"goal,omitempty"`
	AgentSessionType SessionType `json:"agent_session_type,omitempty"`
}

// DeleteOptions says what to keep of a session. The zero value keeps nothing.
type DeleteOptions struct {
	SaveSnapshotMode SnapshotMode
	// SaveAsDefault makes the snapshot the user's default environment. It
	// needs a mode other than none.
	SaveAsDefault bool
}

// DeleteResult is the answer to a deletion. An unknown session is not an error:
// Success is true and Deleted is false.
type DeleteResult struct {
	Success bool   `json:"success"`
	Deleted bool   `json:"deleted"`
	Message string `json:"message"`
}

// CreateSession creates a session. It starts no task unless it has a goal.
func (c *Client) CreateSession(ctx context.Context, in CreateSessionRequest) (Session, error) {
	var reply sessionReply
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   []string{"v1", "sessions"},
		Body:   in,
	}, &reply)
	return reply.session, err
}

// SessionList is the answer to a list of sessions.
type SessionList struct {
	Sessions []Session
	Date     time.Time // the server's clock, from the answer's Date header; zero without one
}

// ListSessions returns the caller's sessions, active and completed. The API
// does not page the list.
func (c *Client) ListSessions(ctx context.Context) (SessionList, error) {
	var list SessionList
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   []string{"v1", "sessions"},
		Date:   &list.Date,
	}, &list.Sessions)
	return list, err
}

// Session returns one session. The API answers 404 for a session that is
// unknown, deleted or not the caller's.
func (c *Client) Session(ctx context.Context, sessionID string) (Session, error) {
	var reply sessionReply
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID),
	}, &reply)
	return reply.session, err
}

// DeleteSession ends a session and keeps the snapshot that the options ask for.
func (c *Client) DeleteSession(ctx context.Context, sessionID string, opts DeleteOptions) (DeleteResult, error) {
	query := url.Values{}
	if opts.SaveSnapshotMode != "" {
		query.Set("save_snapshot_mode", string(opts.SaveSnapshotMode))
	}
	if opts.SaveAsDefault {
		query.Set("save_as_default", "true")
	}
	var result DeleteResult
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodDelete,
		Path:   sessionPath(sessionID),
		Query:  query,
	}, &result)
	return result, err
}

// DeleteAllSessions ends every session of the caller, without a snapshot.
// Deleted is false when there was none.
func (c *Client) DeleteAllSessions(ctx context.Context) (DeleteResult, error) {
	var result DeleteResult
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodDelete,
		Path:   []string{"v1", "sessions"},
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
	if r.session.SessionID == "" {
		return errors.New("session_id is missing")
	}
	return nil
}
