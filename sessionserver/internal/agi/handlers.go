package agi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// createRequest is the body of a create. Fields of the vendor's SDKs that have
// no meaning without a browser (environment_type, model, cdp_url) are ignored.
type createRequest struct {
	AgentName                string `json:"agent_name"`
	WebhookURL               string `json:"webhook_url"`
	RestoreFromSessionID     string `json:"restore_from_session_id"`
	RestoreDefaultFromUserID string `json:"restore_default_environment_from_user_id"`
	RestoreFromEnvironmentID string `json:"restore_from_environment_id"`
	EnableMemorySnapshot     *bool  `json:"enable_memory_snapshot"` // checked for its type only: agents have no memory apart from their state
	Goal                     string `json:"goal"`
	MaxSteps                 *int   `json:"max_steps"` // checked only: agents here do not count steps
	AgentSessionType         string `json:"agent_session_type"`
}

func (f *Face) create(w http.ResponseWriter, r *http.Request) {
	var req createRequest
	if err := decode(r, &req); err != nil {
		f.fail(w, r, err)
		return
	}
	if req.AgentName == "" {
		req.AgentName = DefaultAgent
	}
	var wrong invalid
	wrong.checkURL("webhook_url", req.WebhookURL)
	wrong.checkUUID("restore_from_session_id", req.RestoreFromSessionID)
	wrong.checkUUID("restore_from_environment_id", req.RestoreFromEnvironmentID)
	if req.MaxSteps != nil && *req.MaxSteps < 1 {
		wrong.add("body", "max_steps", "greater_than_equal", "Input should be greater than or equal to 1")
	}
	if t := req.AgentSessionType; t != "" && t != "managed-cdp" {
		wrong.add("body", "agent_session_type", "enum", "This server has managed-cdp sessions only")
	}
	if err := wrong.err(); err != nil {
		f.fail(w, r, err)
		return
	}
	s, err := f.Engine.Create(sessions.CreateOptions{
		Agent:      req.AgentName,
		Goal:       req.Goal,
		WebhookURL: req.WebhookURL,
		Restore: sessions.Restore{
			SessionID:     strings.ToLower(req.RestoreFromSessionID),
			Default:       req.RestoreDefaultFromUserID != "",
			EnvironmentID: strings.ToLower(req.RestoreFromEnvironmentID),
		},
	})
	if errors.Is(err, sessions.ErrUnknownAgent) {
		wrong.add("body", "agent_name", "enum", fmt.Sprintf("Unknown agent %q, this server has: %s",
			req.AgentName, strings.Join(f.Engine.Agents(), ", ")))
		err = wrong
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, f.body(r, s))
}

func (f *Face) body(r *http.Request, s *sessions.Session) sessionBody {
	status, _ := statuses(s.Status())
	return sessionBody{
		SessionID:     s.ID,
		VNCURL:        f.ViewURL(r, s),
		AgentName:     s.Agent,
		Status:        status,
		CreatedAt:     timestamp(s.CreatedAt),
		EnvironmentID: s.EnvironmentID,
		Goal:          s.Goal,
	}
}

func (f *Face) list(w http.ResponseWriter, r *http.Request) {
	all := f.Engine.Sessions()
	bodies := make([]sessionBody, len(all))
	for i, s := range all {
		bodies[i] = f.body(r, s)
	}
	writeJSON(w, http.StatusOK, bodies)
}

func (f *Face) show(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	writeJSON(w, http.StatusOK, f.body(r, s))
}

// delete tells an unknown session by deleted=false, not by a 404, as the
// vendor documentation has it.
func (f *Face) delete(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var wrong invalid
	o := sessions.SnapshotOptions{
		Mode:    sessions.SnapshotMode(q.Get("save_snapshot_mode")),
		Default: wrong.queryBool(q, "save_as_default", false),
	}
	switch o.Mode {
	case "":
		o.Mode = sessions.SnapshotNone
	case sessions.SnapshotNone, sessions.SnapshotMemory, sessions.SnapshotFilesystem:
	default:
		wrong.add("query", "save_snapshot_mode", "enum", "Input should be 'none', 'memory' or 'filesystem'")
	}
	if err := wrong.err(); err != nil {
		f.fail(w, r, err)
		return
	}
	err := f.Engine.Delete(r.PathValue("id"), o)
	switch {
	case errors.Is(err, sessions.ErrNotFound):
		writeJSON(w, http.StatusOK, deleteBody{Success: true, Message: "Session not found"})
	case err != nil:
		f.fail(w, r, err)
	default:
		writeJSON(w, http.StatusOK, deleteBody{Success: true, Deleted: true, Message: "Session deleted successfully"})
	}
}

