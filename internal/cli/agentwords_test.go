package cli

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/inbox"
	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

func texts(messages []inbox.Message) []string {
	var texts []string
	for _, m := range messages {
		texts = append(texts, m.Text)
	}
	return texts
}

// counting is the address of a proxy before the desk's vendor that counts.
func counting(t *testing.T, d *desk, requests *atomic.Int32) string {
	t.Helper()
	vendor, err := url.Parse(d.connections.config.Connections["mine"].BaseURL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(vendor)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestWhatAnAgentSaidLastComesFromItsVendorOnceWhileItWaits(t *testing.T) {
	d := newDesk(t)
	var reads atomic.Int32
	d.connections = newConnections(&config.Config{Connections: map[string]config.Connection{
		"mine": {Name: "mine", Provider: "agi", BaseURL: counting(t, d, &reads), Agent: "script"},
	}}, d.logger)
	d.send(t, "think one; think two; ask Which?; finish 1")
	w := newAgentWords(d.link)
	task := starter.AgentTask{
		ID: "t-1", Connection: "mine", Session: &workflows.Session{ID: d.session},
		Status: workflows.StatusWaiting, Question: &workflows.Question{ID: "q-1"},
	}
	require.Eventually(t, func() bool {
		progress, err := d.provider.Read(t.Context(), d.session, "")
		return err == nil && progress.Outcome != nil && progress.Outcome.Kind == provider.OutcomeQuestion
	}, patience, 5*time.Millisecond)

	for range 3 {
		said, err := w.Last(t.Context(), task, 2)
		require.NoError(t, err)
		require.Equal(t, []string{"two", "Which?"}, texts(said))
	}
	once := reads.Load()
	require.Positive(t, once)
	_, err := w.Last(t.Context(), task, 2)
	require.NoError(t, err)
	require.Equal(t, once, reads.Load(), "a vendor is not asked while its agent waits")

	require.NoError(t, d.transcripts.Append("t-1", []provider.Entry{{ID: "1", Type: provider.EntryThought, Text: "kept"}}))
	said, err := w.Last(t.Context(), task, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"kept"}, texts(said), "what is kept here needs no vendor")
}
