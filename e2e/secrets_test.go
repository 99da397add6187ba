package e2e

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/errand-dev/errand/apiclient/agi"
)

// The secrets of this test, each of which is told in one place alone: a
// variable, or a file that the configuration names.
const (
	envKey        = "canary-env-8c1f0b7e55"
	fileKey       = "canary-file-41d96a2f03"
	wrongKey      = "canary-wrong-b05e7719cd"
	revokedKey    = "canary-revoked-6fa2d84e10"
	echoedKey     = "canary-echoed-97c3e15ab8"
	webhookSecret = "canary-webhook-2e80f6d1c4"
)

// marker stands in prompts, so that it must be found wherever what tasks say
// is kept: a search that does not find it proves nothing.
const marker = "visible-marker"

func TestKeysAreNowhereButWhereTheyWereGiven(t *testing.T) {
	h := newHome(t, "SHOP_KEY="+envKey, "WRONG_KEY="+wrongKey, "REVOKED_KEY="+revokedKey, "ECHOED_KEY="+echoedKey, "WEBHOOK_SECRET="+webhookSecret)
	h.write("shop.key", fileKey+"\n")
	h.write("server.keys", "ann "+envKey+"\nbob "+fileKey+"\nrevoked "+revokedKey+"\n")
	h.write("errand.toml", "[session_server]\nwebhook_secret = \"env:WEBHOOK_SECRET\"\n")
	server := h.start("sessions", "serve", "--listen", "127.0.0.1:0", "--api-key", "file:server.keys", "--log-level", "debug")
	server.says("http://127.0.0.1:")
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(server.errs.String() + server.out.String())
	h.write("errand.toml", "default = \"env\"\n"+
		connection("env", url, "env:SHOP_KEY")+connection("file", url, "file:shop.key")+
		connection("wrong", url, "env:WRONG_KEY")+connection("revoked", url, "env:REVOKED_KEY")+
		connection("unset", url, "env:NOT_SET")+connection("echoing", echoing(t), "env:ECHOED_KEY")+
		connectionAt("everruns", "everruns-env", url+"/everruns", "env:SHOP_KEY")+connectionAt("agen", "agen-env", url+"/agen", "env:SHOP_KEY")+
		connectionAt("everruns", "everruns-wrong", url+"/everruns", "env:WRONG_KEY")+connectionAt("agen", "agen-wrong", url+"/agen", "env:WRONG_KEY")+
		connectionAt("everruns", "everruns-echoing", echoing(t), "env:ECHOED_KEY")+connectionAt("agen", "agen-echoing", echoing(t), "env:ECHOED_KEY"))
	dev := h.start("dev", "--port", "0", "--ui-port", "0", "--log-level", "debug")
	dev.says("Web UI")
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(dev.errs.String() + dev.out.String())

	processes := []*process{server, dev}
	run := func(id, connection string, args ...string) *process {
		p := h.start(append([]string{"run", "--id", id, "--connection", connection, "--log-level", "debug", "-o", "json"}, args...)...)
		processes = append(processes, p)
		return p
	}
	const say = "think " + marker + "; "
	for id, p := range map[string]*process{
		"completed-env":  run("completed-env", "env", say+"finish 1"),
		"completed-file": run("completed-file", "file", "--snapshot", "filesystem", say+"finish 1"),
		"everruns":       run("everruns", "everruns-env", "--answer", "M", say+"ask Size?; finish 1"),
		"agen":           run("agen", "agen-env", "--answer", "M", say+"ask Size?; finish 1"),
		"local":          run("local", "local", "--agent", "script", say+"finish 1"),
	} {
		require.Equal(t, 0, p.wait(), id)
	}
	for id, p := range map[string]*process{
		"failed":      run("failed", "env", say+"fail oh"),
		"wrong-key":   run("wrong-key", "wrong", say+"finish 1"),
		"revoked-key": run("revoked-key", "revoked", say+"finish 1"),
		"echoed-key":  run("echoed-key", "echoing", "--timeout", "30s", say+"finish 1"),

		"everruns-wrong-key":  run("everruns-wrong-key", "everruns-wrong", say+"finish 1"),
		"everruns-echoed-key": run("everruns-echoed-key", "everruns-echoing", "--timeout", "30s", say+"finish 1"),
		"agen-wrong-key":      run("agen-wrong-key", "agen-wrong", say+"finish 1"),
		"agen-echoed-key":     run("agen-echoed-key", "agen-echoing", "--timeout", "30s", say+"finish 1"),
	} {
		require.Equal(t, 1, p.wait(), id)
	}
	require.Equal(t, 2, run("unset-key", "unset", say+"finish 1").wait())
	require.Equal(t, 4, run("timed-out", "env", "--timeout", "2s", say+"wait 1h").wait())
	cancelled := run("cancelled", "file", say+"wait 1h")
	cancelled.says(marker)
	h.must("cancel", "cancelled")
	require.Equal(t, 3, cancelled.wait())
	for _, args := range [][]string{
		{"show", "completed-env", "-o", "json"}, {"show", "wrong-key"}, {"show", "echoed-key", "-o", "json"}, {"list", "-o", "json"},
		{"watch", "failed", "-o", "jsonl"}, {"sessions", "list", "--connection", "file", "-o", "json", "--log-level", "debug"},
	} {
		p := h.start(args...)
		processes = append(processes, p)
		require.Equal(t, 0, p.wait(), "%s", args)
	}
	requireSignedWebhook(t, url)
	h.exportHistories(address)
	for name, p := range processes {
		h.write(fmt.Sprintf("said-%d", name), p.out.String()+p.errs.String())
	}

	h.requireNoSecrets() // with the write-ahead log of a server at work
	for _, p := range []*process{dev, server} {
		p.signal(syscall.SIGTERM)
		p.wait()
		h.write("said-in-the-end", p.out.String()+p.errs.String())
		h.requireNoSecrets()
	}
}

