package engine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/internal/engine"
)

const (
	childEnv = "ENGINE_TEST_CHILD" // a child's childOptions in JSON
	patience = time.Minute         // for a loaded machine
)

// childOptions are what a test asks of another process that opens an engine.
type childOptions struct {
	Dir      string
	Temporal bool
	Sessions bool
}

// childState is the one line a child prints when its engine is open.
type childState struct {
	Temporal engine.Temporal
	Sessions engine.Sessions
	Error    string
}

// leftByServers is what a stopped Temporal server leaves running: it closes
// neither its connections to itself nor that to SQLite.
var leftByServers = []goleak.Option{
	goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/grpcsync.(*CallbackSerializer).run"),
	goleak.IgnoreAnyFunction("google.golang.org/grpc.(*addrConn).resetTransportAndUnlock"),
	goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"),
}

func TestMain(m *testing.M) {
	if env := os.Getenv(childEnv); env != "" {
		runChild(env)
		return
	}
	goleak.VerifyTestMain(m, leftByServers...)
}

// runChild opens an engine and closes it when stdin ends.
func runChild(env string) {
	var c childOptions
	if err := json.Unmarshal([]byte(env), &c); err != nil {
		panic(err)
	}
	var state childState
	e, err := engine.Open(context.Background(), c.options())
	if err != nil {
		state.Error = err.Error()
	} else {
		state.Temporal, state.Sessions = e.Temporal(), e.Sessions()
	}
	if err := json.NewEncoder(os.Stdout).Encode(state); err != nil {
		panic(err)
	}
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := e.Close(); err != nil {
		panic(err)
	}
}

func (c childOptions) options() engine.Options {
	o := engine.Options{Dir: c.Dir}
	if c.Temporal {
		o.Temporal = &engine.TemporalOptions{}
	}
	if c.Sessions {
		o.Sessions = newFileServer
	}
	return o
}

// fileServer is a session server that serves its directory to those with the key.
type fileServer struct{ http.Server }

func newFileServer(dir, key string) (engine.SessionServer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	files := http.FileServer(http.Dir(dir))
	return &fileServer{http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+key {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		files.ServeHTTP(w, r)
	})}}, nil
}

func (s *fileServer) Close(ctx context.Context) error { return s.Shutdown(ctx) }

// child is another process with an engine.
type child struct {
	childState
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
}

// startChild starts a process and waits until its engine is open.
func startChild(t *testing.T, o childOptions) *child {
	t.Helper()
	env, err := json.Marshal(o)
	require.NoError(t, err)
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+string(env))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	c := &child{cmd: cmd, stdin: stdin, stdout: bufio.NewReader(stdout)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // nothing when it has ended
		_ = cmd.Wait()
	})
	line, err := c.stdout.ReadBytes('\n')
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(line, &c.childState), "a child printed %q", line)
	return c
}

// kill is kill -9.
func (c *child) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, c.cmd.Process.Kill())
	_ = c.cmd.Wait()
}

// end lets the process close its engine and returns what else it printed.
func (c *child) end(t *testing.T) string {
	t.Helper()
	require.NoError(t, c.stdin.Close())
	rest, err := io.ReadAll(c.stdout)
	require.NoError(t, err)
	require.NoError(t, c.cmd.Wait())
	return string(rest)
}

func open(t *testing.T, o engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// getFile asks a session server for a file of its directory.
func getFile(s engine.Sessions, name string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, s.BaseURL+"/"+name, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+s.Key)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", resp.Status)
	}
	return string(body), err
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func writeTestFile(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}
