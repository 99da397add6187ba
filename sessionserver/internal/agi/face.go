// Package agi serves the sessions of an engine with the HTTP API of the AGI
// Agent Sessions product, paths /v1/….
//
// Requests, answers and status words follow the vendor documentation. Where it
// is silent (error bodies, the status after a cancel, the codes for calls that
// change nothing), the face does what the vendor's SDKs and their live tests
// expect, and [Options] make it do otherwise.
package agi

import (
	"net/http"

	"github.com/errand-dev/errand/sessionserver/internal/face"
)

// DefaultAgent is the agent of a session that names none, from the vendor documentation.
const DefaultAgent = "agi-0"

// mark marks the sessions of this face. It is empty because those that were made
// when there was no other face have no mark.
const mark = ""

// maxBody bounds a request body. The largest message is 10,000 characters, each
// written as a 12-byte JSON escape; config_updates and context come on top.
const maxBody = 1 << 20

// Face is the HTTP handler of the API.
type Face struct {
	*face.Base
	Options
}

// New makes the handler. The options are to be filled.
func New(c face.Config, o Options) *Face {
	f := &Face{Options: o}
	f.Base = face.New(c, face.Vendor{
		Name:     mark,
		Sessions: "/v1/sessions/",
		MaxBody:  maxBody,
		Key:      face.Bearer,
		Refuse: func(w http.ResponseWriter, _ *http.Request, code int, text string) {
			if code == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			f.refuse(w, code, text)
		},
		Fail: f.fail,
	})
	f.Handle("create", "POST /v1/sessions", f.create)
	f.Handle("list", "GET /v1/sessions", f.list)
	f.Handle("delete_all", "DELETE /v1/sessions", f.deleteAll)
	f.Handle("delete", "DELETE /v1/sessions/{id}", f.delete)
	f.Handle("models", "GET /v1/models", f.models)
	f.Handle("get", "GET /v1/sessions/{id}", f.Session(f.show))
	f.Handle("message", "POST /v1/sessions/{id}/message", f.Session(f.send))
	f.Handle("status", "GET /v1/sessions/{id}/status", f.Session(f.status))
	f.Handle("messages", "GET /v1/sessions/{id}/messages", f.Session(f.messages))
	f.Handle("events", "GET /v1/sessions/{id}/events", f.Session(f.Stream))
	f.Handle("pause", "POST /v1/sessions/{id}/pause", f.Session(f.pause))
	f.Handle("resume", "POST /v1/sessions/{id}/resume", f.Session(f.resume))
	f.Handle("cancel", "POST /v1/sessions/{id}/cancel", f.Session(f.cancel))
	f.Handle("navigate", "POST /v1/sessions/{id}/navigate", f.Session(f.navigate))
	f.Handle("screenshot", "GET /v1/sessions/{id}/screenshot", f.Session(f.screenshot))
	return f
}
