package agi

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

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

const (
	thought1  = "id: 1\nevent: thought\ndata: {\"text\":\"a\",\"message_id\":1}\n\n"
	question2 = "id: 2\nevent: question\ndata: {\"text\":\"b\",\"message_id\":2}\n\n"
	log3      = "id: 3\nevent: log\ndata: {\"text\":\"c\",\"message_id\":3}\n\n"
	done4     = "id: 4\nevent: done\ndata: {\"text\":\"d\",\"message_id\":4}\n\n"
	thought6  = "id: 6\nevent: thought\ndata: {\"text\":\"e\",\"message_id\":6}\n\n"
	done7     = "id: 7\nevent: done\ndata: {\"text\":\"f\",\"message_id\":7}\n\n"

	heartbeat   = "event: heartbeat\ndata: {\"timestamp\":\"2026-01-15T09:30:00Z\"}\n\n"
	paused      = "event: paused\ndata: {}\n\n"
	resumed     = "event: resumed\ndata: {}\n\n"
	clicked     = "event: step\ndata: clicked\n\n"
	errorNoID   = "event: error\ndata: {\"error\":\"lost\",\"status_code\":500}\n\n"
	errorID7    = "id: 7\n" + errorNoID
	cut         = "\x00cut"     // the connection breaks
	unavailable = "\x00status:" // then a status, instead of a stream
)

// connections serves a session's stream, one script for each connection. The
// last one is served again for as long as it is asked for.
func connections(t *testing.T, scripts ...string) *Client {
	t.Helper()
	var served atomic.Int32
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		script := scripts[min(int(served.Add(1)), len(scripts))-1]
		var status int
		if _, err := fmt.Sscanf(script, unavailable+"%d", &status); err == nil {
			w.WriteHeader(status)
			return
		}
		script, broken := strings.CutSuffix(script, cut)
		streamOf(script)(w, r)
		if broken {
			panic(http.ErrAbortHandler)
		}
	})
}

// quick follows without noticeable waits, and gives up after a few attempts.
func quick(opts FollowOptions) FollowOptions {
	opts.InitialBackoff, opts.MaxBackoff = time.Microsecond, time.Microsecond
	if opts.MaxAttempts == 0 {
		opts.MaxAttempts = 3
	}
	return opts
}

// story is what Follow tells, a word for each event.
func story(t *testing.T, client *Client, opts FollowOptions) (string, error) {
	t.Helper()
	var told []string
	var last error
	for event, err := range client.Follow(t.Context(), "s-1", opts) {
		require.NoError(t, last, "an error is the last item")
		if last = err; err != nil {
			continue
		}
		word := string(event.Type)
		if event.MessageID != 0 {
			word = fmt.Sprintf("%s %d", word, event.MessageID)
		}
		told = append(told, word)
	}
	return strings.Join(told, ", "), last
}

