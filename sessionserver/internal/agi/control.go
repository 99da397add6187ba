package agi

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// How long an agent's browser may take, its start included. The vendor's SDKs
// give a call 60 seconds.
const (
	navigateTimeout   = 50 * time.Second
	screenshotTimeout = 30 * time.Second
)

// errSlow is told when that time is over.
var errSlow = errors.New("the agent's browser did not answer in time")

// pause holds the agent. A call that changes nothing succeeds: the vendor's own
// tests make such calls.
func (f *Face) pause(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	already := s.Status().Paused
	_, err := s.Pause()
	f.controlled(w, r, err, already, "Session is already paused (already_paused)", "Session paused successfully")
}

func (f *Face) resume(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	changed, err := s.Resume()
	f.controlled(w, r, err, !changed, "Session is not paused (not_paused)", "Session resumed successfully")
}

func (f *Face) cancel(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	f.controlled(w, r, s.Cancel(), false, "", "Session cancelled successfully")
}

// controlled answers a control call; idle calls are refused in strict mode.
func (f *Face) controlled(w http.ResponseWriter, r *http.Request, err error, idle bool, refusal, done string) {
	switch {
	case err != nil:
		f.fail(w, r, err)
	case idle && f.Strict:
		f.refuse(w, http.StatusConflict, refusal)
	default:
		writeJSON(w, http.StatusOK, successBody{Success: true, Message: done})
	}
}

func (f *Face) navigate(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	var req struct {
		URL string `json:"url"`
	}
	if err := decode(r, &req); err != nil {
		f.fail(w, r, err)
		return
	}
	var wrong invalid
	wrong.checkURL("url", req.URL, "http", "https")
	if req.URL == "" || wrong != nil {
		f.refuse(w, http.StatusBadRequest, "url should be absolute, begin with http:// or https:// and have at most 2000 characters")
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), navigateTimeout, errSlow)
	defer cancel()
	current, err := s.Navigate(ctx, req.URL)
	if err != nil {
		f.unseen(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, navigateBody{CurrentURL: current})
}

func (f *Face) screenshot(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), screenshotTimeout, errSlow)
	defer cancel()
	shot, err := s.Screenshot(ctx)
	if err != nil {
		f.unseen(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, screenshotBody{
		Screenshot: "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(shot.JPEG),
		URL:        shot.URL,
		Title:      shot.Title,
		Width:      shot.Width,
		Height:     shot.Height,
	})
}

// unseen answers with what an agent's browser could not do. The agent says why
// in words for people.
func (f *Face) unseen(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, sessions.ErrNotFound), errors.Is(err, sessions.ErrPaused), errors.Is(err, sessions.ErrClosed),
		errors.Is(err, agent.ErrNoScreen), r.Context().Err() != nil:
		f.fail(w, r, err)
	default:
		f.refuse(w, http.StatusBadRequest, err.Error())
	}
}
