package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// streamOf serves an event stream in pieces, each flushed on its own.
func streamOf(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for _, piece := range pieces {
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// silent sends one event and then nothing until the client has gone.
func silent(w http.ResponseWriter, r *http.Request) {
	streamOf("event: step\ndata: 1\n\n")(w, r)
	<-r.Context().Done()
}

func collect(s *Stream) (events []Event, err error) {
	for event, failed := range s.Events() {
		if failed != nil {
			return events, failed
		}
		events = append(events, event)
	}
	return events, nil
}

func TestStreamReadsEventsHoweverTheyAreSplit(t *testing.T) {
	one := Event{ID: "7", Type: "question", Data: []byte(`{"text":"Which size?"}`)}
	for name, test := range map[string]struct {
		input string
		want  []Event
	}{
		"LF":                {"id: 7\nevent: question\ndata: {\"text\":\"Which size?\"}\n\n", []Event{one}},
		"CRLF":              {"id: 7\r\nevent: question\r\ndata: {\"text\":\"Which size?\"}\r\n\r\n", []Event{one}},
		"CR":                {"id: 7\revent: question\rdata: {\"text\":\"Which size?\"}\r\r", []Event{one}},
		"no space":          {"id:7\nevent:question\ndata:{\"text\":\"Which size?\"}\n\n", []Event{one}},
		"byte order mark":   {"\uFEFFid: 7\nevent: question\ndata: {\"text\":\"Which size?\"}\n\n", []Event{one}},
		"no last blank":     {"id: 7\nevent: question\ndata: {\"text\":\"Which size?\"}\n", []Event{one}},
		"comments":          {": hello\n\n:\n\nid: 7\n: inside\nevent: question\ndata: {\"text\":\"Which size?\"}\n\n: bye\n\n", []Event{one}},
		"unknown fields":    {"retry: 100\nid: 7\ncolour: red\nevent: question\ndata: {\"text\":\"Which size?\"}\n\n", []Event{one}},
		"several data":      {"data: a\ndata:\ndata: b\n\n", []Event{{Data: []byte("a\n\nb")}}},
		"type without data": {"event: paused\n\n", []Event{{Type: "paused", Data: []byte{}}}},
		"lone id":           {"id: 9\n\ndata: x\n\n", []Event{{Data: []byte("x")}}},
		"id of one event alone": {"id: 1\ndata: a\n\nevent: heartbeat\ndata: b\n\nid: 1\ndata: c\n\n", []Event{
			{ID: "1", Data: []byte("a")},
			{Type: "heartbeat", Data: []byte("b")},
			{ID: "1", Data: []byte("c")},
		}},
		"id with a null":      {"id: 1\x002\ndata: a\n\n", []Event{{Data: []byte("a")}}},
		"id taken back":       {"id: 1\nid\ndata: a\n\n", []Event{{Data: []byte("a")}}},
		"ends mixed":          {"id: 7\revent: question\r\ndata: {\"text\":\"Which size?\"}\n\r\n", []Event{one}},
		"blank lines between": {"\n\n\ndata: a\n\n\n\ndata: b\n\n\n", []Event{{Data: []byte("a")}, {Data: []byte("b")}}},
		"nothing":             {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for split, pieces := range map[string][]string{
				"whole":        {test.input},
				"byte by byte": strings.Split(test.input, ""),
			} {
				stream, err := serve(t, streamOf(pieces...)).Stream(t.Context(), getThing, StreamOptions{})
				require.NoError(t, err)
				got, err := collect(stream)
				require.NoError(t, err, split)
				require.Equal(t, test.want, got, split)
			}
		})
	}
}

func TestStreamYieldsAnEventBeforeTheNextOneComes(t *testing.T) {
	next := make(chan struct{})
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		streamOf("data: a\n\n")(w, r)
		<-next
		streamOf("data: b\n\n")(w, r)
	})
	stream, err := client.Stream(t.Context(), getThing, StreamOptions{})
	require.NoError(t, err)
	var got []string
	for event, err := range stream.Events() {
		require.NoError(t, err)
		if len(got) == 0 {
			close(next)
		}
		got = append(got, string(event.Data))
	}
	require.Equal(t, []string{"a", "b"}, got)
}

