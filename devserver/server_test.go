package devserver_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/metrics/metricstest"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/devserver"
)

func TestAWorkflowSurvivesACleanStop(t *testing.T) {
	dir := t.TempDir()
	first, err := devserver.Start(t.Context(), devserver.Options{Dir: dir})
	require.NoError(t, err)
	run, err := dial(t, first).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, wait)
	require.NoError(t, err)
	require.NoError(t, first.Stop())
	require.NoError(t, first.Stop(), "a second stop")

	c := dial(t, start(t, devserver.Options{Dir: dir}))
	startWorker(t, c, nil)
	finish(t, c, run.GetID())
}

func TestAWorkflowSurvivesKillNine(t *testing.T) {
	dir := t.TempDir()
	child := startChild(t, dir)
	address, err := bufio.NewReader(child.out).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, child.cmd.Process.Kill())
	_ = child.cmd.Wait()

	_, port, err := net.SplitHostPort(strings.TrimSpace(address))
	require.NoError(t, err)
	s := start(t, devserver.Options{Dir: dir, Port: atoi(t, port)})
	require.Equal(t, strings.TrimSpace(address), s.Address(), "the port is free at once")
	c := dial(t, s)
	startWorker(t, c, nil)
	finish(t, c, "waiting")
}

func TestTheServerPrintsNothing(t *testing.T) {
	child := startChild(t, t.TempDir())
	out := bufio.NewReader(child.out)
	address, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Regexp(t, `^127\.0\.0\.1:\d+\n$`, address)
	require.NoError(t, child.stdin.Close())
	rest, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Empty(t, string(rest))
	require.NoError(t, child.cmd.Wait())
}

func TestAStoppedServerLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := devserver.Start(t.Context(), devserver.Options{Dir: t.TempDir(), UI: true})
	require.NoError(t, err)
	require.NoError(t, s.Stop())
	goleak.VerifyNone(t, append(leftByServers, before)...)
}

func TestAPortInUseIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	taken := l.Addr().(*net.TCPAddr).Port
	for name, o := range map[string]devserver.Options{
		"frontend": {Port: taken},
		"web ui":   {UI: true, UIPort: taken},
	} {
		o.Dir = t.TempDir()
		_, err := devserver.Start(t.Context(), o)
		require.ErrorIs(t, err, syscall.EADDRINUSE, name)
	}
}

func TestAHostNameIsRefused(t *testing.T) {
	_, err := devserver.Start(t.Context(), devserver.Options{Dir: t.TempDir(), Host: "localhost"})
	require.ErrorContains(t, err, `host "localhost" is not an IP address`)
}

func TestACancelledStartStopsTheServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := devserver.Start(ctx, devserver.Options{Dir: t.TempDir()})
	require.ErrorIs(t, err, context.Canceled)
}

func TestTheWebUIServesPagesAndTheAPI(t *testing.T) {
	s := start(t, devserver.Options{Dir: t.TempDir(), UI: true})
	for path, want := range map[string]string{
		"/":                         "<!doctype html>",
		"/namespaces/default":       "<!doctype html>",
		"/healthz":                  `"ok"`,
		"/api/v1/settings":          `"defaultnamespace":"default"`,
		"/api/v1/namespaces":        `"name": "default"`,
		"/api/v1/cluster-info":      `"serverversion"`,
		"/favicon.ico":              "",
		"/api/v1/namespaces/absent": `not found`,
	} {
		resp, err := http.Get("http://" + s.UIAddress() + path)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Contains(t, strings.ToLower(string(body)), want, path)
	}
	require.Empty(t, start(t, devserver.Options{Dir: t.TempDir()}).UIAddress(), "without a web ui")
}

func TestCancellationReachesAnActivityThatNeverHeartbeats(t *testing.T) {
	c := dial(t, start(t, devserver.Options{Dir: t.TempDir()}))
	started, cancelled := make(chan struct{}), make(chan struct{})
	endless := func(ctx context.Context) error {
		close(started)
		<-ctx.Done()
		close(cancelled)
		return ctx.Err()
	}
	startWorker(t, c, func(r worker.Registry) {
		r.RegisterActivityWithOptions(endless, activity.RegisterOptions{Name: "endless"})
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
			ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
				StartToCloseTimeout: time.Hour,
				WaitForCancellation: true,
			})
			return workflow.ExecuteActivity(ctx, "endless").Get(ctx, nil)
		}, workflow.RegisterOptions{Name: "endless"})
	})
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, "endless")
	require.NoError(t, err)
	await(t, started)
	require.NoError(t, c.CancelWorkflow(t.Context(), run.GetID(), ""))
	await(t, cancelled)
}

func TestUpdatesAndSchedulesWork(t *testing.T) {
	c := dial(t, start(t, devserver.Options{Dir: t.TempDir()}))
	startWorker(t, c, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
			done := false
			err := workflow.SetUpdateHandler(ctx, "double", func(_ workflow.Context, n int) (int, error) {
				done = true
				return 2 * n, nil
			})
			if err != nil {
				return err
			}
			return workflow.Await(ctx, func() bool { return done })
		}, workflow.RegisterOptions{Name: "doubles"})
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:                 "now",
		TriggerImmediately: true,
		Action:             &client.ScheduleWorkflowAction{ID: "scheduled", Workflow: "doubles", TaskQueue: taskQueue},
	})
	require.NoError(t, err)
	var workflowID string
	require.Eventually(t, func() bool {
		d, err := c.ScheduleClient().GetHandle(ctx, "now").Describe(ctx)
		if err != nil || len(d.Info.RecentActions) == 0 {
			return false
		}
		workflowID = d.Info.RecentActions[0].StartWorkflowResult.WorkflowID
		return true
	}, patience, 20*time.Millisecond)
	update, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID:   workflowID,
		UpdateName:   "double",
		Args:         []any{21},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t, err)
	var answer int
	require.NoError(t, update.Get(ctx, &answer))
	require.Equal(t, 42, answer)
}

func TestMetricsCountBillableActions(t *testing.T) {
	handler := metricstest.NewCaptureHandler()
	capture := handler.StartCapture()
	c := dial(t, start(t, devserver.Options{Dir: t.TempDir(), Metrics: handler}))
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, wait)
	require.NoError(t, err)
	var actions []string
	for _, r := range capture.Snapshot()[metrics.ActionCounter.Name()] {
		if r.Tags["namespace"] == "default" {
			actions = append(actions, r.Tags["action_type"])
		}
	}
	require.Equal(t, []string{"grpc_StartWorkflowExecution"}, actions)
}

func TestAWorkerIsOfferedEagerStartAndCommands(t *testing.T) {
	c := dial(t, start(t, devserver.Options{Dir: t.TempDir()}))
	system, err := c.WorkflowService().GetSystemInfo(t.Context(), &workflowservice.GetSystemInfoRequest{})
	require.NoError(t, err)
	require.True(t, system.Capabilities.EagerWorkflowStart)
	namespace, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
	require.True(t, namespace.NamespaceInfo.Capabilities.WorkerCommands)
}

func await(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		require.FailNow(t, "waited in vain")
	}
}
