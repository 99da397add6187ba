package webhook

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// receiver answers with the given statuses in turn, then with 200, and keeps
// what it got.
type receiver struct {
	*httptest.Server
	statuses []int

	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func listen(t *testing.T, statuses ...int) *receiver {
	t.Helper()
	r := &receiver{statuses: statuses}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.requests); n < len(r.statuses) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(r.statuses[n])
	}
	r.requests, r.bodies = append(r.requests, req), append(r.bodies, string(body))
}

func sender(t *testing.T, c Config) *Sender {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Backoff = time.Millisecond
	s := New(c)
	t.Cleanup(s.cancel)
	return s
}

// arrive waits for all events to be delivered or given up.
func arrive(t *testing.T, s *Sender) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.Close(ctx))
}

func TestAnEventIsPostedAsTheVendorDoes(t *testing.T) {
	r := listen(t)
	s := sender(t, Config{})
	s.Send(Event{SessionID: "s", URL: r.URL + "/hook?a=b", Type: "task.started", Body: []byte(`{"event":"task.started"}`)})
	arrive(t, s)
	require.Equal(t, []string{`{"event":"task.started"}`}, r.bodies)
	got := r.requests[0]
	require.Equal(t, "POST", got.Method)
	require.Equal(t, "/hook?a=b", got.URL.String())
	require.Equal(t, "application/json", got.Header.Get("Content-Type"))
	require.Equal(t, "task.started", got.Header.Get("X-Event-Type"))
	require.Equal(t, "AgencyAPI-Webhooks/1.0", got.Header.Get("User-Agent"))
	require.Empty(t, got.Header.Get(SignatureHeader))
}

func TestAttempts(t *testing.T) {
	tests := []struct {
		name     string
		statuses []int
		requests int
	}{
		{"the first is taken", nil, 1},
		{"any 2xx is enough", []int{202}, 1},
		{"an error is tried again", []int{500}, 2},
		{"a third time too", []int{503, 404}, 3},
		{"a redirect is no delivery", []int{302}, 2},
		{"there is no fourth", []int{500, 500, 500}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := listen(t, tt.statuses...)
			s := sender(t, Config{})
			s.Send(Event{SessionID: "s", URL: r.URL, Type: "e"})
			arrive(t, s)
			require.Len(t, r.requests, tt.requests)
		})
	}
}

func TestEventsOfASessionKeepTheirOrder(t *testing.T) {
	r := listen(t, 500, 500)
	s := sender(t, Config{})
	var want []string
	for body := range strings.SplitSeq("abcdefghij", "") {
		s.Send(Event{SessionID: "s", URL: r.URL, Type: "e", Body: []byte(body)})
		want = append(want, body)
	}
	arrive(t, s)
	require.Equal(t, append([]string{"a", "a"}, want...), r.bodies)
}

func TestAReceiverThatHangsHoldsUpNobodyElse(t *testing.T) {
	release, hung := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(hung)
		<-release
	}))
	defer slow.Close()
	quick := listen(t)
	s := sender(t, Config{})
	s.Send(Event{SessionID: "slow", URL: slow.URL, Type: "e"})
	<-hung
	s.Send(Event{SessionID: "quick", URL: quick.URL, Type: "e"})
	require.Eventually(t, func() bool {
		quick.mu.Lock()
		defer quick.mu.Unlock()
		return len(quick.requests) == 1
	}, patience, time.Millisecond)
	close(release)
	arrive(t, s)
}

func TestASignatureCoversTimeAndBody(t *testing.T) {
	r := listen(t)
	s := sender(t, Config{Secret: "s3cret"})
	s.Send(Event{SessionID: "s", URL: r.URL, Type: "e", Body: []byte(`{}`)})
	arrive(t, s)
	got := r.requests[0].Header.Get(SignatureHeader)
	require.Regexp(t, `^t=\d+,v1=[0-9a-f]{64}$`, got)
	require.Equal(t, "t=1700000000,v1=97926816e9", sign("s3cret", time.Unix(1_700_000_000, 0), []byte(`{}`))[:len("t=1700000000,v1=")+10])
}

func TestDeliveriesCanBeDroppedAndDoubled(t *testing.T) {
	r := listen(t)
	copies := map[string]int{"drop": 0, "double": 2, "plain": 1}
	s := sender(t, Config{Copies: func(sessionID string) int { return copies[sessionID] }})
	for _, session := range []string{"drop", "double", "plain"} {
		s.Send(Event{SessionID: session, URL: r.URL, Type: "e", Body: []byte(session)})
	}
	arrive(t, s)
	require.ElementsMatch(t, []string{"double", "double", "plain"}, r.bodies)
}

func TestCloseGivesUpWhatDoesNotArriveInTime(t *testing.T) {
	hung := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(hung)
		<-r.Context().Done()
	}))
	defer slow.Close()
	s := sender(t, Config{})
	s.Send(Event{SessionID: "s", URL: slow.URL, Type: "e"})
	<-hung
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Close(ctx), context.Canceled)
	s.Send(Event{SessionID: "s", URL: slow.URL, Type: "late"})
	require.Empty(t, s.queues)
}

func TestAQueueHasAnEnd(t *testing.T) {
	hung, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	count := 0
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { close(hung) })
		<-release
		count++
	}))
	defer slow.Close()
	s := sender(t, Config{})
	for range maxWaiting + 5 {
		s.Send(Event{SessionID: "s", URL: slow.URL, Type: "e"})
	}
	<-hung
	close(release)
	arrive(t, s)
	require.Equal(t, maxWaiting, count)
}
