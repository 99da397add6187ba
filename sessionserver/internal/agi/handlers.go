package agi

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/errand-dev/errand/sessionserver/internal/face"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// createRequest is the body of a create. All but agent_name, webhook_url, the
// first two restores and enable_memory_snapshot are known from the vendor's
// SDKs alone; cdp_url is Node's word and cdp_ws_url C#'s for the same thing.
type createRequest struct {
	AgentName                string `json:"agent_name"`
	WebhookURL               string `json:"webhook_url"`
	RestoreFromSessionID     string `json:"restore_from_session_id"`
	RestoreDefaultFromUserID string `json:"restore_default_environment_from_user_id"`
	EnableMemorySnapshot     *bool  `json:"enable_memory_snapshot"`
	RestoreFromEnvironmentID string `json:"restore_from_environment_id"`
	Goal                     string `json:"goal"`
	MaxSteps                 *int   `json:"max_steps"`
	AgentSessionType         string `json:"agent_session_type"`
	CDPURL                   string `json:"cdp_url"`
	CDPWSURL                 string `json:"cdp_ws_url"`
	EnvironmentType          string `json:"environment_type"`
	Model                    string `json:"model"`
}

func (req createRequest) check() error {
	var wrong invalid
	wrong.checkURL("webhook_url", req.WebhookURL, "http", "https")
	wrong.checkURL("cdp_url", req.CDPURL, "http", "https", "ws", "wss")
	wrong.checkURL("cdp_ws_url", req.CDPWSURL, "http", "https", "ws", "wss")
	wrong.checkUUID("restore_from_session_id", req.RestoreFromSessionID)
	wrong.checkUUID("restore_from_environment_id", req.RestoreFromEnvironmentID)
	if req.MaxSteps != nil && *req.MaxSteps < 1 {
		wrong.add("body", "max_steps", "greater_than_equal", "Input should be greater than or equal to 1")
	}
	wrong.checkEnum("environment_type", req.EnvironmentType, "ubuntu-1", "chrome-1")
	switch req.AgentSessionType {
	case "desktop":
		wrong.add("body", "agent_session_type", "enum", "This server has no desktop sessions, only managed-cdp and external-cdp")
	case "external-cdp":
		if req.CDPURL == "" && req.CDPWSURL == "" {
			wrong.add("body", "cdp_url", "missing", "Field required with agent_session_type external-cdp")
		}
	default:
		wrong.checkEnum("agent_session_type", req.AgentSessionType, "managed-cdp", "external-cdp", "desktop")
	}
	return wrong.err()
}

