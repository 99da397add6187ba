package faults

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plan makes a plan of JSON rules.
func plan(t *testing.T, rules string) *Plan {
	t.Helper()
	p, err := parse([]byte(`{"seed": 7, "rules": [` + rules + `]}`))
	require.NoError(t, err)
	return p
}

// server is a plan before a handler that counts what it does: /OPERATION/ID is
// the operation on that session, and events streams three of them.
type server struct {
	*httptest.Server
	done atomic.Int32
}

func serve(t *testing.T, p *Plan) *server {
	t.Helper()
	s := &server{}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.done.Add(1)
		if !strings.HasPrefix(r.URL.Path, "/events/") {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"status":"ready"}`))
			return
		}
		if strings.HasSuffix(r.URL.Path, "/unknown") {
			refuse(w, http.StatusNotFound, "Session not found")
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "event: thought\ndata: %d\n\n", i)
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
		}
	})
	s.Server = httptest.NewServer(p.Handler(next, api{}))
	t.Cleanup(s.Close)
	return s
}

// api is that of the handler.
type api struct{}

func (api) Operation(r *http.Request) (operation, session string) {
	operation, session, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return operation, session
}

func (api) Spoiled(w http.ResponseWriter, _ *http.Request, code int, text string) {
	refuse(w, code, text)
}

// call posts to a path, with a fault header unless it is empty.
func (s *server) call(t *testing.T, path, fault string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, nil)
	require.NoError(t, err)
	if fault != "" {
		req.Header.Set(Header, fault)
	}
	return s.Client().Do(req)
}
