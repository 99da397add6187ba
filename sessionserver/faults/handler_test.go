package faults

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnswersThatGoWrong(t *testing.T) {
	tests := []struct {
		name, rule    string
		code          int
		header, value string
		body          string
		done          int32
	}{
		{"500", `{"on":["status"],"fault":"500"}`, 500, "Content-Type", "application/json", "{\"detail\":\"Internal server error\"}\n", 0},
		{"502", `{"on":["status"],"fault":"502"}`, 502, "Content-Type", "text/html", gatewayPage, 0},
		{"429", `{"on":["status"],"fault":"429","retry_after":"1500ms"}`, 429, "Retry-After", "2", "{\"detail\":\"Rate limit exceeded\"}\n", 0},
		{"slow", `{"on":["status"],"fault":"slow","delay":"1ms"}`, 201, "", "", `{"status":"ready"}`, 1},
		{"a rule for another operation", `{"on":["get"],"fault":"500"}`, 201, "", "", `{"status":"ready"}`, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, plan(t, tt.rule))
			res, err := s.call(t, "/status/a", "")
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, tt.code, res.StatusCode)
			if tt.header != "" {
				require.Equal(t, tt.value, res.Header.Get(tt.header))
			}
			require.Equal(t, tt.body, string(body))
			require.Equal(t, tt.done, s.done.Load())
		})
	}
}

func TestAnswersThatAreLost(t *testing.T) {
	for fault, done := range map[string]int32{"lost-before": 1, "lost-after": 2} {
		t.Run(fault, func(t *testing.T) {
			s := serve(t, plan(t, `{"on":["message"],"fault":"`+fault+`","skip":1}`))
			res, err := s.call(t, "/message/a", "") // so that the next one comes on a kept connection
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			res, err = s.call(t, "/message/a", "")
			if err == nil {
				_ = res.Body.Close()
			}
			require.Error(t, err)
			require.Equal(t, done, s.done.Load())
		})
	}
}

func TestACutAnswerPromisesMoreThanComes(t *testing.T) {
	s := serve(t, plan(t, `{"on":["get"],"fault":"cut"}`))
	res, err := s.call(t, "/get/a", "")
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, http.StatusCreated, res.StatusCode)
	require.EqualValues(t, len(`{"status":"ready"}`), res.ContentLength)
	body, err := io.ReadAll(res.Body)
	require.Error(t, err)
	require.Equal(t, `{"status"`, string(body))
}

func TestAStreamIsTornAfterSoManyEvents(t *testing.T) {
	p := plan(t, `{"fault":"drop-stream","after_events":2,"times":1}`)
	s := serve(t, p)
	read := func(path string) (string, error) {
		res, err := s.call(t, path, "")
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		return string(body), err
	}
	body, err := read("/events/unknown")
	require.NoError(t, err)
	require.Contains(t, body, "Session not found")
	require.Equal(t, []int{1}, p.Report().Idle, "a refusal is no stream, the fault waits for one")

	body, err = read("/events/a")
	require.Error(t, err)
	require.Equal(t, "event: thought\ndata: 0\n\nevent: thought\ndata: 1\n\n", body)
	require.Empty(t, p.Report().Idle)

	body, err = read("/events/a")
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(body, "event: thought"))
}

func TestTornStreamsAreSplitAtEventsNotAtWrites(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "text/event-stream")
	out := &torn{ResponseWriter: w, left: 2, tell: func() {}}
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		for _, part := range []string{"data: 0\n", "\ndata: 1\n\ndata: 2\n\n"} {
			_, _ = out.Write([]byte(part))
		}
	})
	require.Equal(t, "data: 0\n\ndata: 1\n\n", w.Body.String())
}

func TestASlowAnswerEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := plan(t, `{"on":["*"],"fault":"slow","delay":"1h"}`)
	h := p.Handler(http.NotFoundHandler(), api{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/get/a", nil))
	require.Empty(t, w.Body.String())
}

func TestASessionVanishesBeforeTheCall(t *testing.T) {
	p := plan(t, `{"on":["status"],"fault":"vanish","session":"a"}`)
	var gone []string
	p.OnVanish(func(id string) { gone = append(gone, id) })
	s := serve(t, p)
	for _, path := range []string{"/status/b", "/get/a", "/status/a"} {
		res, err := s.call(t, path, "")
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}
	require.Equal(t, []string{"a"}, gone)
}

func TestAHeaderAsksForOneFault(t *testing.T) {
	p := plan(t, "")
	s := serve(t, p)
	for fault, code := range map[string]int{
		"500":                        500,
		"429; retry_after=2s":        429,
		"slow; delay=1ms":            201,
		"":                           201,
		"nonsense":                   400,
		"slow; delay=soon":           400,
		"slow; after_events=1":       400,
		"500; colour=red":            400,
		"drop-stream; after_events=": 400,
		"drop-stream":                400, // not on status
		"stuck":                      400,
	} {
		res, err := s.call(t, "/status/a", fault)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, code, res.StatusCode, fault)
	}
	require.Equal(t, map[Kind]int{InternalError: 1, TooMany: 1, Slow: 1}, p.Report().Fired)

	p.NoHeader()
	res, err := s.call(t, "/status/a", "500")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
}

func TestAHeaderFromElsewhereIsRefused(t *testing.T) {
	h := plan(t, "").Handler(http.NotFoundHandler(), api{})
	for address, code := range map[string]int{"127.0.0.1:9": 500, "[::1]:9": 500, "192.0.2.1:9": 400, "": 400} {
		r := httptest.NewRequest("GET", "/get/a", nil)
		r.RemoteAddr = address
		r.Header.Set(Header, "500")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, code, w.Code, address)
	}
	r := httptest.NewRequest("GET", "/get/a", nil)
	r.RemoteAddr = "127.0.0.1:9"
	r.Header.Set(Header, "500")
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusBadRequest, w.Code, "behind a proxy")
}