func (f *Face) create(w http.ResponseWriter, r *http.Request) {
	var req createRequest
	err := decode(r, &req)
	if err == nil {
		err = req.check()
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	agent := cmp.Or(req.AgentName, DefaultAgent)
	o := sessions.CreateOptions{
		Agent: agent,
		Face:  mark,
		Owner: face.Caller(r),
		Wish: sessions.Wish{
			Goal:            req.Goal,
			Type:            req.AgentSessionType,
			CDPURL:          cmp.Or(req.CDPURL, req.CDPWSURL),
			EnvironmentType: req.EnvironmentType,
			Model:           req.Model,
			WebhookURL:      req.WebhookURL,
			BaseURL:         face.BaseURL(r),
		},
		Restore: sessions.Restore{
			SessionID:     strings.ToLower(req.RestoreFromSessionID),
			EnvironmentID: strings.ToLower(req.RestoreFromEnvironmentID),
			Default:       req.RestoreDefaultFromUserID != "",
			FilesOnly:     req.EnableMemorySnapshot != nil && !*req.EnableMemorySnapshot,
		},
	}
	if req.MaxSteps != nil {
		o.MaxSteps = *req.MaxSteps
	}
	s, err := f.Engine.Create(r.Context(), o)
	if errors.Is(err, sessions.ErrUnknownAgent) {
		var wrong invalid
		wrong.add("body", "agent_name", "enum", fmt.Sprintf("Unknown agent %q, this server has: %s",
			agent, strings.Join(f.Engine.AgentNames(), ", ")))
		err = wrong
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, f.CreateStatus, f.body(face.BaseURL(r), s))
}

func (f *Face) body(base string, s *sessions.Session) sessionBody {
	status, _ := f.statuses(s.Status())
	body := facts(s.Facts, status)
	body.VNCURL = f.ViewURL(base, s.Facts)
	return body
}

func (f *Face) list(w http.ResponseWriter, r *http.Request) {
	bodies := []sessionBody{}
	for _, gone := range f.Terminated(r) {
		bodies = append(bodies, facts(gone.Facts, sessionTerminated))
	}
	for _, s := range f.Owned(r) {
		bodies = append(bodies, f.body(face.BaseURL(r), s))
	}
	writeJSON(w, http.StatusOK, bodies)
}

func (f *Face) show(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	writeJSON(w, http.StatusOK, f.body(face.BaseURL(r), s))
}

// delete tells an unknown session by deleted=false, not by a 404, as the
// vendor documentation has it.
func (f *Face) delete(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var wrong invalid
	o := sessions.SnapshotOptions{
		Mode:    sessions.SnapshotMode(cmp.Or(q.Get("save_snapshot_mode"), string(sessions.SnapshotNone))),
		Default: wrong.queryBool(q, "save_as_default", false),
	}
	switch o.Mode {
	case sessions.SnapshotNone:
		if o.Default && f.Strict {
			wrong.add("query", "save_as_default", "value_error", "There is nothing to save with save_snapshot_mode none")
		}
	case sessions.SnapshotMemory, sessions.SnapshotFilesystem:
	default:
		wrong.add("query", "save_snapshot_mode", "enum", "Input should be 'none', 'memory' or 'filesystem'")
	}
	err := wrong.err()
	if err == nil {
		err = f.Delete(r, o)
	}
	switch {
	case errors.Is(err, sessions.ErrNotFound) && f.DeleteUnknown == http.StatusOK:
		writeJSON(w, http.StatusOK, deleteBody{Success: true, Message: "Session not found"})
	case err != nil:
		f.fail(w, r, err)
	default:
		writeJSON(w, http.StatusOK, deleteBody{Success: true, Deleted: true, Message: "Session deleted successfully"})
	}
}

// deleting is how many sessions a delete of all ends at once.
const deleting = 16

func (f *Face) deleteAll(w http.ResponseWriter, r *http.Request) {
	var deleted atomic.Bool
	group, ctx := errgroup.WithContext(r.Context())
	group.SetLimit(deleting)
	for _, s := range f.Owned(r) {
		group.Go(func() error {
			err := f.Engine.Delete(ctx, s.ID, sessions.SnapshotOptions{Mode: sessions.SnapshotNone})
			if errors.Is(err, sessions.ErrNotFound) {
				return nil
			}
			deleted.Store(deleted.Load() || err == nil)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		f.fail(w, r, err)
		return
	}
	if !deleted.Load() {
		writeJSON(w, http.StatusOK, deleteBody{Success: true, Message: "No sessions to delete"})
		return
	}
	writeJSON(w, http.StatusOK, deleteBody{Success: true, Deleted: true, Message: "Sessions deleted successfully"})
}

// models lists the agents. None of them drives a desktop.
func (f *Face) models(w http.ResponseWriter, r *http.Request) {
	names := f.Engine.AgentNames()
	switch r.URL.Query().Get("filter") {
	case "", "cdp":
	case "desktop":
		names = []string{}
	default:
		var wrong invalid
		wrong.add("query", "filter", "enum", "Input should be 'cdp' or 'desktop'")
		f.fail(w, r, wrong)
		return
	}
	if f.Models == "names" {
		writeJSON(w, http.StatusOK, map[string][]string{"models": names})
		return
	}
	models := make([]modelBody, len(names))
	for i, name := range names {
		models[i] = modelBody{ID: name, Name: name}
	}
	writeJSON(w, http.StatusOK, map[string][]modelBody{"models": models})
}
