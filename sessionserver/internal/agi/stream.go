package agi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// writeTimeout is how long a reader of a stream may take to accept an event.
const writeTimeout = 30 * time.Second

const heartbeat = "heartbeat"

// Stream answers with the session's events as server-sent events: the history
// first (unless include_history=false), then what happens, until the current
// task is done or failed, the session is deleted or the server closes.
func (f *Face) Stream(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	q := r.URL.Query()
	var wrong invalid
	wrong.checkSanitize(q)
	history := wrong.queryBool(q, "include_history", true)
	if err := wrong.err(); err != nil {
		f.fail(w, r, err)
		return
	}
	out := stream{w: w, control: http.NewResponseController(w)}
	if types := q.Get("event_types"); types != "" {
		out.types = strings.Split(types, ",")
	}
	position := 0
	if !history {
		position = s.Length()
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if out.flush() != nil {
		return
	}
	beat := time.NewTicker(f.Heartbeat)
	defer beat.Stop()

	// Without history, a task that was over before says nothing about the next one.
	current := history
	for {
		view := s.Since(position)
		position += len(view.Events)
		current = current || len(view.Events) > 0
		for _, e := range view.Events {
			name, data := streamEvent(e)
			out.add(name, e.Message.ID, data)
		}
		if out.flush() != nil || view.Deleted || (current && view.Status.Over()) {
			return
		}
		select {
		case <-view.Changed:
		case now := <-beat.C:
			out.add(heartbeat, 0, timeData{timestamp(now)})
		case <-f.Engine.Done():
			return
		case <-r.Context().Done():
			return
		}
	}
}

// stream writes events to one reader.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	types   []string // nil: all
	buf     bytes.Buffer
}

// add puts an event into the buffer, if the reader asked for its type.
// Heartbeats keep the connection alive whatever the reader asked for.
func (s *stream) add(name string, id int, data any) {
	if name == "" || (s.types != nil && name != heartbeat && !slices.Contains(s.types, name)) {
		return
	}
	if id > 0 {
		fmt.Fprintf(&s.buf, "id: %d\n", id)
	}
	fmt.Fprintf(&s.buf, "event: %s\ndata: ", name)
	enc := json.NewEncoder(&s.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil { // ends the line
		s.buf.WriteString("{}\n")
	}
	s.buf.WriteByte('\n')
}

// flush sends what the buffer holds. A reader that takes nothing is given up.
func (s *stream) flush() error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := s.buf.WriteTo(s.w); err != nil {
		return err
	}
	return s.control.Flush()
}
