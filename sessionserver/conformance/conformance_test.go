package conformance

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/sessionserver"
)

var (
	baseURL = flag.String("base-url", "", "`URL` of the server to test, without /v1; empty: the local one")
	apiKey  = flag.String("api-key", "", "`env:NAME` or file:PATH of its key")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sure says how well a fact is known.
type sure string

const (
	given    sure = "given"    // the vendor's documentation states it
	inferred sure = "inferred" // its SDKs, their tests or its samples show it
	unknown  sure = "unknown"  // nothing says it: other servers may do it differently
)

// need is what a row needs of the server.
type need string

const (
	nothing need = ""
	script  need = "the script agent, which does what the message says"
	reader  need = "the reader agent, which answers from a page of the demo shop"
	alone   need = "an account that nobody else uses"
)

// row is one fact about the API.
type row struct {
	says  string
	sure  sure
	needs need
	try   func(*trial)
}

func TestTheServerKeepsToTheAPI(t *testing.T) {
	server := theServer(t)
	type tally struct{ passed, failed, notRun int }
	tallies := map[sure]*tally{given: {}, inferred: {}, unknown: {}}
	var left []string
	for _, r := range rows() {
		count := tallies[r.sure]
		if r.needs != nothing && !server.local {
			count.notRun++
			left = append(left, fmt.Sprintf("not run: %s (needs %s)", r.says, r.needs))
			continue
		}
		if t.Run(r.says, func(t *testing.T) { r.try(&trial{T: t, server: server}) }) {
			count.passed++
		} else {
			count.failed++
		}
	}
	for _, line := range left {
		t.Log(line)
	}
	for _, s := range []sure{given, inferred, unknown} {
		t.Logf("%-8s %3d passed %3d failed %3d not run", s, tallies[s].passed, tallies[s].failed, tallies[s].notRun)
	}
}

func rows() []row {
	var all []row
	for _, part := range [][]row{accessRows, sessionRows, messageRows, taskRows, streamRows, snapshotRows, webhookRows, pageRows} {
		all = append(all, part...)
	}
	return all
}

// server is the server that is tested.
type server struct {
	base, key string
	local     bool
	http      *http.Client
}

func theServer(t *testing.T) *server {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	s := &server{base: strings.TrimSuffix(strings.TrimSuffix(*baseURL, "/"), "/v1"), http: &http.Client{Transport: transport}}
	if s.base != "" {
		s.key = readKey(t)
		return s
	}
	s.local, s.key = true, "conformance"
	local, err := sessionserver.New(sessionserver.Config{
		Dir:    t.TempDir(),
		Keys:   []sessionserver.Key{{Value: s.key}},
		AGI:    sessionserver.AGIOptions{Heartbeat: 50 * time.Millisecond},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- local.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, local.Close(ctx))
		require.NoError(t, <-served)
	})
	s.base = "http://" + listener.Addr().String()
	return s
}

func readKey(t *testing.T) string {
	t.Helper()
	kind, at, _ := strings.Cut(*apiKey, ":")
	switch kind {
	case "env":
		return os.Getenv(at)
	case "file":
		data, err := os.ReadFile(at)
		require.NoError(t, err)
		return strings.TrimSpace(string(data))
	}
	require.Empty(t, *apiKey, "-api-key must be env:NAME or file:PATH")
	return ""
}
