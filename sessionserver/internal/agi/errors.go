package agi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// refuse answers with an error of this text, in the shape that the options ask for.
func (f *Face) refuse(w http.ResponseWriter, code int, text string) {
	writeJSON(w, code, map[string]string{f.ErrorBody: text})
}

// refuseFields answers with what is wrong field by field: FastAPI's list where
// the errors are a detail, a sentence and the list beside it elsewhere.
func (f *Face) refuseFields(w http.ResponseWriter, wrong invalid) {
	if f.ErrorBody == "detail" {
		writeJSON(w, http.StatusUnprocessableEntity, map[string]any{"detail": wrong})
		return
	}
	sentences := make([]string, len(wrong))
	for i, p := range wrong {
		sentences[i] = strings.Join(p.Loc[1:], ".") + ": " + p.Msg
	}
	writeJSON(w, http.StatusUnprocessableEntity, map[string]any{f.ErrorBody: strings.Join(sentences, "; "), "errors": wrong})
}

// fail answers with what an error of the engine or of a request means here.
func (f *Face) fail(w http.ResponseWriter, r *http.Request, err error) {
	var invalid invalid
	switch {
	case errors.As(err, &invalid):
		f.refuseFields(w, invalid)
	case errors.Is(err, sessions.ErrBusy):
		f.refuse(w, http.StatusConflict, "The agent is still working on the task before")
	case errors.Is(err, sessions.ErrPaused):
		f.refuse(w, http.StatusConflict, "The session is paused; resume it first")
	case errors.Is(err, agent.ErrNoScreen):
		f.refuse(w, http.StatusBadRequest, "The agent of this session has no browser; send a message with a start_url instead")
	default:
		f.Fail(w, r, err)
	}
}
