// Package face has what the faces of the session server have in common: which
// operation a request asks for, whose key it carries and how often it may come,
// and whose a session is. What a vendor says in its own words is a [Vendor].
package face

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/errand-dev/errand/sessionserver/internal/auth"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// API is the API of a vendor. The paths of its requests begin at its own root,
// wherever the server has mounted it.
type API interface {
	http.Handler
	// Guard lets the requests through to next that carry a good key and come at
	// a rate that is allowed, and answers the others.
	Guard(next http.Handler) http.Handler
	// Operation names what a request asks for, and the id of the session that
	// it is about; both are empty for what is none of the API's.
	Operation(*http.Request) (operation, sessionID string)
	// Spoiled answers with an error that is no fault of the request's.
	Spoiled(w http.ResponseWriter, r *http.Request, code int, text string)
}

// Config is what a server gives to each of its faces.
type Config struct {
	Engine *sessions.Engine
	Keys   auth.Keys
	Limits *auth.Limits
	// ViewURL gives the address of a session's page on a server that is
	// reached at base, such as http://127.0.0.1:8321.
	ViewURL func(base string, f sessions.Facts) string
	// Prefix is where the server has the API, such as /everruns; it is in no
	// request's path any more.
	Prefix string
	Logger *slog.Logger
}

// Vendor is what a vendor has in its own way.
type Vendor struct {
	// Name marks the sessions that are made by this face: no other knows them.
	Name string
	// Sessions is the path below which the sessions are, such as /v1/sessions/.
	Sessions string
	// MaxBody bounds a request's body, in bytes.
	MaxBody int64
	// Key takes the API key out of a request; empty if it has none.
	Key func(*http.Request) string
	// Refuse answers with an error of this text.
	Refuse func(w http.ResponseWriter, r *http.Request, code int, text string)
	// Fail answers with what an error of the engine means here, and leaves to
	// Base.Fail what it means everywhere.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

// Base is a face without its operations.
type Base struct {
	Config
	vendor     Vendor
	mux        *http.ServeMux
	operations map[string]string // by pattern
}

// New makes a face that knows no operation yet.
func New(c Config, v Vendor) *Base {
	return &Base{Config: c, vendor: v, mux: http.NewServeMux(), operations: map[string]string{}}
}

// Handle adds an operation. A pattern that is about a session calls its id {id}.
func (b *Base) Handle(operation, pattern string, h http.HandlerFunc) {
	b.operations[pattern] = operation
	b.mux.HandleFunc(pattern, h)
}

// Session finds the session that a request is about for h. Somebody else's is
// as unknown as one that is not there.
func (b *Base) Session(h func(http.ResponseWriter, *http.Request, *sessions.Session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := b.Own(r)
		if err != nil {
			b.vendor.Fail(w, r, err)
			return
		}
		h(w, r, s)
	}
}

// Own gives the session with the id in the request's path, if it was made by
// this face and belongs to the caller.
func (b *Base) Own(r *http.Request) (*sessions.Session, error) {
	s, err := b.Engine.Session(r.PathValue("id"))
	if err == nil && !b.owns(r, s.Facts) {
		return nil, sessions.ErrNotFound
	}
	return s, err
}

// Owned gives the caller's sessions of this face, the oldest first.
func (b *Base) Owned(r *http.Request) []*sessions.Session {
	all := b.Engine.Sessions(Caller(r))
	return slices.DeleteFunc(all, func(s *sessions.Session) bool { return !b.owns(r, s.Facts) })
}

func (b *Base) owns(r *http.Request, f sessions.Facts) bool {
	return f.Face == b.vendor.Name && f.BelongsTo(Caller(r))
}

// Terminated gives the caller's deleted sessions of this face, the latest last,
// if the engine remembers them.
func (b *Base) Terminated(r *http.Request) []sessions.Terminated {
	all := b.Engine.Terminated(Caller(r))
	return slices.DeleteFunc(all, func(t sessions.Terminated) bool { return !b.owns(r, t.Facts) })
}

// Delete deletes the session with the id in the request's path. It returns
// [sessions.ErrNotFound], and tells the observers, if the caller has none.
func (b *Base) Delete(r *http.Request, o sessions.SnapshotOptions) error {
	_, err := b.Own(r)
	if err == nil {
		err = b.Engine.Delete(r.Context(), r.PathValue("id"), o)
	}
	if errors.Is(err, sessions.ErrNotFound) {
		b.Engine.Observer.Missed(r.PathValue("id"), sessions.Deletion{Mode: o.Mode, By: sessions.ByClient})
	}
	return err
}

// Operation implements [API].
func (b *Base) Operation(r *http.Request) (operation, sessionID string) {
	_, pattern := b.mux.Handler(r)
	operation = b.operations[pattern]
	if rest, ok := strings.CutPrefix(r.URL.Path, b.vendor.Sessions); ok && strings.Contains(pattern, "{id}") {
		sessionID, _, _ = strings.Cut(rest, "/")
	}
	return operation, sessionID
}

// Spoiled implements [API].
func (b *Base) Spoiled(w http.ResponseWriter, r *http.Request, code int, text string) {
	b.vendor.Refuse(w, r, code, text)
}

// Fail answers with what an error means at every vendor alike.
func (b *Base) Fail(w http.ResponseWriter, r *http.Request, err error) {
	var tooLarge *http.MaxBytesError
	code, text := http.StatusInternalServerError, "Internal server error"
	switch {
	case errors.As(err, &tooLarge):
		code, text = http.StatusRequestEntityTooLarge, "Request body too large"
	case errors.Is(err, sessions.ErrNotFound):
		code, text = http.StatusNotFound, "Session not found"
	case errors.Is(err, sessions.ErrClosed):
		code, text = http.StatusServiceUnavailable, "The server is closing"
	case r.Context().Err() != nil: // the caller has gone
		code, text = http.StatusServiceUnavailable, "The request was given up"
	default:
		b.Logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	b.vendor.Refuse(w, r, code, text)
}

// Guard implements [API].
func (b *Base) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := b.admit(w, r)
		if ok {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, user)))
		}
	})
}

func (b *Base) admit(w http.ResponseWriter, r *http.Request) (user string, ok bool) {
	if b.Keys.Required() {
		var verdict auth.Verdict
		switch user, verdict = b.Keys.Check(b.vendor.Key(r)); verdict {
		case auth.Unknown:
			b.vendor.Refuse(w, r, http.StatusUnauthorized, "Invalid or missing API key")
			return "", false
		case auth.Revoked:
			b.vendor.Refuse(w, r, http.StatusForbidden, "This API key has been revoked")
			return "", false
		}
	}
	if wait := b.Limits.Wait(user); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		b.vendor.Refuse(w, r, http.StatusTooManyRequests, "Rate limit exceeded")
		return "", false
	}
	return user, true
}

// ServeHTTP answers a request that [Base.Guard] has let through.
func (b *Base) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := b.mux.Handler(r); pattern == "" {
		// The mux knows 404 from 405 but says so in plain text.
		var probe probe
		b.mux.ServeHTTP(&probe, r)
		if allow := probe.Header().Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		b.vendor.Refuse(w, r, probe.code, http.StatusText(probe.code))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, b.vendor.MaxBody)
	b.mux.ServeHTTP(w, r)
}

type callerKey struct{}

// Caller is the user who makes the request, empty where no key is asked for.
func Caller(r *http.Request) string {
	user, _ := r.Context().Value(callerKey{}).(string)
	return user
}

// BaseURL is where the caller reached the server, without any path.
func BaseURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// Bearer is the key of an Authorization header with the scheme Bearer.
func Bearer(r *http.Request) string {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return key
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
