package sessionserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/errand-dev/errand/sessionserver/internal/agi"
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
	return "default-src 'none'; img-src 'self' blob:; style-src 'unsafe-inline'; connect-src 'self'; script-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// viewURL is the address of a session's page on a server that is reached at
// base. A browser sends no API key, so where keys are asked for the address
// itself is the secret.
func (s *Server) viewURL(base string, f sessions.Facts) string {
	address := base + "/session/" + f.ID
	if s.keys.Required() {
		address += "?" + url.Values{"token": {f.ViewToken}}.Encode()
	}
	return address
}

// watched finds the session that a page request is about. A wrong token looks
// like an unknown session.
func (s *Server) watched(w http.ResponseWriter, r *http.Request) *sessions.Session {
	session, err := s.engine.Session(r.PathValue("id"))
	if err != nil || (s.keys.Required() && !auth.Equal(r.URL.Query().Get("token"), session.ViewToken)) {
		http.Error(w, "There is no such session. It may have been deleted.", http.StatusNotFound)
		return nil
	}
	return session
}

// viewed is what the page shows when it is opened; its script adds the rest.
type viewed struct {
	Session  *sessions.Session
	State    string
	Lines    []viewLine
	Position int // behind the last line, in the session's log
	Script   template.JS
}

type viewLine struct {
	Type string
	Text string
}

// stateWords is a status for people, in the words of the page's script.
func stateWords(s sessions.Status) string {
	switch {
	case s.Paused:
		return "paused"
	case s.Phase == sessions.Waiting:
		return "waiting for an answer"
	case s.Phase == sessions.GivenUp:
		return "cancelled"
	}
	return string(s.Phase)
}

func (s *Server) view(w http.ResponseWriter, r *http.Request) {
	session := s.watched(w, r)
	if session == nil {
		return
	}
	log := session.Since(0)
	page := viewed{Session: session, State: stateWords(log.Status), Position: len(log.Events), Script: template.JS(viewJS)}
	for _, e := range log.Events {
		m, ok := agi.Shown(e.Message, true)
		switch {
		case e.Mark == sessions.Step:
			page.Lines = append(page.Lines, viewLine{string(e.Mark), e.Text})
		case e.Mark == "" && ok:
			page.Lines = append(page.Lines, viewLine{string(m.Type), m.Text()})
		}
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
	if session := s.watched(w, r); session != nil {
		s.page.Watch(w, r, session)
	}
}

// screenTimeout is how long the agent may take for a picture.
const screenTimeout = 5 * time.Second

// screenAge is how old a picture may be before the agent is asked for another.
const screenAge = time.Second

// viewScreen is the page's own way to the agent's screen: 404 while there is
// none to show, 304 if it is the one that the page has.
func (s *Server) viewScreen(w http.ResponseWriter, r *http.Request) {
	session := s.watched(w, r)
	if session == nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), screenTimeout)
	defer cancel()
	shot, err := session.Seen(ctx, screenAge)
	if err != nil {
		http.Error(w, "There is nothing to see.", http.StatusNotFound)
		return
	}
	sum := sha256.Sum256(shot.JPEG)
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:12])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(shot.JPEG))
}
