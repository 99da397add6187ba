package inbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// pages are the templates.
type pages struct{ templates *template.Template }

func newPages() *pages {
	t := template.New("").Funcs(template.FuncMap{
		"age":    age,
		"left":   left,
		"clock":  clock,
		"full":   func(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") },
		"stamp":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"short":  short,
		"word":   momentWord,
		"status": statusWord,
		"path":   pathOf,
		"pretty": pretty,
	})
	return &pages{templates: template.Must(t.ParseFS(files, "templates/*.html"))}
}

// render writes a page, or nothing of it.
func (p *pages) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "this page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // nobody to tell if the browser is gone
	}
}

// livePart is a part of a page that htmx keeps up to date. Sum tells its content
// from a later one.
type livePart struct {
	ID      string // of the element, and the template's name
	URL     string // where to ask for news
	Include string // selector of inputs that are sent along
	HTML    template.HTML
	Sum     string
	News    any // data of what changes elsewhere on the page with it
}

// live renders a part of a page.
func (p *pages) live(id, url, include string, data any) (livePart, error) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, id, data); err != nil {
		return livePart{}, err
	}
	sum := sha256.Sum256(b.Bytes())
	return livePart{
		ID: id, URL: url, Include: include, News: data,
		HTML: template.HTML(b.String()), //nolint:gosec // html/template has just rendered it
		Sum:  hex.EncodeToString(sum[:8]),
	}, nil
}

// sendNews answers who asks for news of a part: with nothing where there is none,
// so that the page is left as it is.
func (s *server) sendNews(w http.ResponseWriter, r *http.Request, p livePart) {
	if r.URL.Query().Get("seen") == p.Sum {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	s.pages.render(w, r, http.StatusOK, p.ID+"-news", p)
}

// sayError answers with an error: a page for people, JSON for programs.
func (s *server) sayError(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		writeJSON(w, status, map[string]string{"error": title + ": " + text})
		return
	}
	s.pages.render(w, r, status, "message.html", map[string]any{"Title": title, "Text": text, "LoggedIn": status != http.StatusUnauthorized})
}

// age is how long ago something was, in the words of people.
func age(t time.Time) string {
	switch d := time.Since(t); {
	case d < time.Minute:
		return "just now"
	default:
		return span(d) + " ago"
	}
}

// left is how long it is until then.
func left(t time.Time) string {
	switch d := time.Until(t); {
	case d <= 0:
		return "now"
	case d < time.Minute:
		return "in less than a minute"
	default:
		return "in " + span(d)
	}
}

func span(d time.Duration) string {
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 10*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// pathOf is the address of a task's page. Ids may hold any character.
func pathOf(id string) string { return "/tasks/" + url.PathEscape(id) }

// clock is a time of day, with the day unless that is today.
func clock(t time.Time) string {
	t = t.Local()
	if t.Format(time.DateOnly) == time.Now().Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("Jan 2 15:04:05")
}

// short is a text in one line of at most n characters.
func short(n int, s string) string {
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n-1]) + "…"
}

func statusWord(s workflows.Status) string { return strings.ReplaceAll(string(s), "_", " ") }

// momentWord says what happened, for people.
func momentWord(k starter.MomentKind) string {
	if w, ok := map[starter.MomentKind]string{
		starter.MomentCreated:  "Created",
		starter.MomentSession:  "Session created",
		starter.MomentTurn:     "Sent to the agent",
		starter.MomentFinished: "The agent finished",
		starter.MomentQuestion: "The agent asked",
		starter.MomentAnswer:   "Answered",
		starter.MomentPaused:   "Paused",
		starter.MomentResumed:  "Resumed",
		starter.MomentRestart:  "Started again",
		starter.MomentDeleted:  "Session deleted",
		starter.MomentCancel:   "To be cancelled",
		starter.MomentEnded:    "Ended",
	}[k]; ok {
		return w
	}
	return string(k)
}

// pretty is JSON for people.
func pretty(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}
