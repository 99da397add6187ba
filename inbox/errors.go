package inbox

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/errand-dev/errand/starter"
)

// statusOf is the HTTP status that says what kind of failure it is.
func statusOf(err error) int {
	var (
		refused  *starter.RefusedError
		invalid  *starter.InvalidInputError
		noWorker *starter.NoWorkerError
	)
	switch {
	case errors.Is(err, starter.ErrUnknownTask), errors.Is(err, starter.ErrUnknownBatch):
		return http.StatusNotFound
	case errors.As(err, &refused):
		return http.StatusConflict
	case errors.As(err, &invalid):
		return http.StatusUnprocessableEntity
	case errors.As(err, &noWorker):
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadGateway
	}
}

// sayFailure answers with what went wrong with a task.
func (s *server) sayFailure(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) { // the browser has gone on
		return
	}
	status, title := statusOf(err), "This did not work"
	switch status {
	case http.StatusNotFound:
		title = "There is no such task"
		if errors.Is(err, starter.ErrUnknownBatch) {
			title = "There is no such batch"
		}
	case http.StatusConflict:
		title = "This was refused"
	case http.StatusBadGateway:
		s.Logger.Warn("request failed", "path", r.URL.Path, "error", err)
	}
	s.sayError(w, r, status, title, sentence(err))
}

// unlessNoWorker keeps in trouble that no worker answers, and passes any other
// error on: what is known all the same is worth showing.
func unlessNoWorker(err error, trouble *string) error {
	if noWorker, ok := errors.AsType[*starter.NoWorkerError](err); ok {
		*trouble = noWorker.Error()
		return nil
	}
	return err
}

// sentence makes an error one that people can read.
func sentence(err error) string {
	s := strings.TrimSpace(err.Error())
	first, size := utf8.DecodeRuneInString(s)
	if size > 0 && !strings.HasPrefix(s, "errand") {
		s = string(unicode.ToUpper(first)) + s[size:]
	}
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, ")") {
		s += "."
	}
	return s
}
