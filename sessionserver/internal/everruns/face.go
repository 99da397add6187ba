// Package everruns serves the sessions of an engine with the HTTP API of the
// Everruns product, paths /v1/….
//
// It has two profiles: the API as the vendor documents it, and as its OpenAPI
// file of summer 2026 has it. Where both are silent the face takes the reading
// that asks least of a client, and [Options] make it do otherwise.
//
// Events, messages and tasks are stored nowhere: they follow from the log of a
// session alone, so that all of them are the same whenever they are asked for.
package everruns

import (
	"net/http"
	"strings"

	"github.com/errand-dev/errand/sessionserver/internal/face"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// DefaultAgent is the engine's agent of a session that names none.
const DefaultAgent = "agi-0"

// mark marks the sessions of this face.
const mark = "everruns"

// maxBody bounds a request body. The largest is an agent to import, 3 MiB.
const maxBody = 4 << 20

// Face is the HTTP handler of the API.
type Face struct {
	*face.Base
	Options
	agents *agents
}

// New makes the handler. The options are to be filled; dir is where the face
// keeps the agents that clients make.
func New(c face.Config, o Options, dir string) (*Face, error) {
	f := &Face{Options: o}
	f.Base = face.New(c, face.Vendor{
		Name:     mark,
		Sessions: "/v1/sessions/",
		MaxBody:  maxBody,
		Key:      key,
		Refuse:   f.refuse,
		Fail:     f.fail,
	})
	var err error
	if f.agents, err = openAgents(dir, c.Engine.AgentNames()); err != nil {
		return nil, err
	}
	f.Handle("create", "POST /v1/sessions", f.create)
	f.Handle("list", "GET /v1/sessions", f.list)
	f.Handle("get", "GET /v1/sessions/{id}", f.session(f.show))
	f.Handle("update", "PATCH /v1/sessions/{id}", f.session(f.update))
	f.Handle("delete", "DELETE /v1/sessions/{id}", f.delete)
	f.Handle("cancel", "POST /v1/sessions/{id}/cancel", f.session(f.cancel))
	f.Handle("message", "POST /v1/sessions/{id}/messages", f.session(f.send))
	f.Handle("messages", "GET /v1/sessions/{id}/messages", f.session(f.messages))
	f.Handle("timeline", "GET /v1/sessions/{id}/events", f.session(f.events))
	f.Handle("events", "GET /v1/sessions/{id}/sse", f.session(f.stream))
	f.Handle("agents", "GET /v1/agents", f.listAgents)
	f.Handle("agents", "POST /v1/agents", f.createAgent)
	f.Handle("agents", "POST /v1/agents/import", f.importAgent)
	f.Handle("agents", "GET /v1/agents/{agent}", f.agent(f.showAgent))
	f.Handle("agents", "PATCH /v1/agents/{agent}", f.agent(f.updateAgent))
	f.Handle("agents", "DELETE /v1/agents/{agent}", f.agent(f.archiveAgent))
	f.Handle("agents", "GET /v1/agents/{agent}/export", f.agent(f.exportAgent))
	f.Handle("capabilities", "GET /v1/capabilities", f.listCapabilities)
	f.Handle("capabilities", "GET /v1/capabilities/{capability}", f.showCapability)
	if o.Profile == Given {
		f.Handle("models", "GET /v1/llm-models", f.listModels)
		f.Handle("models", "GET /v1/llm-models/{model}", f.showModel)
		return f, nil
	}
	f.Handle("models", "GET /v1/models", f.listModels)
	f.Handle("models", "GET /v1/models/{model}", f.showModel)
	f.Handle("stats", "GET /v1/sessions/stats", f.stats)
	f.Handle("answer", "POST /v1/sessions/{id}/tool-results", f.session(f.toolResults))
	f.Handle("tasks", "GET /v1/tasks", f.allTasks)
	f.Handle("tasks", "GET /v1/sessions/{id}/tasks", f.session(f.listTasks))
	f.Handle("tasks", "GET /v1/sessions/{id}/tasks/{task}", f.session(f.task(f.showTask)))
	f.Handle("tasks", "POST /v1/sessions/{id}/tasks/{task}/cancel", f.session(f.task(f.cancelTask)))
	f.Handle("tasks", "GET /v1/sessions/{id}/tasks/{task}/messages", f.session(f.task(f.taskMessages)))
	f.Handle("answer", "POST /v1/sessions/{id}/tasks/{task}/messages", f.session(f.task(f.answerTask)))
	return f, nil
}

// session finds the session that a request is about, by an id that is one.
func (f *Face) session(h func(http.ResponseWriter, *http.Request, *sessions.Session)) http.HandlerFunc {
	next := f.Session(h)
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f.checkID(sessionID, r.PathValue("id")); err != nil {
			f.fail(w, r, err)
			return
		}
		next(w, r)
	}
}

// checkID refuses what is no id of the kind.
func (f *Face) checkID(k kind, id string) error {
	if k.is(id, f.ShortIDs) {
		return nil
	}
	return wrong{http.StatusBadRequest, "Invalid " + string(k) + " id: it should be " + string(k) + "_ and 32 hexadecimal digits", "invalid_id"}
}

// ServeHTTP answers a request that the guard has let through. A key reaches one
// organization: another one cannot be asked for.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch org := r.Header.Get("X-Org-Id"); {
	case org == "" || org == defaultOrg:
		f.Base.ServeHTTP(w, r)
	case !orgID.is(org, f.ShortIDs):
		f.refuse(w, r, http.StatusBadRequest, "X-Org-Id should be org_ and 32 hexadecimal digits")
	default:
		f.refuse(w, r, http.StatusForbidden, "This key does not reach that organization")
	}
}

// key is the token of the Authorization header: bare, or behind one of the
// words that the vendor's server takes as well.
func key(r *http.Request) string {
	token := r.Header.Get("Authorization")
	scheme, rest, _ := strings.Cut(token, " ")
	if strings.EqualFold(scheme, "ApiKey") || strings.EqualFold(scheme, "Bearer") {
		return rest
	}
	return token
}
