package agen

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/errand-dev/errand/sessionserver/internal/face"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// sessionBody is a session on the wire. The fields behind UpdatedAt are
// optional in the vendor's documentation.
type sessionBody struct {
	ID          string      `json:"id"`
	Title       string      `json:"title"`
	WorkspaceID string      `json:"workspace_id"`
	UserID      string      `json:"user_id"`
	BranchName  *string     `json:"branch_name"`
	AutoCommit  bool        `json:"auto_commit"`
	Status      lifecycle   `json:"status"`
	Origin      string      `json:"origin"`
	CreatedAt   string      `json:"created_at"`
	UpdatedAt   string      `json:"updated_at"`
	SandboxID   *string     `json:"sandbox_id"`
	Model       string      `json:"model"`
	AgentStatus agentStatus `json:"agent_status"`
	MergedAt    *string     `json:"merged_at"`
	DeepWorkID  *string     `json:"deep_work_id"`
}

// lifecycle is the status of a session, in words that are nobody's but ours.
type lifecycle string

// The lifecycle statuses. No branch is merged here, so there is no merged.
const (
	active   lifecycle = "active"
	finished lifecycle = "finished"
	closed   lifecycle = "closed"
)

// agentStatus is what the agent does, in words of ours, too.
type agentStatus string

// The agent statuses.
const (
	idle           agentStatus = "idle"
	working        agentStatus = "working"
	waitingForUser agentStatus = "waiting_for_user"
	inError        agentStatus = "error"
)

func statuses(s sessions.Status) (lifecycle, agentStatus) {
	switch s.Phase {
	case sessions.Running:
		return active, working
	case sessions.Waiting:
		return active, waitingForUser
	case sessions.Finished:
		return finished, idle
	case sessions.Failed:
		return active, inError
	}
	return active, idle
}

type pageBody struct {
	Items      []sessionBody `json:"items"`
	NextCursor *string       `json:"next_cursor"`
}

// invalid is a request that the API does not take.
type invalid string

func (e invalid) Error() string { return string(e) }

// refuse answers with an error of this text.
func (f *Face) refuse(w http.ResponseWriter, _ *http.Request, code int, text string) {
	body := map[string]any{"message": text, "error": http.StatusText(code), "statusCode": code}
	switch f.ErrorBody {
	case "message":
		body = map[string]any{"message": text}
	case "error":
		body = map[string]any{"error": text}
	}
	writeJSON(w, code, body)
}

// fail answers with what an error of the engine or of a request means here.
func (f *Face) fail(w http.ResponseWriter, r *http.Request, err error) {
	var wrong invalid
	switch {
	case errors.As(err, &wrong):
		f.refuse(w, r, http.StatusBadRequest, wrong.Error())
	case errors.Is(err, errClosed):
		f.refuse(w, r, http.StatusConflict, "The session is closed")
	default:
		f.Fail(w, r, err)
	}
}

// fields are those of a body, so that a key that is missing is told from null.
type fields map[string]json.RawMessage

func decode(r *http.Request) (fields, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(body) {
		return nil, invalid("body must be valid UTF-8")
	}
	var f fields
	if err := json.Unmarshal(body, &f); err != nil || f == nil {
		return nil, invalid("body must be a JSON object")
	}
	return f, nil
}

// read puts a field into a variable; null and a missing key leave it as it is.
func (f fields) read(name, kind string, into any) error {
	if none(f[name]) {
		return nil
	}
	if json.Unmarshal(f[name], into) != nil {
		return invalid(fmt.Sprintf("body/%s must be %s", name, kind))
	}
	return nil
}

// none says whether there is nothing, or null.
func none(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// timestamp is ISO 8601 in UTC with milliseconds.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func writeJSON(w http.ResponseWriter, code int, v any) {
	face.WriteJSON(w, code, "application/json", v)
}

// maxTitle is how long a title is that the server makes, in characters.
const maxTitle = 60

// titleOf makes a title of the first that a user has said.
func titleOf(prompt string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(prompt), "\n")
	runes := []rune(strings.Join(strings.Fields(line), " "))
	if len(runes) <= maxTitle {
		return string(runes)
	}
	return string(runes[:maxTitle-1]) + "…"
}
