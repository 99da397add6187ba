// Package agen serves the sessions of an engine with the HTTP API of Agen,
// paths /api/v1/….
//
// The vendor documents five operations, the fields of a session and the names of
// events. Where it is silent (codes, statuses, payloads, how a task ends, how
// one reads a single session) the face takes the reading that asks least of a
// client, and [Options] make it do otherwise. What the vendor has no call for is
// not there: delete, pause, cancel.
//
// Timelines are stored nowhere: they follow from the log of a session alone, so
// that all events have the same ids whenever they are asked for.
package agen

import (
	"net/http"
	"sync"

	"github.com/errand-dev/errand/sessionserver/internal/face"
)

// DefaultModel is the engine's agent of a session that names none.
const DefaultModel = "agi-0"

// mark marks the sessions of this face.
const mark = "agen"

// maxBody bounds a request body.
const maxBody = 1 << 20

// Face is the HTTP handler of the API.
type Face struct {
	*face.Base
	Options

	// closing is held while a session is closed, and shared by those who send;
	// held by them, too, where a second message of one client_id is none.
	closing sync.RWMutex
}

// New makes the handler. The options are to be filled.
func New(c face.Config, o Options) *Face {
	f := &Face{Options: o}
	f.Base = face.New(c, face.Vendor{
		Name:     mark,
		Sessions: "/api/v1/sessions/",
		MaxBody:  maxBody,
		Key:      func(r *http.Request) string { return r.Header.Get("x-api-key") },
		Refuse:   f.refuse,
		Fail:     f.fail,
	})
	f.Handle("create", "POST /api/v1/sessions", f.create)
	f.Handle("list", "GET /api/v1/sessions", f.list)
	if !o.NoGet {
		f.Handle("get", "GET /api/v1/sessions/{id}", f.Session(f.show))
	}
	f.Handle("update", "PATCH /api/v1/sessions/{id}", f.Session(f.update))
	f.Handle("message", "POST /api/v1/sessions/{id}/messages", f.Session(f.send))
	f.Handle("timeline", "GET /api/v1/sessions/{id}/events", f.Session(f.events))
	return f
}
