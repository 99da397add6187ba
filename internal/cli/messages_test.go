package cli

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/internal/transcript"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/sessionserver"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// desk is a link to a vendor, with no Temporal behind it.
type desk struct {
	*link
	provider provider.Provider
	session  string

	mu   sync.Mutex
	said []string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, append(leftByServers, before)...) })
	server, err := sessionserver.New(sessionserver.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	web := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		require.NoError(t, server.Close(context.Background()))
		web.Close()
	})
	c := &config.Config{Connections: map[string]config.Connection{
		"mine": {Name: "mine", Provider: "agi", BaseURL: web.URL, Agent: "script"},
	}}
	log := slog.New(slog.DiscardHandler)
	d := &desk{link: &link{
		connections: newConnections(c, log),
		transcripts: transcript.Dir(filepath.Join(t.TempDir(), "transcripts")),
		logger:      log,
	}}
	d.provider, err = d.connections.Provider("mine")
	require.NoError(t, err)
	session, err := d.provider.Create(t.Context(), provider.CreateRequest{})
	require.NoError(t, err)
	d.session = session.ID
	return d
}

func (d *desk) send(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, d.provider.Send(t.Context(), d.session, provider.Message{Text: text}))
}

func (d *desk) follow(t *testing.T, connection string) *messages {
	m := d.messages("t-1", func(e transcript.Entry) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.said = append(d.said, e.Text)
	})
	m.follow(t.Context(), starter.AgentTask{Connection: connection, Session: &workflows.Session{ID: d.session}})
	return m
}

func (d *desk) heard() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string{}, d.said...)
}

// until waits until the session has said that, and nothing else.
func (d *desk) until(t *testing.T, want ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(d.heard()) >= len(want) }, patience, 5*time.Millisecond)
	require.Equal(t, want, d.heard())
}

func entries(texts ...string) []provider.Entry {
	all := make([]provider.Entry, len(texts))
	for i, text := range texts {
		all[i] = provider.Entry{ID: string(rune('1' + i)), Type: provider.EntryLog, Text: text}
	}
	return all
}

func TestMessagesComeFromTheVendorEachOnce(t *testing.T) {
	d := newDesk(t)
	m := d.follow(t, "mine")
	d.send(t, "think A; ask B?")
	d.until(t, "think A; ask B?", "A", "B?")
	d.send(t, "C")
	d.until(t, "think A; ask B?", "A", "B?", "C", `{"answers":["C"]}`)

	require.NoError(t, d.transcripts.Append("t-1", entries("think A; ask B?", "A", "B?", "C", "D", "only here")))
	m.end()
	require.Equal(t, []string{"think A; ask B?", "A", "B?", "C", `{"answers":["C"]}`, "only here"}, d.heard())
}

// quietVendor has no event stream, and is read once an hour if nobody asks.
type quietVendor struct {
	provider.Provider
	hangs bool // until the reader gives up
	said  []provider.Entry
}

func (*quietVendor) Capabilities() provider.Capabilities {
	return provider.Capabilities{PollInterval: time.Hour}
}

func (v *quietVendor) Read(ctx context.Context, _ string, _ provider.Watermark) (provider.Progress, error) {
	if v.hangs {
		<-ctx.Done()
		return provider.Progress{}, ctx.Err()
	}
	return provider.Progress{Entries: v.said}, nil
}

func TestWhoeverWaitsForMessagesDoesNotWaitLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := &quietVendor{}
		log := slog.New(slog.DiscardHandler)
		c := newConnections(&config.Config{Connections: map[string]config.Connection{"mine": {Name: "mine"}}}, log)
		c.opened["mine"] = vendor
		d := &desk{link: &link{connections: c, transcripts: transcript.Dir(t.TempDir()), logger: log}}
		m := d.follow(t, "mine")
		synctest.Wait()

		vendor.said = entries("A")
		m.catchUp()
		require.Equal(t, []string{"A"}, d.heard(), "all that was said is handed on")

		vendor.hangs = true
		begin := time.Now()
		m.catchUp()
		require.Equal(t, priorWords, time.Since(begin))
		m.end()
		require.Equal(t, priorWords+lastWords, time.Since(begin))
		m.catchUp()
		require.Equal(t, priorWords+lastWords, time.Since(begin), "with nobody reading there is nothing to wait for")
	})
}

func TestTheTranscriptSpeaksForASessionThatCannotBeRead(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *desk) (connection string){
		"its connection is not configured here": func(*testing.T, *desk) string { return "theirs" },
		"it is gone": func(t *testing.T, d *desk) string {
			_, err := d.provider.Delete(t.Context(), d.session, provider.DeleteRequest{})
			require.NoError(t, err)
			return "mine"
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			connection := prepare(t, d)
			require.NoError(t, d.transcripts.Append("t-1", entries("A")))
			m := d.follow(t, connection)
			d.until(t, "A")
			require.NoError(t, d.transcripts.Append("t-1", entries("A", "B")))
			d.until(t, "A", "B")
			m.end()
		})
	}
}

func TestATaskThatHasEndedIsReadFromItsTranscriptAlone(t *testing.T) {
	d := newDesk(t)
	require.NoError(t, d.transcripts.Append("t-1", entries("A", "B")))
	m := d.messages("t-1", func(e transcript.Entry) { d.said = append(d.said, e.Text) })
	m.follow(t.Context(), starter.AgentTask{Status: workflows.StatusCompleted, Connection: "mine", Session: &workflows.Session{ID: d.session}})
	require.False(t, m.started)
	m.end()
	require.Equal(t, []string{"A", "B"}, d.said)
}

func TestAMissingKeyIsNotTriedAgain(t *testing.T) {
	ref, err := config.ParseKeyRef("env:NO_SUCH_KEY", "", nil)
	require.NoError(t, err)
	c := newConnections(&config.Config{Connections: map[string]config.Connection{
		"mine": {Name: "mine", Provider: "agi", Key: ref},
	}}, slog.New(slog.DiscardHandler))
	_, err = c.Provider("mine")
	require.True(t, provider.IsKind(err, provider.ErrorUnauthorized))
	require.ErrorContains(t, err, "NO_SUCH_KEY is not set")
	_, err = c.Provider("theirs")
	require.ErrorAs(t, err, new(*provider.UnknownConnectionError))
}