func TestFollowTellsEachEventOnceAndEndsWithTheTask(t *testing.T) {
	for name, test := range map[string]struct {
		connections []string
		opts        FollowOptions
		want        string
	}{
		"one connection": {
			[]string{thought1 + heartbeat + question2 + done4}, FollowOptions{},
			"thought 1, heartbeat, question 2, done 4",
		},
		"a stream that the server ends early": {
			[]string{thought1, thought1 + question2, thought1 + question2 + done4}, FollowOptions{},
			"thought 1, question 2, done 4",
		},
		"a connection that breaks within an event": {
			[]string{thought1 + question2[:20] + cut, thought1 + question2 + done4}, FollowOptions{},
			"thought 1, question 2, done 4",
		},
		"a connection that breaks right after the done": {
			[]string{thought1 + done4 + cut, thought1 + done4}, FollowOptions{},
			"thought 1, done 4",
		},
		"an overloaded server in between": {
			[]string{thought1, unavailable + "503", unavailable + "502", unavailable + "429", thought1 + done4},
			FollowOptions{MaxAttempts: 4}, "thought 1, done 4",
		},
		"duplicates": {
			[]string{thought1 + thought1 + question2 + thought1 + done4 + done4}, FollowOptions{},
			"thought 1, question 2, done 4",
		},
		"another order": {
			[]string{question2 + thought1 + cut, question2 + log3 + thought1, log3 + thought1 + done4 + question2}, FollowOptions{},
			"question 2, thought 1, log 3, done 4",
		},
		"an end that comes before the events before it": {
			[]string{done4 + thought1 + question2}, FollowOptions{},
			"done 4, thought 1, question 2",
		},
		"a reused session whose old done comes first": {
			[]string{thought1 + done4, thought1 + done4 + thought6, thought1 + done4 + thought6 + done7},
			FollowOptions{AfterID: 4}, "thought 6, done 7",
		},
		"a server that ends the stream at the old done": {
			[]string{thought1 + done4, thought1 + done4, thought1 + done4 + thought6 + done7},
			FollowOptions{AfterID: 4}, "thought 6, done 7",
		},
		"a new task behind an old done": {
			[]string{thought1 + done4 + thought6, thought1 + done4 + thought6 + done7}, FollowOptions{},
			"thought 1, done 4, thought 6, done 7",
		},
		"a log and a pause behind the done": {
			[]string{done4 + "id: 5\nevent: log\ndata: {}\n\n" + paused + heartbeat}, FollowOptions{},
			"done 4, log 5, paused, heartbeat",
		},
		"an error whose id is in its id line alone": {
			[]string{thought1 + done4 + cut, thought1 + done4 + thought6 + errorID7 + errorID7}, FollowOptions{AfterID: 4},
			"thought 6, error 7",
		},
		"an error without an id": {
			[]string{thought1 + errorNoID + errorNoID + cut, thought1 + errorNoID}, FollowOptions{},
			"thought 1, error",
		},
		"an old error without an id": {
			[]string{thought1 + errorNoID, thought1 + errorNoID + thought6 + errorNoID}, FollowOptions{AfterID: 4},
			"thought 6, error",
		},
		"a new error right behind the old done": {
			[]string{thought1 + done4, thought1 + done4 + errorNoID}, FollowOptions{AfterID: 4},
			"error",
		},
		"events without ids that are told again": {
			[]string{
				paused + thought1 + paused + resumed + cut,
				paused + thought1 + paused + resumed + paused,
				paused + thought1 + paused + resumed + paused + question2 + clicked + clicked,
				paused + thought1 + paused + resumed + paused + question2 + clicked + clicked + clicked + done4,
			}, FollowOptions{},
			"paused, thought 1, paused, resumed, paused, question 2, step, step, step, done 4",
		},
		"a pause behind an id that comes late": {
			[]string{thought1 + log3 + question2 + paused + done4}, FollowOptions{},
			"thought 1, log 3, question 2, paused, done 4",
		},
		"a server that does not know the cursor": {
			[]string{thought1 + resumed + log3, thought1 + resumed + log3 + done4}, FollowOptions{SendAfterID: true},
			"thought 1, resumed, log 3, done 4",
		},
		"steps that share an id": {
			[]string{
				"id: 1\nevent: step\ndata: a\n\nid: 1\nevent: step\ndata: b\n\n" + thought1,
				"id: 1\nevent: step\ndata: a\n\nid: 1\nevent: step\ndata: b\n\nid: 1\nevent: step\ndata: c\n\n" + thought1 + done4,
			}, FollowOptions{},
			"step 1, step 1, thought 1, step 1, done 4",
		},
		"some types alone": {
			[]string{thought1 + done4 + thought6, thought1 + done4 + thought6 + done7},
			FollowOptions{EventTypes: []EventType{EventDone}}, "done 4, done 7",
		},
		"a type that never comes": {
			[]string{thought1, thought1 + done4}, FollowOptions{EventTypes: []EventType{EventQuestion}}, "",
		},
		"heartbeats between connections that bring nothing else": {
			[]string{heartbeat, heartbeat, heartbeat, heartbeat, heartbeat, done4}, FollowOptions{},
			strings.Repeat("heartbeat, ", 5) + "done 4",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := story(t, connections(t, test.connections...), quick(test.opts))
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestFollowEndsWithWhatCannotSucceed(t *testing.T) {
	for _, status := range []int{304, 400, 401, 403, 404, 410, 422} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			client := connections(t, thought1, fmt.Sprint(unavailable, status))
			told, err := story(t, client, quick(FollowOptions{}))
			require.Equal(t, "thought 1", told)
			var answer *Error
			require.ErrorAs(t, err, &answer)
			require.Equal(t, status, answer.StatusCode)
		})
	}
	t.Run("no session id", func(t *testing.T) {
		client := connections(t, thought1)
		for _, err := range client.Follow(t.Context(), "", FollowOptions{}) {
			require.ErrorIs(t, err, ErrInvalidRequest)
		}
	})
	t.Run("a page where a stream should be", func(t *testing.T) {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
		_, err := story(t, client, FollowOptions{})
		var unreadable *BodyError
		require.ErrorAs(t, err, &unreadable)
	})
	t.Run("an event that is too large", func(t *testing.T) {
		_, err := story(t, connections(t, thought1+"data: "+strings.Repeat("x", maxEventSize)), FollowOptions{})
		require.ErrorIs(t, err, ErrEventTooLarge)
	})
}

