package devserver_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/devserver"
)

const (
	childEnv  = "DEVSERVER_TEST_CHILD" // the folder of a child's server
	taskQueue = "devserver-test"
	patience  = time.Minute // for a loaded machine
)

var quiet = slog.New(slog.DiscardHandler)

// leftByServers is what a stopped Temporal server leaves running: it closes
// neither its connections to itself nor that to SQLite.
var leftByServers = []goleak.Option{
	goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/grpcsync.(*CallbackSerializer).run"),
	goleak.IgnoreAnyFunction("google.golang.org/grpc.(*addrConn).resetTransportAndUnlock"),
	goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"),
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		runChild(dir)
		return
	}
	goleak.VerifyTestMain(m, leftByServers...)
}

// runChild starts a server with a waiting workflow in it, prints the address and
// stops the server when stdin ends. Its server logs to nobody.
func runChild(dir string) {
	ctx := context.Background()
	s, err := devserver.Start(ctx, devserver.Options{Dir: dir, UI: true})
	if err != nil {
		panic(err)
	}
	c, err := client.DialContext(ctx, client.Options{HostPort: s.Address(), Logger: log.NewStructuredLogger(quiet)})
	if err != nil {
		panic(err)
	}
	if _, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "waiting", TaskQueue: taskQueue}, wait); err != nil {
		panic(err)
	}
	c.Close()
	fmt.Println(s.Address())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(); err != nil {
		panic(err)
	}
}

// child is a process that runs a server; see runChild.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   io.Reader // both of its outputs
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stdout, cmd.Stderr = w, w
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, w.Close())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // nothing when it has ended
		_ = cmd.Wait()
		_ = r.Close()
	})
	return &child{cmd: cmd, stdin: stdin, out: r}
}

// wait returns what its signal brings.
func wait(ctx workflow.Context) (string, error) {
	var got string
	workflow.GetSignalChannel(ctx, "go").Receive(ctx, &got)
	return got, nil
}

func start(t *testing.T, o devserver.Options) *devserver.Server {
	t.Helper()
	s, err := devserver.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	return s
}

func dial(t *testing.T, s *devserver.Server) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: s.Address(), Logger: log.NewStructuredLogger(quiet)})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// startWorker polls with the test's workflows and what register adds.
func startWorker(t *testing.T, c client.Client, register func(worker.Registry)) worker.Worker {
	t.Helper()
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(wait)
	if register != nil {
		register(w)
	}
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return w
}

// finish sends the waiting workflow its signal and requires the same as result.
func finish(t *testing.T, c client.Client, workflowID string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, c.SignalWorkflow(ctx, workflowID, "", "go", "done"))
	var result string
	require.NoError(t, c.GetWorkflow(ctx, workflowID, "").Get(ctx, &result))
	require.Equal(t, "done", result)
}