func TestStreamBreaksWithItsReason(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		events  int
		is      error
		idle    time.Duration
	}{
		"a line cut by the end": {streamOf("data: a\n\ndata: b"), 1, io.ErrUnexpectedEOF, time.Minute},
		"a giant event":         {streamOf("data: a\n\n", "data: ", strings.Repeat("x", 2<<10)), 1, ErrEventTooLarge, time.Minute},
		"a giant comment":       {streamOf("data: a\n\n", ":", strings.Repeat("x", 2<<10)), 1, ErrEventTooLarge, time.Minute},
		"a connection that dies": {func(w http.ResponseWriter, r *http.Request) {
			streamOf("data: a\n\n", "data: b\n")(w, r)
			panic(http.ErrAbortHandler)
		}, 1, io.ErrUnexpectedEOF, time.Minute},
		"silence": {silent, 1, ErrStreamIdle, 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			stream, err := serve(t, test.handler).Stream(t.Context(), getThing,
				StreamOptions{IdleTimeout: test.idle, MaxEventSize: 1 << 10})
			require.NoError(t, err)
			events, err := collect(stream)
			require.Len(t, events, test.events)
			var broken *StreamError
			require.ErrorAs(t, err, &broken)
			require.ErrorIs(t, err, test.is)
			require.Equal(t, "/v1/thing", broken.Path)
		})
	}
}