func TestFollowGivesUpAfterAttemptsThatBringNothing(t *testing.T) {
	t.Run("streams that end", func(t *testing.T) {
		var causes []error
		opts := quick(FollowOptions{OnReconnect: func(cause error, _ time.Duration) { causes = append(causes, cause) }})
		told, err := story(t, connections(t, thought1+question2), opts)
		require.Equal(t, "thought 1, question 2", told)
		require.ErrorIs(t, err, ErrNotOver)
		require.EqualError(t, err, "GET /v1/sessions/s-1/events: event stream broke: event stream ended before the task did")
		require.Equal(t, []error{nil, nil, nil}, causes) // after the news, and between the three attempts
	})
	t.Run("a stale done", func(t *testing.T) {
		told, err := story(t, connections(t, thought1+done4), quick(FollowOptions{AfterID: 4}))
		require.Empty(t, told)
		require.ErrorIs(t, err, ErrNotOver)
	})
	t.Run("failures", func(t *testing.T) {
		_, err := story(t, connections(t, unavailable+"503"), quick(FollowOptions{}))
		var answer *Error
		require.ErrorAs(t, err, &answer)
		require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	})
}

func TestFollowAsksForACursorOnlyWhenTold(t *testing.T) {
	for name, test := range map[string]struct {
		opts  FollowOptions
		asked []string
		told  string
	}{
		"never by itself": {FollowOptions{AfterID: 1}, []string{"", "", ""}, "question 2, log 3, done 4"},
		"from the beginning": {FollowOptions{SendAfterID: true}, []string{
			"", "after_id=2", "after_id=3", // the done is asked for again: it makes the server end the stream
		}, "thought 1, question 2, paused, log 3, done 4"},
		"behind an id": {FollowOptions{SendAfterID: true, AfterID: 1, Sanitize: new(bool)}, []string{
			"after_id=1&sanitize=false", "after_id=2&sanitize=false", "after_id=3&sanitize=false",
		}, "question 2, paused, log 3, done 4"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.RawQuery)
				switch len(asked) {
				case 1:
					streamOf(thought1+question2)(w, r)
				case 2:
					streamOf(paused+log3+done4)(w, r)
					panic(http.ErrAbortHandler)
				default:
					streamOf(done4)(w, r)
				}
			})
			told, err := story(t, client, quick(test.opts))
			require.NoError(t, err)
			require.Equal(t, test.told, told)
			require.Equal(t, test.asked, asked)
		})
	}
}

