// Package agi serves the sessions of an engine with the HTTP API of the AGI
// Agent Sessions product, paths /v1/….
//
// Requests, answers and status words follow the vendor documentation. Where it
// is silent (error bodies, the status after a cancel, the codes for calls that
// change nothing), the face does what the vendor's SDKs and their live tests
// expect, and [Options] make it do otherwise.
package agi

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/errand-dev/errand/sessionserver/internal/auth"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// DefaultAgent is the agent of a session that names none, from the vendor documentation.
const DefaultAgent = "agi-0"

// maxBody bounds a request body. The largest message is 10,000 characters, each
// written as a 12-byte JSON escape; config_updates and context come on top.
const maxBody = 1 << 20

// Config says what the face shows and to whom.
type Config struct {
	Options
	Engine *sessions.Engine
	Keys   auth.Keys
	Limits *auth.Limits
	// ViewURL gives the address of a session's page on a server that is
	// reached at base, such as http://127.0.0.1:8321.
	ViewURL func(base string, f sessions.Facts) string
	Logger  *slog.Logger
}

// Face is the HTTP handler of the API.
type Face struct {
	Config
	mux        *http.ServeMux
	operations map[string]string // by pattern
}

// handler answers a request about one session.
type handler func(http.ResponseWriter, *http.Request, *sessions.Session)

// New makes the handler. The options are to be filled.
func New(c Config) *Face {
	f := &Face{Config: c, mux: http.NewServeMux(), operations: map[string]string{}}
	f.handle("create", "POST /v1/sessions", f.create)
	f.handle("list", "GET /v1/sessions", f.list)
	f.handle("delete_all", "DELETE /v1/sessions", f.deleteAll)
	f.handle("delete", "DELETE /v1/sessions/{id}", f.delete)
	f.handle("models", "GET /v1/models", f.models)
	f.handle("get", "GET /v1/sessions/{id}", f.session(f.show))
	f.handle("message", "POST /v1/sessions/{id}/message", f.session(f.send))
	f.handle("status", "GET /v1/sessions/{id}/status", f.session(f.status))
	f.handle("messages", "GET /v1/sessions/{id}/messages", f.session(f.messages))
	f.handle("events", "GET /v1/sessions/{id}/events", f.session(f.Stream))
	f.handle("pause", "POST /v1/sessions/{id}/pause", f.session(f.pause))
	f.handle("resume", "POST /v1/sessions/{id}/resume", f.session(f.resume))
	f.handle("cancel", "POST /v1/sessions/{id}/cancel", f.session(f.cancel))
	f.handle("navigate", "POST /v1/sessions/{id}/navigate", f.session(f.navigate))
	f.handle("screenshot", "GET /v1/sessions/{id}/screenshot", f.session(f.screenshot))
	return f
}

func (f *Face) handle(operation, pattern string, h http.HandlerFunc) {
	f.operations[pattern] = operation
	f.mux.HandleFunc(pattern, h)
}

// session finds the session that a request is about. Somebody else's is as
// unknown as one that is not there.
func (f *Face) session(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := f.own(r)
		if err != nil {
			f.fail(w, r, err)
			return
		}
		h(w, r, s)
	}
}

func (f *Face) own(r *http.Request) (*sessions.Session, error) {
	s, err := f.Engine.Session(r.PathValue("id"))
	if err == nil && !s.BelongsTo(caller(r)) {
		return nil, sessions.ErrNotFound
	}
	return s, err
}

// Operation names what a request asks for, and the id of the session that it
// is about; both are empty for what is none of the API's.
func (f *Face) Operation(r *http.Request) (operation, sessionID string) {
	_, pattern := f.mux.Handler(r)
	operation = f.operations[pattern]
	if rest, ok := strings.CutPrefix(r.URL.Path, "/v1/sessions/"); ok && operation != "" {
		sessionID, _, _ = strings.Cut(rest, "/")
	}
	return operation, sessionID
}

// Guard lets the requests through to next that carry a good key and come at a
// rate that is allowed, and answers the others.
func (f *Face) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := f.admit(w, r)
		if ok {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, user)))
		}
	})
}

func (f *Face) admit(w http.ResponseWriter, r *http.Request) (user string, ok bool) {
	if f.Keys.Required() {
		scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			key = ""
		}
		var verdict auth.Verdict
		switch user, verdict = f.Keys.Check(key); verdict {
		case auth.Unknown:
			w.Header().Set("WWW-Authenticate", "Bearer")
			f.refuse(w, http.StatusUnauthorized, "Invalid or missing API key")
			return "", false
		case auth.Revoked:
			f.refuse(w, http.StatusForbidden, "This API key has been revoked")
			return "", false
		}
	}
	if wait := f.Limits.Wait(user); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		f.refuse(w, http.StatusTooManyRequests, "Rate limit exceeded")
		return "", false
	}
	return user, true
}

// ServeHTTP answers a request that [Face.Guard] has let through.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := f.mux.Handler(r); pattern == "" {
		// The mux knows 404 from 405 but says so in plain text.
		var probe probe
		f.mux.ServeHTTP(&probe, r)
		if allow := probe.Header().Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		f.refuse(w, probe.code, http.StatusText(probe.code))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	f.mux.ServeHTTP(w, r)
}

type callerKey struct{}

// caller is the user who makes the request, empty where no key is asked for.
func caller(r *http.Request) string {
	user, _ := r.Context().Value(callerKey{}).(string)
	return user
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
