// Package inbox serves the inbox to people: what waits for an answer, live, a
// page for each task and each batch, and the same as JSON for programs.
//
// The pages are rendered here and need no build; htmx keeps them up to date.
// Whoever has the login link may do everything, nobody else anything.
package inbox

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// Tasks is what the inbox needs of a [*starter.Client].
type Tasks interface {
	Waiting(context.Context, starter.Page) (starter.WaitingPage, error)
	CountWaiting(context.Context) (int64, error)
	WhatWaits(ctx context.Context, id string) (starter.Waiting, error)
	AgentTask(ctx context.Context, id string) (starter.AgentTask, error)
	Timeline(ctx context.Context, id string) ([]starter.Moment, error)
	Answer(ctx context.Context, id string, in workflows.AnswerInput) (workflows.Answer, error)
	Pause(ctx context.Context, id string) (workflows.Status, error)
	Resume(ctx context.Context, id string) (workflows.Status, error)
	Cancel(ctx context.Context, id string) error
}

// Messages reads what the session of a task said last.
type Messages interface {
	// Last returns at most n messages, the latest last; none where they cannot
	// be had.
	Last(ctx context.Context, task starter.AgentTask, n int) ([]Message, error)
}

// Message is something that the session of a task said.
type Message struct {
	ID   string    `json:"id"`
	Type string    `json:"type"` // thought, question, user, done, error or log
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// Options are what an inbox is made of.
type Options struct {
	Tasks    Tasks
	Batches  Batches
	Messages Messages // nil: what agents said is not shown
	Token    string   // of the login link, see [LoadToken]; an inbox without one lets nobody in
	Name     string   // who answers, where the person does not say; empty: everyone has to
	Logger   *slog.Logger
}

// server serves one inbox.
type server struct {
	Options
	pages *pages
	login login
}

// New returns the inbox. It is to be served at the root of its address.
func New(o Options) http.Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &server{Options: o, pages: newPages(), login: newLogin(o.Token)}

	private := http.NewServeMux()
	private.HandleFunc("GET /{$}", s.showInbox)
	private.HandleFunc("GET /waiting", s.showWaiting)
	private.HandleFunc("GET /tasks/{id}", s.showTask)
	private.HandleFunc("GET /tasks/{id}/live", s.showLive)
	private.HandleFunc("POST /tasks/{id}/answer", s.postAnswer)
	private.HandleFunc("GET /api/waiting", s.apiWaiting)
	private.HandleFunc("GET /api/tasks/{id}", s.apiTask)
	private.HandleFunc("GET /api/tasks/{id}/timeline", s.apiTimeline)
	private.HandleFunc("GET /api/tasks/{id}/messages", s.apiMessages)
	private.HandleFunc("POST /api/tasks/{id}/answer", s.apiAnswer)
	for name, do := range map[string]command{"pause": s.pause, "resume": s.resume, "cancel": s.cancel} {
		private.HandleFunc("POST /tasks/{id}/"+name, s.postCommand(do))
		private.HandleFunc("POST /api/tasks/{id}/"+name, s.apiCommand(do))
	}
	s.handleBatches(private)
	private.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.sayError(w, r, http.StatusNotFound, "There is nothing here", "Look at the address, or begin at the inbox.")
	})

	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.sayError(w, r, http.StatusForbidden, "This came from another site", "Forms are taken from the inbox's own pages alone.")
	}))

	public := http.NewServeMux()
	public.HandleFunc("GET /login", s.logIn)
	public.Handle("GET /static/", http.StripPrefix("/static/", cached(http.FileServerFS(static()))))
	public.Handle("/", s.onlyLoggedIn(sameOrigin.Handler(http.MaxBytesHandler(private, mostBody))))
	return guarded(public)
}

// mostBody bounds what may be posted, in bytes: an answer of MaxText characters,
// each escaped, and the other fields.
const mostBody = workflows.MaxText*12 + 10_000

//go:embed static templates
var files embed.FS

func static() fs.FS {
	sub, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // it is embedded above
	}
	return sub
}

// policy lets the pages do what they need, and nothing else: no script or style
// inside of them, no frame around them, no word to anyone else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guarded sets the headers that every answer has.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "same-origin") // none at all would hide where a form comes from
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// cached lets browsers keep what is the same for everyone.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		next.ServeHTTP(w, r)
	})
}
