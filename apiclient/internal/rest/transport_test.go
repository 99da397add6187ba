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
	"time"

	"github.com/stretchr/testify/require"
)

// reset drops the connection without an answer, as a crashing server does.
func reset(t *testing.T, w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return "http://" + listener.Addr().String()
}

func TestTransportErrorSaysWhetherTheRequestMayHaveArrived(t *testing.T) {
	live := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		reset(t, w)
	}))
	t.Cleanup(live.Close)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	broken := errors.New("broken")

	for name, test := range map[string]struct {
		base string
		hc   *http.Client
		sent bool
	}{
		"closed port":            {base: closedPort(t), sent: false},
		"reset after a request":  {base: live.URL, sent: true},
		"reset of an h2 stream":  {base: secure.URL, hc: secure.Client(), sent: true},
		"no TLS on the far side": {base: strings.Replace(live.URL, "http:", "https:", 1), sent: false},
		"unknown certificate":    {base: secure.URL, sent: false},
		"name not found": {base: "http://agent.invalid", sent: false, hc: &http.Client{Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "agent.invalid", IsNotFound: true}
			},
		}}},
		"a transport that reports nothing": {base: "http://agent.invalid", sent: true, hc: &http.Client{
			Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, broken }),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			client := clientOf(t, test.base, test.hc)
			err := client.Do(t.Context(), Request{
				Method: http.MethodPost,
				Path:   []string{"v1", "thing"},
				Query:  map[string][]string{"q": {"unseen"}},
				Body:   "x",
			}, nil)

			var unanswered *TransportError
			require.ErrorAs(t, err, &unanswered)
			require.Equal(t, test.sent, unanswered.Sent, err)
			require.Equal(t, "/v1/thing", unanswered.Path)
			require.Contains(t, err.Error(), "POST /v1/thing: ")
			require.NotContains(t, err.Error(), "unseen")
			require.NotContains(t, fmt.Sprintf("%+v %#v", *unanswered, *unanswered), testKey)
		})
	}
}

func TestAFailedDialIsCertainEvenAfterAStaleConnection(t *testing.T) {
	var trace connTrace
	trace.asked.Store(true)
	trace.got.Store(true)
	require.False(t, trace.maySent(fmt.Errorf("again: %w", &net.OpError{Op: "dial", Err: errors.New("refused")})))
	require.True(t, trace.maySent(&net.OpError{Op: "read", Err: errors.New("reset")}))
}

func TestTransportErrorUnwrapsToTheContext(t *testing.T) {
	t.Run("ended before the call", func(t *testing.T) {
		client := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := client.Do(ctx, getThing, nil)

		var unanswered *TransportError
		require.ErrorAs(t, err, &unanswered)
		require.False(t, unanswered.Sent)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("cancelled while waiting, with a cause", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		client := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel(errors.New("changed my mind"))
			<-r.Context().Done()
		})
		err := client.Do(ctx, getThing, nil)

		var unanswered *TransportError
		require.ErrorAs(t, err, &unanswered)
		require.True(t, unanswered.Sent)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("deadline while waiting", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		client := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		require.ErrorIs(t, client.Do(ctx, getThing, nil), context.DeadlineExceeded)
	})
}

func TestRedirectsStayAtHomeAndKeepTheMethod(t *testing.T) {
	var strangerCalls atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		strangerCalls.Add(1)
	}))
	t.Cleanup(stranger.Close)
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/away":
			http.Redirect(w, r, stranger.URL+"/v1/thing?key=unseen", http.StatusTemporaryRedirect)
		case "/v1/slash":
			http.Redirect(w, r, "/v1/slash/", http.StatusTemporaryRedirect)
		case "/v1/slash/":
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%q", r.Method+" "+string(body)+" "+r.Header.Get("X-Api-Key"))
		case "/v1/see-other":
			http.Redirect(w, r, "/v1/slash/", http.StatusSeeOther)
		case "/v1/loop":
			http.Redirect(w, r, "/v1/loop", http.StatusTemporaryRedirect)
		}
	})
	call := func(path string) (string, error) {
		var got string
		err := client.Do(t.Context(), Request{Method: http.MethodPost, Path: []string{"v1", path}, Body: 1}, &got)
		return got, err
	}

	t.Run("another host is not visited", func(t *testing.T) {
		_, err := call("away")
		var answer *Error
		require.ErrorAs(t, err, &answer)
		require.Equal(t, http.StatusTemporaryRedirect, answer.StatusCode)
		require.Equal(t, "redirect to "+stranger.URL+" not followed: check the base URL", answer.Message)
		require.Zero(t, strangerCalls.Load())
	})
	t.Run("the same host gets the whole request again", func(t *testing.T) {
		got, err := call("slash")
		require.NoError(t, err)
		require.Equal(t, "POST 1 "+testKey, got)
	})
	t.Run("a POST does not become a GET", func(t *testing.T) {
		_, err := call("see-other")
		var answer *Error
		require.ErrorAs(t, err, &answer)
		require.Equal(t, http.StatusSeeOther, answer.StatusCode)
		require.Equal(t, "redirect not followed: check the base URL", answer.Message)
	})
	t.Run("a loop ends", func(t *testing.T) {
		_, err := call("loop")
		var answer *Error
		require.ErrorAs(t, err, &answer)
		require.Equal(t, http.StatusTemporaryRedirect, answer.StatusCode)
	})
}
