package agi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/errand-dev/errand/sessionserver/internal/face"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

const heartbeat = "heartbeat"

// Stream answers with the session's events as server-sent events: the history
// first (unless include_history=false), then what happens, until the current
// task is done or failed, the session is deleted or the server closes.
func (f *Face) Stream(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	q := r.URL.Query()
	var wrong invalid
	sanitize := wrong.queryBool(q, "sanitize", true)
	history := wrong.queryBool(q, "include_history", true)
	after := 0
	if f.StreamCursor {
		after = wrong.queryInt(q, "after_id")
	}
	if err := wrong.err(); err != nil {
		f.fail(w, r, err)
		return
	}
	out := &stream{sanitize: sanitize}
	if types := q.Get("event_types"); types != "" {
		out.types = strings.Split(types, ",")
	}
	position := s.After(after)
	if !history {
		position = s.Length()
	}
	// Without history, a task that was over before says nothing about the next one.
	current := history
	f.follow(w, r, s, out, position, func(events int, now sessions.Status) bool {
		current = current || events > 0
		return current && now.Over()
	})
}

// Watch is the stream of a session's page. It has no end but the session's,
// and the id of each event is the position behind it in the session's log,
// which a browser sends back when it connects again.
func (f *Face) Watch(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	from := r.Header.Get("Last-Event-ID")
	if from == "" {
		from = r.URL.Query().Get("from")
	}
	position, err := strconv.Atoi(from)
	if err != nil || position < 0 || position > s.Length() {
		position = 0
	}
	out := &stream{sanitize: true, byPosition: true}
	f.follow(w, r, s, out, position, func(int, sessions.Status) bool { return false })
}

// follow sends the session's log from a position on, then what happens, until
// done says so, the session is deleted or the server closes.
func (f *Face) follow(w http.ResponseWriter, r *http.Request, s *sessions.Session, out *stream, position int, done func(events int, now sessions.Status) bool) {
	out.Stream = face.NewStream(w)
	if out.Flush() != nil {
		return
	}
	beat := time.NewTicker(f.Heartbeat)
	defer beat.Stop()
	for {
		view := s.Since(position)
		for _, e := range view.Events {
			position++
			out.event(e, position)
		}
		if out.Flush() != nil || view.Deleted || done(len(view.Events), view.Status) {
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
	*face.Stream
	types      []string // nil: all
	sanitize   bool
	byPosition bool // the id of an event is its position, not that of its message
	last       int  // id of the last message
}

// event puts an event of the session's log into the buffer; position is the
// one behind it.
func (s *stream) event(e sessions.Event, position int) {
	s.last = max(s.last, e.Message.ID)
	name, data := frame(e, s.sanitize, s.last)
	id := e.Message.ID
	if s.byPosition {
		id = position
	}
	s.add(name, id, data)
}

// add puts an event into the buffer, if the reader asked for its type.
// Heartbeats keep the connection alive whatever the reader asked for.
func (s *stream) add(name string, id int, data any) {
	if name == "" || (s.types != nil && name != heartbeat && !slices.Contains(s.types, name)) {
		return
	}
	e := face.Event{Name: name, Data: data}
	if id > 0 {
		e.ID = strconv.Itoa(id)
	}
	s.Add(e)
}