func TestFollowCanBeRangedOverAgainAndLeft(t *testing.T) {
	events := connections(t, thought1+question2+done4).Follow(t.Context(), "s-1", FollowOptions{})
	for range 2 {
		for event, err := range events {
			require.NoError(t, err)
			require.EqualValues(t, 1, event.MessageID)
			break
		}
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	silent := func(w http.ResponseWriter, r *http.Request) {
		streamOf(thought1)(w, r)
		<-r.Context().Done()
	}
	t.Run("while it listens", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		for _, err := range serve(t, silent).Follow(ctx, "s-1", FollowOptions{}) {
			cancel()
			last = err
		}
		require.ErrorIs(t, last, context.Canceled)
	})
	t.Run("while it waits", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		opts := FollowOptions{InitialBackoff: time.Hour, OnReconnect: func(error, time.Duration) { cancel() }}
		var last error
		for _, err := range connections(t, thought1).Follow(ctx, "s-1", opts) {
			last = err
		}
		require.ErrorIs(t, last, context.Canceled)
		var broken *StreamError
		require.ErrorAs(t, last, &broken)
	})
	t.Run("before it begins", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range connections(t, thought1).Follow(ctx, "s-1", FollowOptions{}) {
			require.ErrorIs(t, err, context.Canceled)
		}
	})
}

// answer is what a server in a synctest bubble says.
type answer struct {
	status int
	header http.Header
	body   io.Reader // nil says nothing until the client is gone
}

// answers gives an answer to each request.
func answers(t *testing.T, each ...answer) *Client {
	t.Helper()
	var served int
	client, err := New(Config{HTTPClient: &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		served++
		now := each[min(served, len(each))-1]
		if now.body == nil {
			near, far := io.Pipe()
			context.AfterFunc(req.Context(), func() { _ = far.CloseWithError(errors.New("torn")) })
			now.body = near
		}
		return &http.Response{StatusCode: now.status, Header: now.header, Body: io.NopCloser(now.body), Request: req}, nil
	})}})
	require.NoError(t, err)
	return client
}

var isStream = http.Header{"Content-Type": {"text/event-stream"}}

func events(script string) answer {
	return answer{http.StatusOK, isStream, strings.NewReader(script)}
}

func refusal(status int, after string) answer {
	return answer{status, http.Header{"Retry-After": {after}}, http.NoBody}
}

func TestFollowWaitsLongerUntilSomethingNewComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := answers(t,
			events(""), events(""), events(""), events(""), events(""), events(""),
			events(thought1), events(thought1), events(done4))
		var waits []time.Duration
		opts := FollowOptions{
			InitialBackoff: 2 * time.Second, MaxBackoff: 20 * time.Second,
			OnReconnect: func(_ error, wait time.Duration) { waits = append(waits, wait) },
		}
		_, err := story(t, client, opts)
		require.NoError(t, err)
		most := []int{2, 4, 8, 16, 20, 20, 2, 4}
		require.Len(t, waits, len(most))
		for i, seconds := range most {
			full := time.Duration(seconds) * time.Second
			require.LessOrEqual(t, waits[i], full)
			require.GreaterOrEqual(t, waits[i], full/2)
		}
	})
}

func TestFollowWaitsAsLongAsTheServerAsks(t *testing.T) {
	for name, test := range map[string]struct {
		answer      answer
		least, most time.Duration
	}{
		"too many requests":   {refusal(429, "60"), time.Minute, time.Minute + time.Second/2},
		"unavailable":         {refusal(503, "60"), time.Minute, time.Minute + time.Second/2},
		"at once":             {refusal(429, "0"), time.Second / 2, time.Second},
		"for centuries":       {refusal(429, "1e30"), rest.MaxRetryAfter, rest.MaxRetryAfter + time.Second/2},
		"with another status": {refusal(500, "60"), time.Second / 2, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				_, err := story(t, answers(t, test.answer, events(done4)), FollowOptions{})
				require.NoError(t, err)
				require.GreaterOrEqual(t, time.Since(began), test.least)
				require.LessOrEqual(t, time.Since(began), test.most)
			})
		})
	}
}

func TestFollowLeavesASilentConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		opts := FollowOptions{IdleTimeout: 40 * time.Second, OnReconnect: func(err error, _ time.Duration) { cause = err }}
		told, err := story(t, answers(t, answer{http.StatusOK, isStream, nil}, events(done4)), opts)
		require.NoError(t, err)
		require.Equal(t, "done 4", told)
		require.ErrorIs(t, cause, ErrStreamIdle)
	})
}
