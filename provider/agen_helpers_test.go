package provider

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/agen"
)

// agenBegan is the time of the timelines in tests; the vendor's clock stands at
// agenNow.
var (
	agenBegan = time.Date(2026, 4, 2, 10, 0, 0, 0, time.UTC)
	agenNow   = agenBegan.Add(30 * time.Second)
)

// happening is an event of the vendor, made and edited so many seconds after
// agenBegan.
type happening struct {
	id, kind string
	status   string  // empty: completed
	at       float64 // when it was made
	edited   float64 // 0: when it was made
	payload  string  // JSON; empty: an object with the type
	client   string
}

func (h happening) String() string {
	moment := func(seconds float64) string {
		return agenBegan.Add(time.Duration(seconds * float64(time.Second))).Format("2006-01-02T15:04:05.000Z")
	}
	status, edited, payload := h.status, h.edited, h.payload
	if status == "" {
		status = "completed"
	}
	if edited == 0 {
		edited = h.at
	}
	if payload == "" {
		payload = fmt.Sprintf(`{"type":%q}`, h.kind)
	}
	client := "null"
	if h.client != "" {
		client = fmt.Sprintf("%q", h.client)
	}
	return fmt.Sprintf(`{"id":%q,"session_id":"ses_01","type":%q,"payload":%s,"status":%q,"client_id":%s,"created_at":%q,"updated_at":%q}`,
		h.id, h.kind, payload, status, client, moment(h.at), moment(edited))
}

func agenWords(text string) string { return fmt.Sprintf(`{"message":%q}`, text) }

// agenAccount is a vendor with one session, as tests set it.
type agenAccount struct {
	mu       sync.Mutex
	timeline []happening
	now      time.Time
	status   string // lifecycle/agent
	noGet    int    // status of GET /sessions/{id}, 0: it works
	list     string // items of the list beside the session
	asked    []string
}

func (a *agenAccount) set(change func(*agenAccount)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
}

func (a *agenAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r.Method+" "+r.URL.RequestURI())
	if !a.now.IsZero() {
		w.Header().Set("Date", a.now.Format(http.TimeFormat))
	}
	life, agent, _ := strings.Cut(a.status, "/")
	session := fmt.Sprintf(`{"id":"ses_01","status":%q,"agent_status":%q,"created_at":"2026-04-02T10:00:00Z","model":"large"}`, life, agent)
	switch {
	case strings.HasSuffix(r.URL.Path, "/events"):
		events := make([]string, len(a.timeline))
		for i, h := range a.timeline {
			events[i] = h.String()
		}
		fmt.Fprintf(w, "[%s]", strings.Join(events, ","))
	case strings.HasSuffix(r.URL.Path, "/sessions"):
		fmt.Fprintf(w, `{"items":[%s],"next_cursor":null}`, strings.TrimPrefix(a.list+","+session, ","))
	case a.noGet != 0:
		w.WriteHeader(a.noGet)
	default:
		fmt.Fprint(w, session)
	}
}

// agenVendorOf starts a vendor and returns its adapter.
func agenVendorOf(t *testing.T, behaviour http.Handler) *agenProvider {
	t.Helper()
	server := httptest.NewServer(behaviour)
	t.Cleanup(server.Close)
	client, err := agen.New(agen.Config{BaseURL: server.URL, APIKey: testKey})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return NewAgen(client, "default-model", 0).(*agenProvider)
}
