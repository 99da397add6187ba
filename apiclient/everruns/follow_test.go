package everruns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func frame(n int, kind EventType) string {
	return fmt.Sprintf("event: %[2]s\nid: event_%[1]d\nretry: 100\ndata: {\"id\":\"event_%[1]d\",\"type\":%[2]q,\"session_id\":\"s-1\",\"context\":{},\"data\":{\"n\":%[1]d},\"sequence\":%[1]d}\n\n", n, kind)
}

const (
	connected     = "event: connected\ndata: {\"status\":\"connected\"}\n\n"
	disconnecting = "event: disconnecting\ndata: {\"reason\":\"connection_cycle\",\"retry_ms\":100}\n\n"
	heartbeat     = ": heartbeat\n\n"
	cut           = "\x00cut" // the connection breaks
)

func streamOf(script string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		script, broken := strings.CutSuffix(script, cut)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, script)
		_ = http.NewResponseController(w).Flush()
		if broken {
			panic(http.ErrAbortHandler)
		}
	}
}

func TestEventsAreTheFramesOfTheStream(t *testing.T) {
	asked := make(chan string, 1)
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.RequestURI + " " + r.Header.Get("Accept")
		streamOf(connected+heartbeat+frame(2, EventTurnStarted)+
			"event: voice.started\ndata: {\"id\":\"event_3\",\"data\":[1]}\n\n"+
			"event: odd\nid: event_4\ndata: not JSON\n\n"+disconnecting)(w, r)
	})
	stream, err := client.Events(t.Context(), "s-1", EventsOptions{
		SinceID: "event_1", Exclude: []EventType{EventOutputDelta, EventThinkingDelta}, Types: []EventType{EventTurnStarted},
	})
	require.NoError(t, err)
	require.Equal(t, "/v1/sessions/s-1/sse?exclude=output.message.delta&exclude=reason.thinking.delta&since_id=event_1&types=turn.started text/event-stream", <-asked)
	var got []string
	for event, err := range stream.Events() {
		require.NoError(t, err)
		got = append(got, fmt.Sprintf("%s %s %d %s", event.ID, event.Type, event.Sequence, event.Data))
	}
	require.Equal(t, []string{
		` connected 0 {"status":"connected"}`,
		`event_2 turn.started 2 {"n":2}`,
		`event_3 voice.started 0 [1]`,
		`event_4 odd 0 not JSON`,
		` disconnecting 0 {"reason":"connection_cycle","retry_ms":100}`,
	}, got)
	require.NoError(t, stream.Close())
}

// connections serves a session's stream, one script for each connection, and
// notes what they asked for. The last one is served again and again.
func connections(t *testing.T, scripts ...string) (*Client, *[]string) {
	t.Helper()
	var served atomic.Int32
	asked := &[]string{}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.RawQuery)
		script := scripts[min(int(served.Add(1)), len(scripts))-1]
		var status int
		if _, err := fmt.Sscanf(script, "status %d", &status); err == nil {
			w.WriteHeader(status)
			return
		}
		streamOf(script)(w, r)
	}), asked
}

// story is what Follow tells until it ends or an idle event comes.
func story(t *testing.T, client *Client, opts FollowOptions) (string, error) {
	t.Helper()
	var told []string
	var last error
	for event, err := range client.Follow(t.Context(), "s-1", opts) {
		require.NoError(t, last, "an error is the last item")
		if last = err; err != nil {
			continue
		}
		told = append(told, strings.TrimPrefix(event.ID, "event_"))
		if event.Type == EventSessionIdled {
			break
		}
	}
	return strings.Join(told, " "), last
}

func quick(opts FollowOptions) FollowOptions {
	opts.InitialBackoff, opts.MaxBackoff = time.Microsecond, time.Microsecond
	if opts.MaxAttempts == 0 {
		opts.MaxAttempts = 2
	}
	return opts
}

func TestFollowTellsEachEventOnceOverManyConnections(t *testing.T) {
	idled := frame(9, EventSessionIdled)
	for name, test := range map[string]struct {
		connections []string
		opts        FollowOptions
		told        string
		asked       []string
	}{
		"one connection": {
			[]string{connected + frame(1, EventInputMessage) + idled}, FollowOptions{}, "1 9", []string{""},
		},
		"many cycles, more than the attempts allowed": {
			[]string{connected + disconnecting, connected + disconnecting, connected + disconnecting, connected + frame(1, EventTurnStarted) + disconnecting, connected + idled},
			FollowOptions{SinceID: "event_0"}, "1 9",
			[]string{"since_id=event_0", "since_id=event_0", "since_id=event_0", "since_id=event_0", "since_id=event_1"},
		},
		"an end without notice, and a break within an event": {
			[]string{connected + frame(1, EventTurnStarted), connected + frame(2, EventToolStarted) + frame(3, EventToolStarted)[:30] + cut, connected + frame(3, EventToolStarted) + idled},
			FollowOptions{}, "1 2 3 9", []string{"", "since_id=event_1", "since_id=event_2"},
		},
		"a server that tells all again": {
			[]string{frame(1, EventTurnStarted) + frame(2, EventToolStarted) + disconnecting, frame(1, EventTurnStarted) + frame(2, EventToolStarted) + idled},
			FollowOptions{}, "1 2 9", []string{"", "since_id=event_2"},
		},
		"an overloaded server in between": {
			[]string{frame(1, EventTurnStarted) + cut, "status 503", idled}, FollowOptions{MaxAttempts: 3}, "1 9", []string{"", "since_id=event_1", "since_id=event_1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, asked := connections(t, test.connections...)
			told, err := story(t, client, quick(test.opts))
			require.NoError(t, err)
			require.Equal(t, test.told, told)
			require.Equal(t, test.asked, *asked)
		})
	}
}

