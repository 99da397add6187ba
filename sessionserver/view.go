package sessionserver

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/auth"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

var (
	//go:embed view.html
	viewHTML string
	//go:embed view.js
	viewJS string

	viewPage   = template.Must(template.New("view").Parse(viewHTML))
	viewPolicy = contentPolicy(viewJS)
)

// contentPolicy allows a page its inline style and one inline script, nothing else.
func contentPolicy(script string) string {
	sum := sha256.Sum256([]byte(script))
	return "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; script-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// viewURL is the address of a session's page. A browser sends no API key, so
// where keys are asked for the address itself is the secret.
func (s *Server) viewURL(r *http.Request, session *sessions.Session) string {
	u := url.URL{Scheme: "http", Host: r.Host, Path: "/session/" + session.ID}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	if s.keys.Required() {
		u.RawQuery = url.Values{"token": {session.ViewToken}}.Encode()
	}
	return u.String()
}

// viewed finds the session that a page request is about. A wrong token looks
// like an unknown session.
func (s *Server) viewed(w http.ResponseWriter, r *http.Request) *sessions.Session {
	session, err := s.engine.Session(r.PathValue("id"))
	if err != nil || (s.keys.Required() && !auth.Equal(r.URL.Query().Get("token"), session.ViewToken)) {
		http.Error(w, "There is no such session. It may have been deleted.", http.StatusNotFound)
		return nil
	}
	return session
}

func (s *Server) view(w http.ResponseWriter, r *http.Request) {
	session := s.viewed(w, r)
	if session == nil {
		return
	}
	type line struct {
		ID   int
		Type agent.MessageType
		Text string
	}
	events, status := session.Messages(0)
	page := struct {
		Session *sessions.Session
		Status  sessions.Status
		Lines   []line
		Script  template.JS
	}{session, status, make([]line, len(events)), template.JS(viewJS)}
	for i, e := range events {
		page.Lines[i] = line{e.Message.ID, e.Message.Type, e.Message.Text()}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", viewPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	// What fails here is the connection, and with it any way to tell.
	_ = viewPage.Execute(w, page)
}

// viewEvents is the page's own way to the event stream.
func (s *Server) viewEvents(w http.ResponseWriter, r *http.Request) {
	if session := s.viewed(w, r); session != nil {
		s.face.Stream(w, r, session)
	}
}
