package face

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// writeTimeout is how long a reader of a stream may take to accept an event.
const writeTimeout = 30 * time.Second

// Stream writes server-sent events to one reader. They wait in a buffer until
// they are flushed.
type Stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
}

// NewStream begins the answer to a request for a stream.
func NewStream(w http.ResponseWriter) *Stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	return &Stream{w: w, control: http.NewResponseController(w)}
}

// Event is one event of a stream. What is empty is left out.
type Event struct {
	ID, Name string
	Retry    time.Duration
	Data     any // becomes JSON
}

// Add puts an event into the buffer.
func (s *Stream) Add(e Event) {
	if e.ID != "" {
		fmt.Fprintf(&s.buf, "id: %s\n", e.ID)
	}
	if e.Retry > 0 {
		fmt.Fprintf(&s.buf, "retry: %d\n", e.Retry.Milliseconds())
	}
	fmt.Fprintf(&s.buf, "event: %s\ndata: ", e.Name)
	if err := encode(&s.buf, e.Data); err != nil { // ends the line
		s.buf.WriteString("{}\n")
	}
	s.buf.WriteByte('\n')
}

// Comment puts a line into the buffer that readers pass over.
func (s *Stream) Comment(text string) { fmt.Fprintf(&s.buf, ": %s\n\n", text) }

// Flush sends what the buffer holds. A reader that takes nothing is given up.
func (s *Stream) Flush() error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := s.buf.WriteTo(s.w); err != nil {
		return err
	}
	return s.control.Flush()
}

// WriteJSON answers with v as JSON of that content type.
func WriteJSON(w http.ResponseWriter, code int, contentType string, v any) {
	var body bytes.Buffer
	if err := encode(&body, v); err != nil {
		code = http.StatusInternalServerError
		body.Reset()
		body.WriteString("{}\n")
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(code)
	// A caller who has gone cannot be told.
	_, _ = w.Write(body.Bytes())
}

// encode writes JSON with <, > and & as they are, and a line's end.
func encode(to *bytes.Buffer, v any) error {
	start := to.Len()
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		to.Truncate(start)
		return err
	}
	return nil
}