func (h *home) write(name, text string) {
	h.t.Helper()
	require.NoError(h.t, os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600))
}

func connection(name, url, key string) string { return connectionAt("agi", name, url, key) }

func connectionAt(vendor, name, url, key string) string {
	return fmt.Sprintf("[connections.%s]\nprovider = %q\nbase_url = %q\napi_key = %q\nagent = \"script\"\n", name, vendor, url, key)
}

// echoing starts a vendor that repeats the key in its errors, first in one that
// is tried again, then in one that is not.
func echoing(t *testing.T) (url string) {
	var calls int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if calls++; calls <= 2 {
			w.WriteHeader(http.StatusInternalServerError)
		} else {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = fmt.Fprintf(w, `{"detail":"I do not like %s"}`, cmp.Or(r.Header.Get("Authorization"), r.Header.Get("X-Api-Key")))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// requireSignedWebhook lets the server send a webhook, which has a signature
// and not the secret that it was made with. It leaves the session there, so
// that the server has the files of one.
func requireSignedWebhook(t *testing.T, url string) {
	t.Helper()
	type webhook struct {
		header http.Header
		body   []byte
	}
	got := make(chan webhook, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is missing is not found
		got <- webhook{r.Header, body}
	}))
	defer receiver.Close()
	c, err := agi.New(agi.Config{BaseURL: url, APIKey: envKey})
	require.NoError(t, err)
	defer c.CloseIdleConnections()
	ctx := longer(t)
	session, err := c.CreateSession(ctx, agi.CreateSessionRequest{AgentName: "script", WebhookURL: receiver.URL})
	require.NoError(t, err)
	_, err = c.SendMessage(ctx, session.SessionID, agi.SendMessageRequest{Message: "think " + marker + "; finish 1"})
	require.NoError(t, err)
	select {
	case w := <-got:
		require.NotEmpty(t, w.header.Get("X-Errand-Signature"))
		said := fmt.Sprintf("%v %s", w.header, w.body)
		require.Contains(t, said, session.SessionID)
		require.NotContains(t, said, "canary")
	case <-ctx.Done():
		require.FailNow(t, "no webhook")
	}
}

// exportHistories writes the histories of all tasks as files.
func (h *home) exportHistories(address string) {
	h.t.Helper()
	c, err := client.Dial(client.Options{HostPort: address})
	require.NoError(h.t, err)
	defer c.Close()
	ctx := longer(h.t)
	list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{})
	require.NoError(h.t, err)
	require.Greater(h.t, len(list.GetExecutions()), 8)
	require.NoError(h.t, os.Mkdir(filepath.Join(h.dir, "histories"), 0o700))
	for _, e := range list.GetExecutions() {
		history := &historypb.History{}
		it := c.GetWorkflowHistory(ctx, e.GetExecution().GetWorkflowId(), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for it.HasNext() {
			event, err := it.Next()
			require.NoError(h.t, err)
			history.Events = append(history.Events, event)
		}
		raw, err := proto.Marshal(history) // payloads as the bytes that they are
		require.NoError(h.t, err)
		h.write(filepath.Join("histories", e.GetExecution().GetWorkflowId()), string(raw))
	}
}

// requireNoSecrets searches all files that there are for the secrets, except
// where each was put for errand to read. The key of the embedded session
// server is one of errand's own making; its place is one file, too.
func (h *home) requireNoSecrets() {
	h.t.Helper()
	ownKey, err := os.ReadFile(filepath.Join(h.data, "sessions.key"))
	require.NoError(h.t, err)
	given := map[string][]string{ // and where it may be
		envKey: {"server.keys"}, fileKey: {"server.keys", "shop.key"}, revokedKey: {"server.keys"},
		wrongKey: nil, echoedKey: nil, webhookSecret: nil,
		strings.TrimSpace(string(ownKey)): {filepath.Join("data", "sessions.key")},
	}
	marked := map[string]bool{}
	require.NoError(h.t, filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(h.dir, path)
		if err != nil {
			return err
		}
		if bytes.Contains(raw, []byte(marker)) {
			marked[kindOf(name)] = true
		}
		for secret, places := range given {
			for _, form := range append(inBase64(secret), secret) {
				if bytes.Contains(raw, []byte(form)) {
					require.Contains(h.t, places, name, "%s is in %s", secret, name)
				}
			}
		}
		return nil
	}))
	for _, kind := range []string{"database", "transcripts", "sessions", "histories", "said"} {
		require.True(h.t, marked[kind], "what tasks say is not found in %s: the search is blind there (it is in %v)", kind, marked)
	}
}

// kindOf tells what a file below a home is.
func kindOf(name string) string {
	switch {
	case strings.HasPrefix(filepath.Base(name), "temporal.db"):
		return "database"
	case strings.HasPrefix(name, "histories"), strings.HasPrefix(name, "said"):
		kind, _, _ := strings.Cut(strings.ReplaceAll(name, "-", "/"), "/")
		return kind
	case strings.Contains(name, "transcripts"):
		return "transcripts"
	case strings.Contains(name, "sessions"):
		return "sessions"
	}
	return name
}

// inBase64 is the middle of a text in base64, for each place that it can have
// among the triples of bytes.
func inBase64(text string) []string {
	var forms []string
	for offset := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + text))
		forms = append(forms, encoded[(offset*8+5)/6:len(encoded)-1])
	}
	return forms
}
