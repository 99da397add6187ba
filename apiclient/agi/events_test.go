package agi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func streamOf(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, piece := range pieces {
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func TestEventsAsksForWhatTheOptionsSay(t *testing.T) {
	no, yes := false, true
	for want, opts := range map[string]EventsOptions{
		"/v1/sessions/s-1/events": {},
		"/v1/sessions/s-1/events?event_types=done%2Cquestion&include_history=true&sanitize=false": {
			EventTypes: []EventType{EventDone, EventQuestion}, Sanitize: &no, IncludeHistory: &yes,
		},
	} {
		got := make(chan string, 1)
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got <- r.RequestURI + " " + r.Header.Get("Accept") + " " + r.Header.Get("Accept-Encoding") + " " + r.Header.Get("Authorization")
			streamOf()(w, r)
		})
		stream, err := client.Events(t.Context(), "s-1", opts)
		require.NoError(t, err)
		require.NoError(t, stream.Close())
		require.Equal(t, want+" text/event-stream identity Bearer "+testKey, <-got)
	}
}

func TestEventsAreReadByTheirType(t *testing.T) {
	client := serve(t, streamOf(
		"event: thought\nid: 3\ndata: {\"text\":\"Looking\",\"message_id\":3}\n\n",
		"event: question\nid: 4\ndata: {\"text\":\"Which size?\",\"message_id\":4}\n\n",
		": a comment\n\nevent: heartbeat\ndata: {\"timestamp\":\"2026-01-15T09:30:00Z\"}\n\n",
		"event: step\ndata: clicked\n\n",
		"event: paused\n\n",
		"event: log\ndata: {\"text\":{\"a\":1},\"message_id\":\"five\",\"status_code\":7}\n\n",
		"event: error\ndata: {\"error\":\"Lost the page\",\"status_code\":502}\n\n",
		"id: 6\nevent: error\ndata: {\"error\":{\"text\":\"Lost\"}}\n\n",
		"id: 6\nevent: heartbeat\ndata: {}\n\n",
		"id: seven\nevent: log\ndata: {\"message_id\":\"8\"}\n\n",
		"event: done\nid: 9\ndata: {\"text\":\"Done\",\"result\":{\"price\":1},\"message_id\":9}\n\n",
	))
	stream, err := client.Events(t.Context(), "s-1", EventsOptions{})
	require.NoError(t, err)
	var got []Event
	for event, err := range stream.Events() {
		require.NoError(t, err)
		got = append(got, event)
	}
	for i := range got {
		require.NotNil(t, got[i].Data)
	}
	require.Equal(t, "clicked", string(got[3].Data))
	for i := range got {
		got[i].Data = nil
	}
	heartbeat := Event{Type: EventHeartbeat}
	heartbeat.Timestamp.Time = time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
	require.Equal(t, []Event{
		{Type: EventThought, MessageID: 3, Text: "Looking"},
		{Type: EventQuestion, MessageID: 4, Text: "Which size?"},
		heartbeat,
		{Type: EventStep},
		{Type: EventPaused},
		{Type: EventLog, Text: `{"a":1}`, StatusCode: 7},
		{Type: EventError, Error: "Lost the page", StatusCode: 502},
		{Type: EventError, MessageID: 6, Error: "Lost"}, // by its id line
		{Type: EventHeartbeat},
		{Type: EventLog, MessageID: 8},
		{Type: EventDone, MessageID: 9, Text: "Done", Result: json.RawMessage(`{"price":1}`)},
	}, got)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestEventsOutliveTwoMissedHeartbeatsAndNotAThird(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := io.Pipe()
		client, err := New(Config{HTTPClient: &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			context.AfterFunc(req.Context(), func() { _ = near.CloseWithError(errors.New("torn")) })
			header := http.Header{"Content-Type": {"text/event-stream"}}
			return &http.Response{StatusCode: http.StatusOK, Header: header, Body: near, Request: req}, nil
		})}})
		require.NoError(t, err)
		stream, err := client.Events(t.Context(), "s-1", EventsOptions{})
		require.NoError(t, err)
		began := time.Now()
		go func() {
			for range 10 {
				<-time.After(70 * time.Second)
				_, _ = io.WriteString(far, "event: heartbeat\ndata: {}\n\n")
			}
		}()
		var last error
		heartbeats := 0
		for _, err := range stream.Events() {
			if last = err; err == nil {
				heartbeats++
			}
		}
		require.Equal(t, 10, heartbeats)
		require.ErrorIs(t, last, ErrStreamIdle)
		var broken *StreamError
		require.ErrorAs(t, last, &broken)
		require.Equal(t, 700*time.Second+DefaultIdleTimeout, time.Since(began))
	})
}

func TestEventsTakeLargeResults(t *testing.T) {
	large := strings.Repeat("x", 2<<20)
	client := serve(t, streamOf("event: done\ndata: {\"text\":\"", large, "\",\"message_id\":1}\n\n"))
	stream, err := client.Events(t.Context(), "s-1", EventsOptions{})
	require.NoError(t, err)
	events := 0
	for event, err := range stream.Events() {
		require.NoError(t, err)
		require.Len(t, event.Text, len(large))
		events++
	}
	require.Equal(t, 1, events)
}
