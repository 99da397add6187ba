package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// page is a product page whose content a test changes from tick to tick.
type page struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	body   string
	order  []visit
	hold   chan struct{} // visits wait until it is closed; nil: none does
	visits int
}

func newPage(t *testing.T) *page {
	t.Helper()
	p := &page{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.visits++
		hold := p.hold
		p.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
				return
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.order) > 0 {
			p.status, p.body = p.order[0].status, p.order[0].body
			if len(p.order) > 1 {
				p.order = p.order[1:]
			}
		}
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
	before func(n int)     // before the n-th request is heard; nil: nothing
	answer func(n int) int // status of the n-th request; nil: 200
	posts  int
}

// alert is what a monitor tells, with the id of its delivery.
type alert struct {
	ID, Monitor, Kind, Field string
	Old, New                 json.RawMessage
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
		e.posts++
		n := e.posts
		e.mu.Unlock()
		if e.before != nil {
			e.before(n)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.answer != nil {
			if status := e.answer(n); status != http.StatusOK {
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
	require.Equal(t, []any{"teapot", "change", "price", "24.5", "19.5", tick.TaskID, p.URL},
		[]any{got.Monitor, got.Kind, got.Field, string(got.Old), string(got.New), got.TaskID, got.URL})
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
	require.Contains(t, h.must("monitor", "list"), "every 1h", "the first one stands")
	h.must("monitor", "delete", "teapot")
	require.JSONEq(t, "[]", h.must("monitor", "list", "-o", "json"))
	gone := h.start("monitor", "show", "teapot")
	require.Equal(t, 1, gone.wait())
	require.Contains(t, gone.errs.String(), "there is no monitor teapot: see errand monitor list")
}

// inOrder serves pages one after the other, one for each visit, and the last
// one from then on.
func (p *page) inOrder(pages ...visit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order = pages
}

// visit is what one visitor sees, and what a monitor is to make of it.
type visit struct {
	status  int
	body    string
	verdict string
	alerts  string // kind old→new, separated by spaces
}

// TestExactlyTheAlertsThatThePagesAreWorth runs on a real schedule that ticks
// by itself, on pages in a recorded order.
func TestExactlyTheAlertsThatThePagesAreWorth(t *testing.T) {
	long(t)
	t.Parallel()
	const (
		captcha = `<html><head><title>Just a moment...</title></head><body>Verify you are human. <div class="g-recaptcha"></div></body></html>`
		blank   = `<html><head></head><body></body></html>`
	)
	shows := func(price, verdict, alerts string) visit {
		return visit{http.StatusOK, product(price, "InStock"), verdict, alerts}
	}
	failing := func(status int, body, alerts string) visit { return visit{status, body, "failed", alerts} }
	for name, test := range map[string]struct {
		flags []string
		pages []visit
	}{
		"changed": {[]string{"--watch", "price"}, []visit{
			shows("1299.00", "first", ""),
			shows("1.299,00", "same", ""),
			shows("1,299.00", "same", ""),
			shows("1.299,00 €", "same", ""),
			failing(http.StatusOK, captcha, ""),
			shows("1199", "changed", "change 1299→1199"),
			failing(http.StatusGatewayTimeout, "504 Gateway Time-out", ""),
			failing(http.StatusOK, blank, ""),
			failing(http.StatusOK, captcha, "failing 1199→null"),
			failing(http.StatusGatewayTimeout, "504 Gateway Time-out", ""),
			shows("1.199,00 €", "same", "recovered 1199→1199"),
			shows("1299", "changed", "change 1199→1299"),
			shows("1299", "same", ""),
		}},
		"below": {[]string{"--watch", "price", "--when", "below:20"}, []visit{
			shows("24.50", "first", ""),
			shows("19,99", "changed", "change 24.5→19.99"),
			shows("15", "changed", ""),
			failing(http.StatusOK, captcha, ""),
			shows("15", "same", ""),
			shows("24.50", "changed", ""),
			shows("19.50", "changed", "change 24.5→19.5"),
		}},
		"disappears": {[]string{"--watch", "availability", "--when", "disappears"}, []visit{
			{http.StatusOK, product("5", "InStock"), "first", ""},
			failing(http.StatusOK, captcha, ""),
			failing(http.StatusOK, blank, ""),
			{http.StatusOK, product("6", "OutOfStock"), "changed", `change "InStock"→null`},
			{http.StatusOK, product("6", "OutOfStock"), "same", ""},
			{http.StatusOK, product("6", "InStock"), "changed", ""},
			{http.StatusOK, product("6", "OutOfStock"), "changed", `change "InStock"→null`},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			h.dev()
			p, e := newPage(t), newEars(t)
			p.inOrder(test.pages...)
			h.must(append([]string{"monitor", "create", "m", "--every", "1s", "--notify", e.URL, "--url", p.URL,
				"Report the product's name, price and availability"}, test.flags...)...)
			var ticks []mtick
			require.Eventually(t, func() bool {
				ticks = h.ticks("m")
				return len(ticks) >= len(test.pages)
			}, patience, time.Second)
			h.must("monitor", "pause", "m")

			var wanted, heard []string
			for i, want := range test.pages {
				require.Equal(t, want.verdict, ticks[i].Verdict, "tick %d: %+v", i, ticks[i])
				if want.alerts != "" {
					wanted = append(wanted, want.alerts)
				}
			}
			ids := map[string]bool{}
			for _, a := range e.alerts() {
				ids[a.delivery] = true
				heard = append(heard, fmt.Sprintf("%s %s→%s", a.Kind, a.Old, a.New))
			}
			require.Equal(t, wanted, heard)
			require.Len(t, ids, len(heard))
		})
	}
}

// ticks are the lines of `errand monitor history`.
func (h *home) ticks(name string) []mtick {
	h.t.Helper()
	var ticks []mtick
	for line := range strings.Lines(h.must("monitor", "history", name, "-o", "jsonl")) {
		ticks = append(ticks, parse[mtick](h.t, line))
	}
	return ticks
}

func TestATickGoesOnWithTheSnapshotOfTheOneBefore(t *testing.T) {
	long(t)
	t.Parallel()
	h := newHome(t)
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "errand.toml"), []byte("[session_server]\nttl = \"4s\"\nsnapshot_max_count = 1\n"), 0o600))
	h.dev()
	h.must("monitor", "create", "m", "--every", "24h", "--watch", "seen", "--type", "text", "--agent", "script", "--snapshot", "filesystem",
		`write seen {{file seen}}+; finish {"seen": "{{file seen}}"}`)
	require.Equal(t, "++", h.trigger("m").Value, "what the one before has written")
	require.Equal(t, "+++", h.trigger("m").Value)

	h.must("run", "--agent", "script", "--snapshot", "filesystem", "finish 1")
	snapshots := filepath.Join(h.data, "sessions", "snapshots", "*")
	require.Eventually(t, func() bool {
		there, err := filepath.Glob(snapshots)
		return err == nil && len(there) == 1
	}, patience, 100*time.Millisecond, "the server keeps one snapshot, and that is not the monitor's")
	cold := h.trigger("m")
	require.Equal(t, "+", cold.Value)
	require.Contains(t, cold.Note, "started cold: ")
	require.Equal(t, "completed", h.show(cold.TaskID).Status)
	require.Equal(t, "++", h.trigger("m").Value)
}