func (f *Face) deleteAll(w http.ResponseWriter, r *http.Request) {
	deleted := false
	for _, s := range f.Engine.Sessions() {
		err := f.Engine.Delete(s.ID, sessions.SnapshotOptions{Mode: sessions.SnapshotNone})
		if err != nil && !errors.Is(err, sessions.ErrNotFound) {
			f.fail(w, r, err)
			return
		}
		deleted = deleted || err == nil
	}
	if !deleted {
		writeJSON(w, http.StatusOK, deleteBody{Success: true, Message: "No sessions to delete"})
		return
	}
	writeJSON(w, http.StatusOK, deleteBody{Success: true, Deleted: true, Message: "Sessions deleted successfully"})
}

// sendRequest is the body of a message. ConfigUpdates is taken and has no
// effect: the agents here have nothing to configure.
type sendRequest struct {
	Message       *string                    `json:"message"`
	StartURL      string                     `json:"start_url"`
	ConfigUpdates map[string]json.RawMessage `json:"config_updates"`
}

func (f *Face) send(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	var req sendRequest
	if err := decode(r, &req); err != nil {
		f.fail(w, r, err)
		return
	}
	var wrong invalid
	switch {
	case req.Message == nil:
		wrong.add("body", "message", "missing", "Field required")
	case *req.Message == "":
		wrong.add("body", "message", "string_too_short", "String should have at least 1 character")
	case utf8.RuneCountInString(*req.Message) > maxMessage:
		wrong.add("body", "message", "string_too_long", fmt.Sprintf("String should have at most %d characters", maxMessage))
	}
	wrong.checkURL("start_url", req.StartURL)
	err := wrong.err()
	if err == nil {
		err = s.Send(*req.Message, req.StartURL)
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, successBody{Success: true, Message: "Message sent successfully"})
}

func (f *Face) status(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
	_, execution := statuses(s.Status())
	writeJSON(w, http.StatusOK, statusBody{Status: execution})
}

func (f *Face) messages(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	q := r.URL.Query()
	var wrong invalid
	wrong.checkSanitize(q)
	after := 0
	if v := q.Get("after_id"); v != "" {
		var err error
		if after, err = strconv.Atoi(v); err != nil {
			wrong.add("query", "after_id", "int_parsing", "Input should be a valid integer")
		}
	}
	if err := wrong.err(); err != nil {
		f.fail(w, r, err)
		return
	}
	events, status := s.Messages(after)
	_, execution := statuses(status)
	body := messagesBody{Messages: make([]messageBody, len(events)), Status: execution, HasAgent: true}
	for i, e := range events {
		body.Messages[i] = message(e)
	}
	writeJSON(w, http.StatusOK, body)
}

// control makes the handler of pause, resume and cancel. A call that changes
// nothing succeeds: the vendor's own tests make such calls.
func (f *Face) control(act func(*sessions.Session) error, done string) func(http.ResponseWriter, *http.Request, *sessions.Session) {
	return func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		if err := act(s); err != nil {
			f.fail(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, successBody{Success: true, Message: done})
	}
}

func (f *Face) navigate(w http.ResponseWriter, r *http.Request, _ *sessions.Session) {
	var req struct {
		URL string `json:"url"`
	}
	if err := decode(r, &req); err != nil {
		f.fail(w, r, err)
		return
	}
	var wrong invalid
	wrong.checkURL("url", req.URL)
	if req.URL == "" || wrong != nil {
		detail(w, http.StatusBadRequest, "url should be absolute and begin with http:// or https://")
		return
	}
	detail(w, http.StatusBadRequest, "This session has no browser; send a message with a start_url instead")
}

func (f *Face) screenshot(w http.ResponseWriter, _ *http.Request, _ *sessions.Session) {
	detail(w, http.StatusBadRequest, "This session has no screen")
}

// models lists the agents. None of them drives a desktop.
func (f *Face) models(w http.ResponseWriter, r *http.Request) {
	models := f.Engine.Agents()
	switch r.URL.Query().Get("filter") {
	case "", "cdp":
	case "desktop":
		models = []string{}
	default:
		var wrong invalid
		wrong.add("query", "filter", "enum", "Input should be 'cdp' or 'desktop'")
		f.fail(w, r, wrong)
		return
	}
	writeJSON(w, http.StatusOK, map[string][]string{"models": models})
}
