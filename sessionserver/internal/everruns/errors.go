package everruns

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/errand-dev/errand/sessionserver/internal/face"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// problem is an error as RFC 9457 has it.
type problem struct {
	Type              string `json:"type"`
	Title             string `json:"title"`
	Status            int    `json:"status"`
	Detail            string `json:"detail,omitempty"`
	Code              string `json:"code,omitempty"`
	Instance          string `json:"instance,omitempty"`
	RetryAfterSeconds int    `json:"retry_after_seconds,omitempty"`
}

// wrong is what is wrong with a request.
type wrong struct {
	code int
	text string
	name string // the machine-readable code of a problem; may be empty
}

func (e wrong) Error() string { return e.text }

// invalid is a request that cannot be understood.
func invalid(format string, args ...any) error {
	return wrong{code: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

// refuse answers with an error. The profiles have it in different ways: given
// leaves the body of a session's error empty.
func (f *Face) refuse(w http.ResponseWriter, r *http.Request, code int, text string) {
	f.tell(w, r, wrong{code: code, text: text})
}

func (f *Face) tell(w http.ResponseWriter, r *http.Request, e wrong) {
	switch {
	case e.code == http.StatusUnauthorized:
		writeJSON(w, e.code, map[string]string{"error": "Unauthorized"})
	case f.Profile == Given && hasErrorBody(r):
		writeJSON(w, e.code, map[string]string{"error": e.text})
	case f.Profile == Given:
		w.WriteHeader(e.code)
	default:
		// The header is there if the error is of those that can be tried again.
		seconds, _ := strconv.Atoi(w.Header().Get("Retry-After"))
		face.WriteJSON(w, e.code, "application/problem+json", problem{
			Type:              "about:blank",
			Title:             http.StatusText(e.code),
			Status:            e.code,
			Detail:            e.text,
			Code:              e.name,
			Instance:          f.Prefix + r.URL.Path,
			RetryAfterSeconds: seconds,
		})
	}
}

// hasErrorBody says whether the given profile has something to read in the
// error of a path.
func hasErrorBody(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1/agents") }

// fail answers with what an error of the engine or of a request means here.
func (f *Face) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e wrong
	switch {
	case errors.As(err, &e):
		f.tell(w, r, e)
	case errors.Is(err, sessions.ErrNotFound):
		f.tell(w, r, wrong{http.StatusNotFound, "Session not found", "not_found"})
	case errors.Is(err, sessions.ErrBusy):
		f.tell(w, r, wrong{http.StatusConflict, "The session has an active turn", "turn_active"})
	case errors.Is(err, sessions.ErrNotWaiting):
		f.tell(w, r, wrong{http.StatusConflict, "The session does not wait for this", "not_waiting"})
	default:
		f.Fail(w, r, err)
	}
}

// decode reads a JSON object out of the request body; an empty body counts as
// an empty object.
func (f *Face) decode(r *http.Request, into any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return invalid("Body should be valid UTF-8")
	}
	err = json.Unmarshal(body, into)
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mistyped):
		return f.unfit("%s should not be a %s", strings.TrimPrefix(mistyped.Field, "."), mistyped.Value)
	default:
		return invalid("Body should be valid JSON: %v", err)
	}
}

// unfit is a body of good JSON that is not what the operation takes.
func (f *Face) unfit(format string, args ...any) error {
	e := wrong{code: http.StatusUnprocessableEntity, text: fmt.Sprintf(format, args...)}
	if f.Profile == Given {
		e.code = http.StatusBadRequest // it documents no other
	}
	return e
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	face.WriteJSON(w, code, "application/json", v)
}
