package provider

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// streaming is a vendor whose event stream says what comes out of frames, and
// ends when that is closed. Any other request than one for the news of results
// and questions is refused.
func streaming(t *testing.T, frames <-chan string) Provider {
	return vendor(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/v1/sessions/"+sessionID+"/events?event_types=done%2Cquestion&include_history=false" {
			http.Error(w, r.URL.RequestURI(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		for {
			_ = http.NewResponseController(w).Flush()
			select {
			case frame, ok := <-frames:
				if !ok {
					return
				}
				fmt.Fprint(w, frame)
			case <-r.Context().Done():
				return
			}
		}
	})
}

func TestWatchWakesOnOpenAndOnEventsAndEndsWithTheStream(t *testing.T) {
	frames := make(chan string)
	wakes := make(chan struct{}, 10)
	watched := make(chan error, 1)
	p := streaming(t, frames)
	go func() {
		watched <- p.Watch(t.Context(), sessionID, func() { wakes <- struct{}{} }, EntryDone, EntryQuestion)
	}()

	select {
	case <-wakes: // open
	case err := <-watched:
		require.NoError(t, err)
	}
	frames <- "event: heartbeat\ndata: {\"timestamp\":\"2026-01-15T09:30:00Z\"}\n\n"
	frames <- "id: 7\nevent: question\ndata: {\"text\":\"Which size?\",\"message_id\":7}\n\n"
	<-wakes
	frames <- "event: heartbeat\ndata: {}\n\n"
	frames <- "id: 8\nevent: done\ndata: {\"text\":\"ok\",\"message_id\":8}\n\n"
	<-wakes
	frames <- "event: heartbeat\ndata: {}\n\n"
	close(frames)
	require.NoError(t, <-watched)
	require.Empty(t, wakes, "a heartbeat is no news")
}

func TestWatchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := streaming(t, nil).Watch(ctx, sessionID, cancel, EntryDone, EntryQuestion)
	require.ErrorIs(t, err, context.Canceled)
}

func TestWatchFailsWithoutWaking(t *testing.T) {
	silent := func() { t.Error("woken by a stream that is none") }

	err := answering(t, http.StatusNotFound, `{"detail":"Not Found"}`).Watch(t.Context(), sessionID, silent)
	require.True(t, IsKind(err, ErrorNotFound), "%v", err)

	err = answering(t, http.StatusOK, `{}`).Watch(t.Context(), sessionID, silent)
	require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
}

func TestAStreamThatBreaksIsAnError(t *testing.T) {
	woken := 0
	err := vendor(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "event: thought\ndata: {}\n\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}).Watch(t.Context(), sessionID, func() { woken++ })
	require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
	require.ErrorContains(t, err, "event stream: ")
	require.Equal(t, 2, woken)
}
