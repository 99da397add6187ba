package engine_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/devserver"
	"github.com/errand-dev/errand/internal/engine"
)

const taskQueue = "engine-test"

// wake waits until it is told to go on, and then a little more.
func wake(ctx workflow.Context) (string, error) {
	workflow.GetSignalChannel(ctx, "wake").Receive(ctx, nil)
	if err := workflow.Sleep(ctx, 100*time.Millisecond); err != nil {
		return "", err
	}
	return "awake", nil
}

func TestAWorkflowOutlivesTheProcessThatRunsTheServer(t *testing.T) {
	dir := t.TempDir()
	o := childOptions{Dir: dir, Temporal: true, Sessions: true}
	owner := startChild(t, o)
	require.Empty(t, owner.Error)
	e := open(t, o.options())
	require.Equal(t, owner.Temporal, e.Temporal())
	require.Equal(t, owner.Sessions, e.Sessions())
	require.Equal(t, owner.cmd.Process.Pid, e.Temporal().PID)
	require.Equal(t, "default", e.Temporal().Namespace)

	c, err := client.DialContext(t.Context(), client.Options{HostPort: e.Temporal().Address})
	require.NoError(t, err)
	defer c.Close()
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(wake)
	require.NoError(t, w.Start())
	defer w.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: taskQueue}, wake)
	require.NoError(t, err)

	changed := e.Changed()
	owner.kill(t)
	require.Eventually(t, func() bool {
		return c.SignalWorkflow(ctx, run.GetID(), "", "wake", nil) == nil
	}, patience, 20*time.Millisecond)
	var result string
	require.NoError(t, run.Get(ctx, &result))
	require.Equal(t, "awake", result)

	<-changed
	require.Equal(t, os.Getpid(), e.Temporal().PID)
	require.Equal(t, owner.Temporal.Address, e.Temporal().Address)
	require.Equal(t, owner.Temporal.UIAddress, e.Temporal().UIAddress)
	require.Eventually(t, func() bool {
		return e.Sessions().PID == os.Getpid() && e.Sessions().BaseURL == owner.Sessions.BaseURL
	}, patience, 20*time.Millisecond)
}

func TestEachServerHasAnOwnerOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	sessions := startChild(t, childOptions{Dir: dir, Sessions: true})
	e := open(t, childOptions{Dir: dir, Temporal: true, Sessions: true}.options())
	require.Equal(t, sessions.Sessions, e.Sessions())
	require.Equal(t, os.Getpid(), e.Temporal().PID)

	third := startChild(t, childOptions{Dir: dir, Temporal: true, Sessions: true})
	require.Equal(t, e.Temporal(), third.Temporal)
	require.Equal(t, e.Sessions(), third.Sessions)
	require.Empty(t, third.end(t), "a child's stdout")
}

func TestTemporalKeepsItsPortOverACleanStopByAChild(t *testing.T) {
	dir := t.TempDir()
	o := childOptions{Dir: dir, Temporal: true}
	first := startChild(t, o)
	require.Empty(t, first.end(t), "a child's stdout")
	e := open(t, o.options())
	require.Equal(t, first.Temporal.Address, e.Temporal().Address)
}

func TestAPortTheUserChoseIsNotReplaced(t *testing.T) {
	taken := listen(t, "127.0.0.1:0").Addr().(*net.TCPAddr).Port
	_, err := engine.Open(t.Context(), engine.Options{
		Dir:      t.TempDir(),
		Temporal: &engine.TemporalOptions{Port: taken},
	})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}

func TestADamagedDatabaseIsLeftAsItIs(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "temporal.db")
	content := "this is not a database, and long enough not to be taken for the start of one"
	writeTestFile(t, file, content)
	_, err := engine.Open(t.Context(), childOptions{Dir: dir, Temporal: true}.options())
	require.ErrorIs(t, err, devserver.ErrDamaged)
	require.ErrorContains(t, err, file)
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, content, string(after))

	require.NoError(t, os.Remove(file))
	open(t, childOptions{Dir: dir, Temporal: true}.options())
}