func TestStreamRefusesWhatIsNotAStream(t *testing.T) {
	t.Run("a failure", func(t *testing.T) {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"detail":"Session not found"}`)
		})
		_, err := client.Stream(t.Context(), getThing, StreamOptions{})
		var answer *Error
		require.ErrorAs(t, err, &answer)
		require.Equal(t, http.StatusNotFound, answer.StatusCode)
	})
	t.Run("another content type", func(t *testing.T) {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
		})
		_, err := client.Stream(t.Context(), getThing, StreamOptions{})
		var unreadable *BodyError
		require.ErrorAs(t, err, &unreadable)
		require.ErrorContains(t, err, `"text/html" is not an event stream`)
	})
	t.Run("a server that never answers", func(t *testing.T) {
		client := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		_, err := client.Stream(t.Context(), getThing, StreamOptions{IdleTimeout: 50 * time.Millisecond})
		var unanswered *TransportError
		require.ErrorAs(t, err, &unanswered)
		require.ErrorIs(t, err, ErrStreamIdle)
	})
	t.Run("a closed port", func(t *testing.T) {
		_, err := clientOf(t, closedPort(t), nil).Stream(t.Context(), getThing, StreamOptions{})
		var unanswered *TransportError
		require.ErrorAs(t, err, &unanswered)
		require.False(t, unanswered.Sent)
	})
}

// pipe is a connection inside a synctest bubble.
func pipe() (*http.Client, *io.PipeWriter) {
	r, w := io.Pipe()
	return &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		context.AfterFunc(req.Context(), func() { _ = r.CloseWithError(errors.New("torn")) })
		return &http.Response{
			StatusCode: http.StatusOK,
			Header:     http.Header{"Content-Type": {"text/event-stream"}},
			Body:       r,
			Request:    req,
		}, nil
	})}, w
}

func TestIdleTimeoutCountsSilenceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hc, far := pipe()
		client := clientOf(t, "http://agent.invalid", hc)
		stream, err := client.Stream(t.Context(), getThing, StreamOptions{IdleTimeout: 45 * time.Second})
		require.NoError(t, err)
		began := time.Now()

		go func() {
			for range 100 { // 50 minutes of comments, one byte short of silence
				<-time.After(30 * time.Second)
				_, _ = io.WriteString(far, ": heartbeat\n\n")
			}
			_, _ = io.WriteString(far, "data: a\n\n")
		}()
		var got []string
		for event, err := range stream.Events() {
			if err != nil {
				require.ErrorIs(t, err, ErrStreamIdle)
				break
			}
			got = append(got, string(event.Data))
			<-time.After(time.Hour) // the reader's own work is not the server's silence
		}
		require.Equal(t, []string{"a"}, got)
		require.Equal(t, 50*time.Minute+time.Hour+45*time.Second, time.Since(began))
	})
}

func TestStreamEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	stream, err := serve(t, silent).Stream(ctx, getThing, StreamOptions{IdleTimeout: time.Minute})
	require.NoError(t, err)
	var last error
	for _, err := range stream.Events() {
		cancel(errors.New("changed my mind"))
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
	var broken *StreamError
	require.ErrorAs(t, last, &broken)
}

func TestStreamOutlivesTheTimeoutOfTheHTTPClient(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		streamOf("data: a\n\n")(w, r)
		<-release
		streamOf("data: b\n\n")(w, r)
	}))
	t.Cleanup(server.Close)
	client := clientOf(t, server.URL, &http.Client{Timeout: 30 * time.Millisecond, Transport: NewTransport()})
	stream, err := client.Stream(t.Context(), getThing, StreamOptions{})
	require.NoError(t, err)
	time.AfterFunc(100*time.Millisecond, func() { close(release) })
	events, err := collect(stream)
	require.NoError(t, err)
	require.Len(t, events, 2)
}

func TestCloseEndsALoopInAnotherGoroutineWithoutAnError(t *testing.T) {
	stream, err := serve(t, silent).Stream(t.Context(), getThing, StreamOptions{IdleTimeout: time.Minute})
	require.NoError(t, err)
	seen, done := make(chan struct{}), make(chan error, 1)
	go func() {
		var last error
		for _, err := range stream.Events() {
			if err != nil {
				last = err
				break
			}
			close(seen)
		}
		done <- last
	}()
	<-seen
	require.NoError(t, stream.Close())
	require.NoError(t, <-done)
	require.NoError(t, stream.Close())
}

func TestLeavingTheLoopFreesTheServer(t *testing.T) {
	left := make(chan struct{})
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		silent(w, r)
		close(left)
	})
	stream, err := client.Stream(t.Context(), getThing, StreamOptions{})
	require.NoError(t, err)
	for _, err := range stream.Events() {
		require.NoError(t, err)
		break
	}
	<-left
}

func TestAStreamReadToItsEndGivesItsConnectionBack(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(streamOf("data: a\n\n", "event: done\ndata: b\n\n"))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := clientOf(t, server.URL, nil)
	for range 5 {
		stream, err := client.Stream(t.Context(), getThing, StreamOptions{IdleTimeout: time.Minute})
		require.NoError(t, err)
		events, err := collect(stream)
		require.NoError(t, err)
		require.Len(t, events, 2)
		require.NoError(t, client.Do(t.Context(), getThing, nil))
	}
	require.EqualValues(t, 1, opened.Load())
}

func TestManyStreamsAtOnceFromOneClient(t *testing.T) {
	const streams = 200
	all := make(chan struct{})
	var open atomic.Int32
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if open.Add(1) == streams {
			close(all)
		}
		<-all // nobody is served until everybody is connected
		streamOf("data: a\n\n")(w, r)
	})
	results := make(chan error, streams)
	for range streams {
		go func() {
			stream, err := client.Stream(t.Context(), getThing, StreamOptions{IdleTimeout: time.Minute})
			if err == nil {
				var events []Event
				events, err = collect(stream)
				if err == nil && len(events) != 1 {
					err = fmt.Errorf("%d events", len(events))
				}
			}
			results <- err
		}()
	}
	for range streams {
		require.NoError(t, <-results)
	}
}
