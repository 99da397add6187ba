package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// leftByServers is what a stopped Temporal server leaves running: it closes
// neither its connections to itself nor that to SQLite.
var leftByServers = []goleak.Option{
	goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/grpcsync.(*CallbackSerializer).run"),
	goleak.IgnoreAnyFunction("google.golang.org/grpc.(*addrConn).resetTransportAndUnlock"),
	goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"),
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, leftByServers...) }

// patience is how long anything may take that should take a second, on a small
// machine with the race detector on.
const patience = 90 * time.Second

// shell is one user's machine: a data directory and an environment.
type shell struct {
	t    *testing.T
	home string
	data string
	env  []string
}

func newShell(t *testing.T, env ...string) *shell {
	t.Helper()
	home := t.TempDir()
	s := &shell{t: t, home: home, data: filepath.Join(home, "data")}
	s.env = append([]string{
		"HOME=" + home,
		"XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
		"TEMPORAL_CONFIG_FILE=" + filepath.Join(home, "temporal.toml"),
		"ERRAND_DATA_DIR=" + s.data,
	}, env...)
	return s
}

// file writes a file below the home and returns its path.
func (s *shell) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.home, name)
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// command is a command under way in this process.
type command struct {
	t         *testing.T
	args      []string
	out, err  buffer
	interrupt context.CancelFunc
	done      chan struct{}
	status    int
}

func (s *shell) start(stdin io.Reader, args ...string) *command {
	ctx, cancel := context.WithCancel(context.Background())
	c := &command{t: s.t, args: args, interrupt: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.status = Main(ctx, args, s.env, stdin, &c.out, &c.err)
	}()
	s.t.Cleanup(func() {
		cancel()
		c.wait()
		if s.t.Failed() {
			s.t.Logf("errand %s: exit %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), c.status, &c.out, &c.err)
		}
	})
	return c
}

// run runs a command to its end.
func (s *shell) run(args ...string) *command {
	s.t.Helper()
	c := s.start(strings.NewReader(""), args...)
	c.wait()
	return c
}

// must runs a command that must succeed, and returns what it printed.
func (s *shell) must(args ...string) string {
	s.t.Helper()
	c := s.run(args...)
	require.Equal(s.t, exitOK, c.status, "errand %s: %s", strings.Join(args, " "), &c.err)
	return c.out.String()
}

func (c *command) wait() {
	select {
	case <-c.done:
	case <-time.After(patience):
		require.FailNow(c.t, "errand does not end", "errand %s\nstderr: %s", strings.Join(c.args, " "), &c.err)
	}
}

// says waits until the command has said those words on stderr or stdout.
func (c *command) says(words string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		return strings.Contains(c.out.String()+c.err.String(), words)
	}, patience, 10*time.Millisecond, "waiting for %q", words)
}

// buffer is written by a command while a test reads it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(text), &v), "%s", text)
	return v
}

// keys are the fields of a JSON object in their order.
func keys(t *testing.T, text string) []string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	_, err := d.Token()
	require.NoError(t, err)
	var names []string
	for d.More() {
		name, err := d.Token()
		require.NoError(t, err)
		names = append(names, name.(string))
		var skip json.RawMessage
		require.NoError(t, d.Decode(&skip))
	}
	return names
}
