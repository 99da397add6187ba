package provider

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/everruns"
)

func everrunsFrame(n int, kind everruns.EventType) string {
	return fmt.Sprintf("event: %[2]s\nid: event_%04[1]d\ndata: {\"id\":\"event_%04[1]d\",\"type\":%[2]q,\"context\":{},\"data\":{}}\n\n", n, kind)
}

const (
	everrunsConnected     = "event: connected\ndata: {\"status\":\"connected\"}\n\n"
	everrunsDisconnecting = "event: disconnecting\ndata: {\"reason\":\"connection_cycle\",\"retry_ms\":100}\n\n"
)

// everrunsStreaming serves each stream frame by frame, and tells what it was
// asked for.
func everrunsStreaming(t *testing.T, frames <-chan string, asked chan<- string) Provider {
	return everrunsServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.RequestURI()
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, everrunsConnected)
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

func TestWatchOfEverrunsWakesForWhatMatters(t *testing.T) {
	const stream = "/v1/sessions/" + everrunsSID + "/sse?exclude=output.message.delta&exclude=reason.thinking.delta&exclude=llm.generation"
	frames, asked, wakes, watched := make(chan string), make(chan string, 1), make(chan struct{}, 20), make(chan error, 1)
	p := everrunsStreaming(t, frames, asked)
	watch := func(types ...EntryType) {
		go func() { watched <- p.Watch(t.Context(), everrunsSID, func() { wakes <- struct{}{} }, types...) }()
		<-wakes // open
	}

	watch(EntryDone, EntryQuestion, EntryError)
	require.Equal(t, stream, <-asked)
	matters := []everruns.EventType{
		everruns.EventTurnCompleted, everruns.EventTurnFailed, everruns.EventTurnCancelled, everruns.EventTurnSealed,
		everruns.EventToolCallRequested, everruns.EventTaskCreated, everruns.EventTaskUpdated, everruns.EventSessionIdled,
	}
	for i, kind := range matters {
		frames <- everrunsFrame(10+2*i, "tool.started") // wakes nobody
		frames <- ": heartbeat\n\n"
		frames <- everrunsFrame(11+2*i, kind)
		<-wakes
	}
	frames <- everrunsFrame(99, everruns.EventOutputCompleted)
	frames <- everrunsDisconnecting
	require.NoError(t, <-watched, "the API ends its streams in order")
	require.Empty(t, wakes)

	watch() // for anything, from where the last stream ended
	require.Equal(t, stream+"&since_id=event_0099", <-asked)
	frames <- everrunsFrame(100, "voice.started")
	<-wakes
	close(frames)
	require.NoError(t, <-watched)
}

func TestWatchOfEverrunsBeginsWhereReadingWas(t *testing.T) {
	stage := &everrunsStage{status: "active", events: []everruns.Event{ours(2, "message_1", "k", "go")}}
	var asked string
	p := everrunsServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/sessions/"+everrunsSID+"/sse" {
			asked = r.URL.Query().Get("since_id")
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, everrunsDisconnecting)
			return
		}
		stage.ServeHTTP(w, r)
	})
	_, err := p.Read(t.Context(), everrunsSID, "")
	require.NoError(t, err)
	require.NoError(t, p.Watch(t.Context(), everrunsSID, func() {}))
	require.Equal(t, "event_0002", asked)
}

func TestWatchOfEverrunsFailsWithoutWaking(t *testing.T) {
	silent := func() { t.Error("woken by a stream that is none") }
	err := everrunsAnswering(t, http.StatusNotFound, "").Watch(t.Context(), everrunsSID, silent)
	require.True(t, IsKind(err, ErrorNotFound), "%v", err)
	err = everrunsAnswering(t, http.StatusOK, `{}`).Watch(t.Context(), everrunsSID, silent)
	require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
}

func TestAStreamOfEverrunsThatBreaksIsAnError(t *testing.T) {
	err := everrunsServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, everrunsConnected)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}).Watch(t.Context(), everrunsSID, func() {})
	require.True(t, IsKind(err, ErrorUnavailable), "%v", err)

	ctx, cancel := context.WithCancel(t.Context())
	err = everrunsStreaming(t, nil, make(chan string, 1)).Watch(ctx, everrunsSID, cancel)
	require.ErrorIs(t, err, context.Canceled)
}

func TestWhatWasHeardOfSessionsIsBounded(t *testing.T) {
	var h everrunsHeard
	for i := range everrunsMostHeard + 1 {
		h.note(fmt.Sprint(i), "event_1")
	}
	require.Len(t, h.events, 1)
	require.Equal(t, "event_1", h.last(fmt.Sprint(everrunsMostHeard)))
	h.forget(fmt.Sprint(everrunsMostHeard))
	require.Empty(t, h.events)
}
