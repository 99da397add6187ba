package conformance

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/sessionserver"
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

// row is one fact about an API. T is a trial with what the rows of that API
// have in common.
type row[T any] struct {
	says  string
	sure  sure
	needs need
	try   func(T)
}

// run tries the rows on a server and tells how sure the facts are that hold.
func run[T any](t *testing.T, server *server, rows []row[T], as func(*trial) T) {
	type tally struct{ passed, failed, notRun int }
	tallies := map[sure]*tally{given: {}, inferred: {}, unknown: {}}
	var left []string
	for _, r := range rows {
		count := tallies[r.sure]
		if r.needs != nothing && !server.local {
			count.notRun++
			left = append(left, fmt.Sprintf("not run: %s (needs %s)", r.says, r.needs))
			continue
		}
		if t.Run(r.says, func(t *testing.T) { r.try(as(&trial{T: t, server: server})) }) {
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

// server is the server that is tested.
type server struct {
	base, key string
	scheme    string // before the key
	local     bool
	http      *http.Client
}

// place says by flags where another server of an API is.
type place struct {
	url *string // without /v1
	key *string // env:NAME or file:PATH
}

// open gives the server there, or else the local one, which has the API below
// the prefix.
func (p place) open(t *testing.T, prefix string, c sessionserver.Config) *server {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	s := &server{base: strings.TrimSuffix(strings.TrimSuffix(*p.url, "/"), "/v1"), http: &http.Client{Transport: transport}}
	if s.base != "" {
		s.key = p.readKey(t)
		return s
	}
	s.local, s.key = true, "conformance"
	c.Dir = t.TempDir()
	c.Keys = []sessionserver.Key{{Value: s.key}}
	c.Logger = slog.New(slog.DiscardHandler)
	local, err := sessionserver.New(c)
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
	s.base = "http://" + listener.Addr().String() + prefix
	return s
}

func (p place) readKey(t *testing.T) string {
	t.Helper()
	kind, at, _ := strings.Cut(*p.key, ":")
	switch kind {
	case "env":
		return os.Getenv(at)
	case "file":
		data, err := os.ReadFile(at)
		require.NoError(t, err)
		return strings.TrimSpace(string(data))
	}
	require.Empty(t, *p.key, "a key must be env:NAME or file:PATH")
	return ""
}
