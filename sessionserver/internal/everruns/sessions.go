package everruns

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/errand-dev/errand/sessionserver/internal/face"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// createRequest is the body of a create. The given profile has the first five;
// of what the current one adds the server has a use for agent_name alone.
type createRequest struct {
	AgentID      *string         `json:"agent_id"`
	Capabilities json.RawMessage `json:"capabilities"`
	ModelID      *string         `json:"model_id"`
	Tags         []string        `json:"tags"`
	Title        *string         `json:"title"`
	AgentName    *string         `json:"agent_name"`
}

// unknown is a thing that a create names and that is not there.
func (f *Face) unknown(what string) error {
	if f.Profile == Given {
		return wrong{code: http.StatusBadRequest, text: what + " not found"}
	}
	return wrong{http.StatusNotFound, what + " not found", "not_found"}
}

// chosen gives the agent that a create asks for.
func (f *Face) chosen(req createRequest) (agentBody, error) {
	var (
		a     agentBody
		found bool
	)
	switch {
	case req.AgentID != nil:
		if err := f.checkID(agentID, *req.AgentID); err != nil {
			return a, err
		}
		a, found = f.agents.byID(*req.AgentID)
	case f.Profile == Given:
		return a, f.unfit("agent_id is missing")
	case req.AgentName != nil:
		a, found = f.agents.byName(*req.AgentName)
	default:
		a, found = f.agents.byName(DefaultAgent)
	}
	switch {
	case !found:
		return a, f.unknown("Agent")
	case a.Status == archived:
		return a, wrong{http.StatusBadRequest, "The agent is archived", "agent_archived"}
	}
	return a, nil
}

func (f *Face) create(w http.ResponseWriter, r *http.Request) {
	var (
		req createRequest
		a   agentBody
	)
	err := f.decode(r, &req)
	if err == nil {
		a, err = f.chosen(req)
	}
	if err == nil && req.ModelID != nil {
		if err = f.checkID(modelID, *req.ModelID); err == nil && *req.ModelID != theModel.ID {
			err = f.unknown("Model")
		}
	}
	if err == nil {
		err = f.checkCapabilities(req.Capabilities)
	}
	o := sessions.CreateOptions{
		Face:  mark,
		Agent: f.agents.engine(a),
		Owner: face.Caller(r),
		Wish:  sessions.Wish{BaseURL: face.BaseURL(r)},
	}
	if err == nil {
		o.ID, err = sessionID.fresh()
	}
	if err == nil {
		o.Note, err = json.Marshal(sessionNote{
			AgentID: a.ID, Title: req.Title, Tags: req.Tags, ModelID: req.ModelID, Capabilities: req.Capabilities, Questions: f.Questions,
		})
	}
	var s *sessions.Session
	if err == nil {
		s, err = f.Engine.Create(r.Context(), o)
	}
	if errors.Is(err, sessions.ErrUnknownAgent) {
		err = f.unknown("Agent")
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, f.body(r, s))
}

// checkCapabilities takes a list of references, with any configuration.
func (f *Face) checkCapabilities(raw json.RawMessage) error {
	if none(raw) {
		return nil
	}
	var list []struct {
		Ref string `json:"ref"`
	}
	if json.Unmarshal(raw, &list) != nil || slices.ContainsFunc(list, func(c struct {
		Ref string `json:"ref"`
	}) bool {
		return c.Ref == ""
	}) {
		return f.unfit("capabilities should be a list of objects with a ref")
	}
	return nil
}

// status is that of a session on the wire.
func (f *Face) status(now sessions.Status, asks Asking) string {
	switch now.Phase {
	case sessions.Ready:
		return "started"
	case sessions.Running:
		return "active"
	case sessions.Waiting:
		switch asks {
		case ByTool:
			return f.WaitingStatus
		case ByTask:
			return "active"
		}
	}
	return "idle"
}

func (f *Face) body(r *http.Request, s *sessions.Session) sessionBody {
	note, t := noteOf(s), newTimeline(s)
	view := s.Since(0)
	for _, e := range view.Events {
		t.add(e)
	}
	b := sessionBody{
		ID:             s.ID,
		OrganizationID: defaultOrg,
		AgentID:        note.AgentID,
		Status:         f.status(view.Status, note.Questions),
		Title:          note.Title,
		Tags:           append([]string{}, note.Tags...),
		ModelID:        note.ModelID,
		Capabilities:   note.Capabilities,
		Preview:        preview(t.first),
		OutputPreview:  preview(t.latest),
		CreatedAt:      timestamp(s.CreatedAt),
		UpdatedAt:      timestamp(latest(t.touched, note.UpdatedAt)),
	}
	if none(b.Capabilities) {
		b.Capabilities = json.RawMessage("[]")
	}
	if !t.started.IsZero() {
		at := timestamp(t.started)
		b.StartedAt = &at
	}
	if f.Profile == Given {
		return b
	}
	b.HarnessID = harnessID.named("default")
	b.OwnerPrincipalID = principalID.named(s.Owner)
	b.WorkspaceID = workspaceID.named(s.ID)
	active := view.Status.Active() && b.Status != "idle"
	b.urls = f.urls(r, "/v1/sessions/"+s.ID, func(self string) []action {
		actions := []action{{"self", self, "GET"}, {"update", self, "PATCH"}, {"delete", self, "DELETE"}, {"events", self + "/events", "GET"}}
		if active {
			actions = append(actions, action{"cancel", self + "/cancel", "POST"})
		}
		return actions
	})
	b.ViewURL = f.ViewURL(face.BaseURL(r), s.Facts)
	b.UILink = b.ViewURL
	return b
}

// urls are those of a resource at this path.
func (f *Face) urls(r *http.Request, path string, actions func(self string) []action) urls {
	self := face.BaseURL(r) + f.Prefix + path
	return urls{SelfURL: self, AllowedActions: actions(self)}
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (f *Face) show(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	writeJSON(w, http.StatusOK, f.body(r, s))
}

func (f *Face) update(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	var req struct {
		Title *string   `json:"title"`
		Tags  *[]string `json:"tags"`
	}
	err := f.decode(r, &req)
	if err == nil {
		err = s.Annotate(func(raw json.RawMessage) (json.RawMessage, error) {
			var note sessionNote
			if err := json.Unmarshal(raw, &note); err != nil {
				return nil, fmt.Errorf("read note of session: %w", err)
			}
			if req.Title != nil {
				note.Title = req.Title
			}
			if req.Tags != nil {
				note.Tags = *req.Tags
			}
			note.UpdatedAt = time.Now().UTC()
			return json.Marshal(note)
		})
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, f.body(r, s))
}

// delete cancels what is active in a session, and removes it.
func (f *Face) delete(w http.ResponseWriter, r *http.Request) {
	err := f.checkID(sessionID, r.PathValue("id"))
	if err == nil {
		err = f.Delete(r, sessions.SnapshotOptions{Mode: sessions.SnapshotNone})
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

type cancelBody struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func (f *Face) cancel(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	body := cancelBody{"no_op", "No active turn to cancel"}
	// A question that was a message has ended its turn.
	if f.status(s.Status(), noteOf(s).Questions) != "idle" {
		done, err := s.GiveUp()
		if err != nil {
			f.fail(w, r, err)
			return
		}
		if done {
			body = cancelBody{"cancelled", "The active turn was cancelled"}
		}
	}
	writeJSON(w, http.StatusOK, body)
}
