// Package agi serves the sessions of an engine with the HTTP API of the AGI
// Agent Sessions product, paths /v1/….
//
// Requests, answers and status words follow the vendor documentation. Where it
// is silent (error bodies, the status after a cancel, the codes for calls that
// change nothing), the face does what the vendor's SDKs and their live tests
// expect: {"detail": …} bodies, execution status "paused" while paused, "ready"
// after a cancel, and 200 for a pause of what is already paused.
package agi

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/errand-dev/errand/sessionserver/internal/auth"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// DefaultAgent is the agent of a session that names none, from the vendor documentation.
const DefaultAgent = "agi-0"

// maxBody bounds a request body. The largest legal one is a message of 10,000
// characters, each written as a 12-byte JSON escape.
const maxBody = 256 << 10

// Config says what the face shows and to whom.
type Config struct {
	Engine *sessions.Engine
	Keys   auth.Keys
	// ViewURL gives the address of a session's page, as seen by the caller.
	ViewURL func(*http.Request, *sessions.Session) string
	// Heartbeat is the time between heartbeat events, 30 s in the vendor documentation.
	Heartbeat time.Duration
	Logger    *slog.Logger
}

// Face is the HTTP handler of the API.
type Face struct {
	Config
	mux *http.ServeMux
}

// New makes the handler.
func New(c Config) *Face {
	f := &Face{Config: c, mux: http.NewServeMux()}
	f.mux.HandleFunc("POST /v1/sessions", f.create)
	f.mux.HandleFunc("GET /v1/sessions", f.list)
	f.mux.HandleFunc("DELETE /v1/sessions", f.deleteAll)
	f.mux.HandleFunc("DELETE /v1/sessions/{id}", f.delete)
	f.mux.HandleFunc("GET /v1/models", f.models)
	f.handle("GET /v1/sessions/{id}", f.show)
	f.handle("POST /v1/sessions/{id}/message", f.send)
	f.handle("GET /v1/sessions/{id}/status", f.status)
	f.handle("GET /v1/sessions/{id}/messages", f.messages)
	f.handle("GET /v1/sessions/{id}/events", f.Stream)
	f.handle("POST /v1/sessions/{id}/pause", f.control((*sessions.Session).Pause, "Session paused successfully"))
	f.handle("POST /v1/sessions/{id}/resume", f.control((*sessions.Session).Resume, "Session resumed successfully"))
	f.handle("POST /v1/sessions/{id}/cancel", f.control((*sessions.Session).Cancel, "Session cancelled successfully"))
	f.handle("POST /v1/sessions/{id}/navigate", f.navigate)
	f.handle("GET /v1/sessions/{id}/screenshot", f.screenshot)
	return f
}

// handle registers an endpoint that works on one session.
func (f *Face) handle(pattern string, h func(http.ResponseWriter, *http.Request, *sessions.Session)) {
	f.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s, err := f.Engine.Session(r.PathValue("id"))
		if err != nil {
			f.fail(w, r, err)
			return
		}
		h(w, r, s)
	})
}

// ServeHTTP checks the key and answers the request.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.Keys.Required() {
		scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || !f.Keys.Accept(key) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			detail(w, http.StatusUnauthorized, "Invalid or missing API key")
			return
		}
	}
	if _, pattern := f.mux.Handler(r); pattern == "" {
		// The mux knows 404 from 405 but says so in plain text.
		var probe probe
		f.mux.ServeHTTP(&probe, r)
		if allow := probe.Header().Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		detail(w, probe.code, http.StatusText(probe.code))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	f.mux.ServeHTTP(w, r)
}

// probe takes the status and headers of an answer and forgets its body.
type probe struct {
	header http.Header
	code   int
}

func (p *probe) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}

func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

func (p *probe) WriteHeader(code int) { p.code = code }

// fail answers with what an error of the engine or of a request means here.
func (f *Face) fail(w http.ResponseWriter, r *http.Request, err error) {
	var (
		invalid  invalid
		tooLarge *http.MaxBytesError
	)
	switch {
	case errors.As(err, &invalid):
		writeJSON(w, http.StatusUnprocessableEntity, map[string]any{"detail": invalid})
	case errors.As(err, &tooLarge):
		detail(w, http.StatusRequestEntityTooLarge, "Request body too large")
	case errors.Is(err, sessions.ErrNotFound):
		detail(w, http.StatusNotFound, "Session not found")
	case errors.Is(err, sessions.ErrClosed):
		detail(w, http.StatusServiceUnavailable, "The server is closing")
	default:
		f.Logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		detail(w, http.StatusInternalServerError, "Internal server error")
	}
}