func TestFollowEndsWhereAnotherConnectionWouldNotHelp(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		is     func(error) bool
	}{
		"a deleted session":      {"status 404", func(err error) bool { var e *Error; return errors.As(err, &e) && e.StatusCode == 404 }},
		"an unknown event type":  {"status 400", func(err error) bool { var e *Error; return errors.As(err, &e) && e.StatusCode == 400 }},
		"attempts with no event": {connected, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		"a server that is down":  {"status 500", func(err error) bool { var e *Error; return errors.As(err, &e) && e.StatusCode == 500 }},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := connections(t, test.script)
			told, err := story(t, client, quick(FollowOptions{}))
			require.Empty(t, told)
			require.True(t, test.is(err), "%v", err)
		})
	}
	t.Run("no session", func(t *testing.T) {
		client, _ := connections(t, "")
		for _, err := range client.Follow(t.Context(), "", FollowOptions{}) {
			require.ErrorIs(t, err, ErrInvalidRequest)
		}
	})
	t.Run("the context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		client, _ := connections(t, frame(1, EventTurnStarted)+disconnecting)
		var last error
		opts := FollowOptions{OnReconnect: func(error, time.Duration) { cancel() }}
		for _, err := range client.Follow(ctx, "s-1", opts) {
			last = err
		}
		require.ErrorIs(t, last, context.Canceled)
		var broken *StreamError
		require.ErrorAs(t, last, &broken)
	})
	t.Run("the loop is left", func(t *testing.T) {
		client, asked := connections(t, frame(1, EventTurnStarted)+frame(2, EventTurnStarted))
		for _, err := range client.Follow(t.Context(), "s-1", FollowOptions{}) {
			require.NoError(t, err)
			break
		}
		require.Len(t, *asked, 1)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// answers gives one script after the other within a synctest bubble; an empty
// one says nothing until the client is gone.
func answers(t *testing.T, scripts ...string) *Client {
	t.Helper()
	var served int
	client, err := New(Config{HTTPClient: &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		script := scripts[min(served, len(scripts)-1)]
		served++
		var body io.Reader = strings.NewReader(script)
		if script == "" {
			near, far := io.Pipe()
			context.AfterFunc(req.Context(), func() { _ = far.CloseWithError(errors.New("torn")) })
			body = near
		}
		header := http.Header{"Content-Type": {"text/event-stream"}}
		return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(body), Request: req}, nil
	})}})
	require.NoError(t, err)
	return client
}

func TestFollowWaitsLongerUntilAnEventComesAndNotAfterACycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := strings.Replace(disconnecting, "100", "1500", 1)
		atOnce := strings.Replace(disconnecting, "100", "0", 1)
		client := answers(t, connected, connected, connected, connected, connected, connected, connected,
			disconnecting, connected, // the cycle neither counts nor resets
			frame(1, EventTurnStarted), connected, slow, atOnce, frame(9, EventSessionIdled))
		var waits []time.Duration
		var cycles int
		_, err := story(t, client, FollowOptions{OnReconnect: func(cause error, wait time.Duration) {
			if waits = append(waits, wait); cause == nil {
				cycles++
			}
		}})
		require.NoError(t, err)
		most := []int{1, 2, 4, 8, 16, 30, 30, 0, 30, 1, 2, 0, 0}
		require.Len(t, waits, len(most))
		for i, seconds := range most {
			if full := time.Duration(seconds) * time.Second; full > 0 {
				require.LessOrEqual(t, waits[i], full)
				require.GreaterOrEqual(t, waits[i], full/2)
			}
		}
		require.Equal(t, 3, cycles)
		require.Equal(t, []time.Duration{100 * time.Millisecond, 1500 * time.Millisecond, 100 * time.Millisecond},
			[]time.Duration{waits[7], waits[11], waits[12]})
	})
}

func TestFollowLeavesAConnectionThatIsSilentFor45Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var cause error
		var after time.Duration
		told, err := story(t, answers(t, "", frame(9, EventSessionIdled)), FollowOptions{OnReconnect: func(err error, _ time.Duration) {
			cause, after = err, time.Since(began)
		}})
		require.NoError(t, err)
		require.Equal(t, "9", told)
		require.ErrorIs(t, cause, ErrStreamIdle)
		require.Equal(t, 45*time.Second, after)
	})
}

func TestRecentIDsForgetTheOldestFirst(t *testing.T) {
	var ids recentIDs
	for i := range maxRecent + 1 {
		require.True(t, ids.add(fmt.Sprint(i)))
	}
	require.False(t, ids.add("1"))
	require.True(t, ids.add("0"), "forgotten")
	require.Len(t, ids.known, maxRecent)
}