func TestTheSecretsOfAlertsStayWithTheWorker(t *testing.T) {
	long(t)
	t.Parallel()
	const secret, token = "canary-hook-3d1f60a2", "canary-token-77b02c1e"
	e := newEars(t)
	h := newHome(t, "HOOK_SECRET="+secret, "OPS_HOOK="+e.URL+"/"+token)
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "errand.toml"),
		[]byte("[monitors]\nwebhook_secret = \"env:HOOK_SECRET\"\n[monitors.targets]\nops = \"env:OPS_HOOK\"\n"), 0o600))
	dev := h.start("dev", "--port", "0", "--ui-port", "0", "--log-level", "debug")
	dev.says("Web UI")
	p := newPage(t)
	newTeapot(h, p, "--notify", "ops")
	p.serve(http.StatusOK, product("19.50", "InStock"))
	e.answer = func(n int) int {
		if n == 1 {
			return http.StatusServiceUnavailable // so that an error is on record too
		}
		return http.StatusOK
	}
	require.Equal(t, []string{"change"}, h.trigger("teapot").Alerted)

	heard := e.alerts()
	require.Len(t, heard, 1)
	a := heard[0]
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(a.delivery + "." + a.header.Get("webhook-timestamp") + "." + string(a.body)))
	require.Equal(t, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)), a.header.Get("webhook-signature"))

	shown := h.must("monitor", "show", "teapot", "-o", "json")
	dev.kill()
	seen := map[string]int{}
	look := func(text string) {
		for _, word := range []string{secret, token, "Report the product's name and price"} {
			seen[word] += strings.Count(text, word)
		}
	}
	look(shown + dev.out.String() + dev.errs.String())
	require.NoError(t, filepath.WalkDir(h.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		look(string(text))
		return err
	}))
	require.Zero(t, seen[secret])
	require.Zero(t, seen[token])
	require.Greater(t, seen["Report the product's name and price"], 1, "the search finds what is there")
}
