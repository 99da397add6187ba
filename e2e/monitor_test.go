package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// page is a product page whose content a test changes from tick to tick.
type page struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	body   string
}

func newPage(t *testing.T) *page {
	t.Helper()
	p := &page{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(p.status)
		_, _ = io.WriteString(w, p.body)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *page) serve(status int, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.body = status, body
}

// product is a page that sells a teapot.
func product(price, availability string) string {
	return fmt.Sprintf(`<html><head><title>Teapot</title><script type="application/ld+json">{"@type": "Product", "name": "Teapot",
"offers": {"@type": "Offer", "price": %q, "priceCurrency": "EUR", "availability": "https://schema.org/%s"}}</script></head>
<body><h1>Teapot</h1></body></html>`, price, availability)
}

// ears hear what monitors tell.
type ears struct {
	*httptest.Server
	mu     sync.Mutex
	heard  []alert
	answer func(n int) int // status of the n-th request; nil: 200
	posts  int
}

// alert is what a monitor tells, with the id of its delivery.
type alert struct {
	ID, Monitor, Kind, Field string
	Old, New                 any
	At                       string
	TaskID                   string `json:"task_id"`
	URL                      string
	Reason                   string
	delivery                 string
	header                   http.Header
	body                     []byte
}

func newEars(t *testing.T) *ears {
	t.Helper()
	e := &ears{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.posts++
		if e.answer != nil {
			if status := e.answer(e.posts); status != http.StatusOK {
				w.WriteHeader(status)
				return
			}
		}
		a := alert{delivery: r.Header.Get("webhook-id"), header: r.Header, body: body}
		if err != nil || json.Unmarshal(body, &a) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		e.heard = append(e.heard, a)
	}))
	t.Cleanup(e.Close)
	return e
}

// alerts are those that were heard so far.
func (e *ears) alerts() []alert {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]alert{}, e.heard...)
}

// mtick is one line of `errand monitor history -o jsonl`.
type mtick struct {
	At, Verdict, Reason, Note string
	Value                     any
	TaskID                    string `json:"task_id"`
	Alerted                   []string
}

func (h *home) trigger(name string) mtick {
	h.t.Helper()
	return parse[mtick](h.t, h.must("monitor", "trigger", name, "-o", "json"))
}

func TestAMonitorTellsOfAPriceThatChanges(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.dev()
	p, e := newPage(t), newEars(t)
	p.serve(http.StatusOK, product("24.50", "InStock"))
	h.must("monitor", "create", "teapot", "--every", "1h", "--watch", "price", "--notify", e.URL, "--url", p.URL, "Report the product's name and price")

	require.Equal(t, "same", h.trigger("teapot").Verdict)
	require.Empty(t, e.alerts())
	p.serve(http.StatusOK, product("19.50", "InStock"))
	tick := h.trigger("teapot")

	require.Equal(t, "changed", tick.Verdict)
	require.Equal(t, []string{"change"}, tick.Alerted)
	heard := e.alerts()
	require.Len(t, heard, 1)
	got := heard[0]
	require.Equal(t, []any{"teapot", "change", "price", 24.5, 19.5, tick.TaskID, p.URL},
		[]any{got.Monitor, got.Kind, got.Field, got.Old, got.New, got.TaskID, got.URL})
	require.Equal(t, got.ID, got.delivery)
	require.Equal(t, "completed", h.show(tick.TaskID).Status, "a tick's task stands with all others")
	require.Contains(t, h.must("list", "--label", "monitor=teapot"), tick.TaskID)
}

func TestAMonitorIsNotCreatedForAFieldThatTheResultLacks(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.dev()
	p := newPage(t)
	p.serve(http.StatusOK, product("24.50", "InStock"))
	create := h.start("monitor", "create", "teapot", "--every", "1h", "--watch", "prize", "--url", p.URL, "Report the product's name and price")
	require.Equal(t, 1, create.wait())
	require.Contains(t, create.errs.String(), "the result has no field prize: there is currency, name, price")
	require.JSONEq(t, "[]", h.must("monitor", "list", "-o", "json"))

	h.must("monitor", "create", "teapot", "--every", "1h", "--watch", "price", "--url", p.URL, "Report the product's name and price")
	again := h.start("monitor", "create", "teapot", "--every", "2h", "--watch", "name", "--url", p.URL, "Report the product's name")
	require.Equal(t, 2, again.wait())
	require.Contains(t, again.errs.String(), "there is a monitor teapot already")
	require.Contains(t, h.must("monitor", "list"), "every 1h0m0s", "the first one stands")
	h.must("monitor", "delete", "teapot")
	require.JSONEq(t, "[]", h.must("monitor", "list", "-o", "json"))
	gone := h.start("monitor", "show", "teapot")
	require.Equal(t, 1, gone.wait())
	require.Contains(t, gone.errs.String(), "there is no monitor teapot: see errand monitor list")
}
