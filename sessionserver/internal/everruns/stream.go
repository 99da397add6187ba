package everruns

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/errand-dev/errand/sessionserver/internal/face"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// How long a client is told to wait before it connects again: shortly while
// there is something to come, longer when nothing is.
const (
	retryActive = 100 * time.Millisecond
	retryIdle   = 500 * time.Millisecond
)

// stream answers with the session's events as server-sent events, those that
// are there first, until the session is deleted or the connection has had its time.
func (f *Face) stream(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	want, err := f.filter(r.URL.Query())
	if err != nil {
		f.fail(w, r, err)
		return
	}
	out := face.NewStream(w)
	out.Add(face.Event{Name: "connected", Data: data{"status": "connected"}})
	if out.Flush() != nil {
		return
	}
	cycle := time.NewTimer(cycleOf(f.StreamCycle))
	defer cycle.Stop()
	beat := time.NewTicker(f.Heartbeat)
	defer beat.Stop()
	t := newTimeline(s)
	told := 0
	for {
		view := s.Since(t.entries)
		for _, e := range view.Events {
			t.add(e)
		}
		retry := retryIdle
		if view.Status.Active() {
			retry = retryActive
		}
		for _, e := range t.events[told:] {
			if want.takes(e) {
				out.Add(face.Event{ID: e.ID, Name: e.Type, Retry: retry, Data: e})
			}
		}
		told = len(t.events)
		if out.Flush() != nil || view.Deleted {
			return
		}
		select {
		case <-view.Changed:
			continue
		case <-beat.C:
			out.Comment("heartbeat")
			continue
		case <-cycle.C:
			f.disconnect(out, "connection_cycle")
		case <-f.Engine.Done():
			f.disconnect(out, "server_maintenance")
		case <-r.Context().Done():
		}
		return
	}
}

// disconnect tells a client to connect again.
func (f *Face) disconnect(out *face.Stream, reason string) {
	out.Add(face.Event{
		Name: "disconnecting", Retry: retryActive,
		Data: data{"reason": reason, "retry_ms": retryActive.Milliseconds()},
	})
	_ = out.Flush() // it is the last that is said
}

// cycleOf is a time up to a fifth shorter or longer than d.
func cycleOf(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
