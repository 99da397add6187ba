package face

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/agent/script"
	"github.com/errand-dev/errand/sessionserver/internal/auth"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// base is a face with one operation and words of its own.
func base(t *testing.T, e *sessions.Engine, mark string) *Base {
	t.Helper()
	keys, err := auth.NewKeys([]auth.Key{{Value: "k-ann", User: "ann"}, {Value: "k-bob", User: "bob"}, {Value: "k-old", Revoked: true}})
	require.NoError(t, err)
	var b *Base
	b = New(Config{Engine: e, Keys: keys, Limits: auth.NewLimits(0.001, 3)}, Vendor{
		Name:     mark,
		Sessions: "/s/",
		MaxBody:  4,
		Key:      func(r *http.Request) string { return r.Header.Get("X-Key") },
		Refuse: func(w http.ResponseWriter, _ *http.Request, code int, text string) {
			WriteJSON(w, code, "text/odd", text)
		},
		Fail: func(w http.ResponseWriter, r *http.Request, err error) {
			b.vendor.Refuse(w, r, http.StatusTeapot, err.Error())
		},
	})
	b.Handle("get", "GET /s/{id}", b.Session(func(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		_, _ = io.WriteString(w, s.ID)
	}))
	b.Handle("create", "POST /s", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			b.vendor.Fail(w, r, err)
		}
	})
	return b
}

func engine(t *testing.T) *sessions.Engine {
	t.Helper()
	e, err := sessions.Open(sessions.Config{
		Dir: t.TempDir(), Agents: map[string]agent.Agent{"script": script.Agent{}}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	return e
}

func call(b *Base, key, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Key", key)
	w := httptest.NewRecorder()
	b.Guard(b).ServeHTTP(w, r)
	return w
}

func TestAFaceRefusesInTheWordsOfItsVendor(t *testing.T) {
	b := base(t, engine(t), "one")
	tests := []struct {
		says, key, method, path, body string
		code                          int
	}{
		{"no key", "", "GET", "/s/a", "", 401},
		{"an unknown key", "k-eve", "GET", "/s/a", "", 401},
		{"a revoked key", "k-old", "GET", "/s/a", "", 403},
		{"an unknown path", "k-ann", "GET", "/t", "", 404},
		{"another method", "k-ann", "DELETE", "/s/a", "", 405},
		{"too large a body", "k-ann", "POST", "/s", "12345", 418},
		{"too many requests", "k-ann", "GET", "/s/a", "", 429},
	}
	for _, tt := range tests {
		w := call(b, tt.key, tt.method, tt.path, tt.body)
		require.Equal(t, tt.code, w.Code, tt.says)
		require.Equal(t, "text/odd", w.Header().Get("Content-Type"), tt.says)
		require.Equal(t, tt.code == 405, w.Header().Get("Allow") != "", tt.says)
		require.Equal(t, tt.code == 429, w.Header().Get("Retry-After") != "", tt.says)
	}
}

func TestASessionIsKnownToItsFaceAndItsOwnerAlone(t *testing.T) {
	e := engine(t)
	one, two := base(t, e, "one"), base(t, e, "two")
	s, err := e.Create(t.Context(), sessions.CreateOptions{Agent: "script", Face: "one", Owner: "ann"})
	require.NoError(t, err)
	require.Equal(t, 200, call(one, "k-ann", "GET", "/s/"+s.ID, "").Code)
	require.Equal(t, http.StatusTeapot, call(one, "k-bob", "GET", "/s/"+s.ID, "").Code)
	require.Equal(t, http.StatusTeapot, call(two, "k-ann", "GET", "/s/"+s.ID, "").Code)

	require.Len(t, owned(one), 1)
	require.Empty(t, owned(two))
	require.ErrorIs(t, deleted(two, s.ID), sessions.ErrNotFound)
	require.NoError(t, deleted(one, s.ID))
}

// byAnn runs f with a request that the guard has let through for ann.
func byAnn(b *Base, f func(*http.Request)) {
	r := httptest.NewRequest("GET", "/s", nil)
	r.Header.Set("X-Key", "k-ann")
	b.Guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r) })).ServeHTTP(httptest.NewRecorder(), r)
}

func owned(b *Base) (all []*sessions.Session) {
	byAnn(b, func(r *http.Request) { all = b.Owned(r) })
	return all
}

func deleted(b *Base, id string) (err error) {
	byAnn(b, func(r *http.Request) {
		r.SetPathValue("id", id)
		err = b.Delete(r, sessions.SnapshotOptions{Mode: sessions.SnapshotNone})
	})
	return err
}

func TestARequestIsNamedWithItsSession(t *testing.T) {
	b := base(t, engine(t), "one")
	for path, want := range map[string][2]string{"GET /s/a": {"get", "a"}, "POST /s": {"create", ""}, "GET /t": {"", ""}} {
		method, path, _ := strings.Cut(path, " ")
		operation, session := b.Operation(httptest.NewRequest(method, path, nil))
		require.Equal(t, want, [2]string{operation, session}, path)
	}
}
