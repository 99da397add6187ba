package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/errand-dev/errand/apiclient/agi"
	"github.com/errand-dev/errand/workflows"
)

// shop is a vendor that outlives whatever happens to its users: a session
// server of its own, and homes that are connected to it.
type shop struct {
	t       *testing.T
	baseURL string
	api     *agi.Client
	extra   string // of [connections.shop]
}

func newShop(t *testing.T) *shop {
	t.Helper()
	vendor := newHome(t)
	p := vendor.start("sessions", "serve", "--listen", "127.0.0.1:0")
	p.says("serving sessions at")
	s := &shop{t: t, baseURL: regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(p.errs.String())}
	var err error
	s.api, err = agi.New(agi.Config{BaseURL: s.baseURL})
	require.NoError(t, err)
	return s
}

// home is a machine whose tasks go to the shop.
func (s *shop) home() *home {
	s.t.Helper()
	h := newHome(s.t)
	config := fmt.Sprintf("[connections.shop]\nprovider = \"agi\"\nbase_url = %q\nagent = \"script\"\n%s\n", s.baseURL, s.extra)
	require.NoError(s.t, os.WriteFile(filepath.Join(h.dir, "errand.toml"), []byte(config), 0o600))
	return h
}

// sessions are the ids of those that are there.
func (s *shop) sessions() []string {
	s.t.Helper()
	list, err := s.api.ListSessions(longer(s.t))
	require.NoError(s.t, err)
	ids := []string{}
	for _, session := range list.Sessions {
		ids = append(ids, session.SessionID)
	}
	return ids
}

// asking starts a task that has a question, and returns its session.
func asking(h *home, id string) string {
	h.t.Helper()
	h.must("run", "--id", id, "--detach", `ask Go on?; finish 1`)
	var got task
	require.Eventually(h.t, func() bool {
		got = h.show(id)
		return got.Question != nil
	}, patience, 100*time.Millisecond)
	return got.Session.ID
}

// reap is what `errand sessions reap` tells.
type reap struct {
	Listed, Owned, Young, Foreign, Deleted, Orphans int
	LostCreates                                     int `json:"lost_creates"`
	Sessions                                        []struct{ ID, Verdict, Reason string }
}

func (h *home) reap(flags ...string) reap {
	h.t.Helper()
	return parse[reap](h.t, h.must(append([]string{"sessions", "reap", "--grace", "1ms", "-o", "json"}, flags...)...))
}

func dial(t *testing.T, address string) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: address})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestTheReaperDeletesWhatAWorkflowThatWasEndedFromOutsideLeaves(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	h := s.home()
	c := dial(t, h.dev())
	const id = "agent-task-ended"
	for name, end := range map[string]func(context.Context) error{
		"terminated": func(ctx context.Context) error { return c.TerminateWorkflow(ctx, id, "", "enough") },
		"removed": func(ctx context.Context) error {
			_, err := c.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
				Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			open := asking(h, "open")
			session := asking(h, "ended")
			require.ElementsMatch(t, []string{open, session}, s.sessions())
			require.NoError(t, end(longer(t)))

			require.Eventually(t, func() bool { return h.reap("--dry-run").Orphans == 1 }, patience, 100*time.Millisecond)
			require.ElementsMatch(t, []string{open, session}, s.sessions(), "a dry run deletes nothing")
			done := h.reap()

			require.Equal(t, 1, done.Deleted)
			require.Equal(t, 1, done.Owned)
			require.Equal(t, []string{open}, s.sessions())
			require.Equal(t, session, done.Sessions[0].ID)
			require.Contains(t, done.Sessions[0].Reason, "not open any more")

			// The name is free again for the next case.
			h.must("answer", "open", "yes")
			h.must("run", "--id", "open")
			for _, id := range []string{"agent-task-open", id} {
				require.Eventually(t, func() bool {
					_, _ = c.WorkflowService().DeleteWorkflowExecution(longer(t), &workflowservice.DeleteWorkflowExecutionRequest{
						Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
					})
					_, err := c.DescribeWorkflowExecution(longer(t), id, "")
					return err != nil
				}, patience, 100*time.Millisecond)
			}
			require.Empty(t, s.sessions())
		})
	}
}

func TestTheReaperDeletesWhatAWorkflowThatTimedOutLeaves(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	h := s.home()
	c := dial(t, h.dev())
	in := workflows.AgentTaskInput{TaskID: "short", Connection: "shop", Agent: "script", Prompt: "wait 1h"}
	_, err := c.ExecuteWorkflow(longer(t), client.StartWorkflowOptions{
		ID: workflows.AgentTaskWorkflowID("short"), TaskQueue: workflows.TaskQueue, WorkflowRunTimeout: 2 * time.Second,
	}, workflows.AgentTaskType, in)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return h.show("short").Status == "timed_out" }, patience, 200*time.Millisecond)
	require.Len(t, s.sessions(), 1)

	require.Equal(t, 1, h.reap().Deleted)
	require.Empty(t, s.sessions())
}

func TestAResetTakesUpTheSessionAndDoublesNothing(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	h := s.home()
	c := dial(t, h.dev())
	session := asking(h, "again")
	id := workflows.AgentTaskWorkflowID("again")
	_, err := c.ResetWorkflowExecution(longer(t), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
		Reason: "to see what happens", RequestId: uuid.NewString(), WorkflowTaskFinishEventId: 4, // the first one: nothing has happened
		ResetReapplyExcludeTypes: []enumspb.ResetReapplyExcludeType{enumspb.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL, enumspb.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE},
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, status := h.run("answer", "again", "yes")
		return status == 0
	}, patience, 200*time.Millisecond)
	got := parse[task](t, h.must("run", "--id", "again", "-o", "json"))

	require.Equal(t, "completed", got.Status)
	require.Equal(t, session, got.Session.ID, "the session of the run before")
	require.Equal(t, []string{"user", "question", "user", "done"}, h.transcript("again"))
	require.Empty(t, s.sessions())
	require.Zero(t, h.reap().Orphans)
}

func TestTheReaperLeavesTheSessionsOfOtherPrograms(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	foreign, err := s.api.CreateSession(longer(t), agi.CreateSessionRequest{AgentName: "script"})
	require.NoError(t, err)
	h := s.home()
	h.dev()
	got := h.reap()
	require.Equal(t, 1, got.Foreign)
	require.Zero(t, got.Deleted)
	require.Equal(t, []string{foreign.SessionID}, s.sessions())
}

func TestAfterALostDataDirectoryOnlyAnExclusiveConnectionIsReaped(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	session := asking(s.home(), "lost") // in a home that nobody comes back to

	fresh := s.home()
	fresh.dev()
	got := fresh.reap()
	require.Equal(t, 1, got.Foreign, "nobody knows whose it is")
	require.Equal(t, []string{session}, s.sessions())

	s.extra = "exclusive = true"
	sole := s.home()
	sole.dev()
	mine := asking(sole, "mine")
	got = sole.reap()
	require.Equal(t, 1, got.Deleted)
	require.Equal(t, 1, got.Owned)
	require.Equal(t, []string{mine}, s.sessions())
}

func TestALedgerThatOutlivesItsTemporalServerIsNotBelievedElsewhere(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	first := s.home()
	session := asking(first, "there")
	second := s.home()
	require.NoError(t, os.CopyFS(filepath.Join(second.data, "ledger"), os.DirFS(filepath.Join(first.data, "ledger"))))
	second.dev()
	got := second.reap()
	require.Zero(t, got.Deleted)
	require.Equal(t, "doubt", got.Sessions[0].Verdict)
	require.Equal(t, []string{session}, s.sessions())
}

func TestTheTasksOfADeletedNamespaceOwnNothing(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	h := s.home()
	address := h.dev()
	c := dial(t, address)
	ctx := longer(t)
	_, err := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: "doomed", WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	in := []string{"--address", address, "--namespace", "doomed"}
	require.Eventually(t, func() bool {
		_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: "doomed", SearchAttributes: workflows.SearchAttributes(),
		})
		return err == nil
	}, patience, 200*time.Millisecond)
	worker := h.start(append([]string{"worker"}, in...)...)
	worker.says("ready")
	require.Eventually(t, func() bool { // search attributes take a moment
		_, status := h.run(append([]string{"run", "--id", "doomed", "--detach", "ask Go on?; finish 1"}, in...)...)
		return status == 0
	}, patience, 500*time.Millisecond)
	require.Eventually(t, func() bool { return len(s.sessions()) == 1 }, patience, 100*time.Millisecond)
	require.Zero(t, h.reap().Deleted, "a task of another namespace may be open")
	worker.kill()

	_, err = c.OperatorService().DeleteNamespace(ctx, &operatorservice.DeleteNamespaceRequest{Namespace: "doomed"})
	require.NoError(t, err)

	var got reap
	require.Eventually(t, func() bool { got = h.reap(); return got.Deleted == 1 }, patience, time.Second)
	require.Contains(t, got.Sessions[0].Reason, "namespace of its task was deleted")
	require.Empty(t, s.sessions())
}

func TestALostReplyToACreateIsMadeGoodByTheReaper(t *testing.T) {
	t.Parallel()
	vendor := newHome(t)
	plan := filepath.Join(vendor.dir, "faults.toml")
	require.NoError(t, os.WriteFile(plan, []byte("[[rules]]\non = [\"create\"]\nfault = \"lost-after\"\ntimes = 1\n"), 0o600))
	p := vendor.start("sessions", "serve", "--listen", "127.0.0.1:0", "--faults", plan)
	p.says("serving sessions at")
	s := &shop{t: t, baseURL: regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(p.errs.String())}
	var err error
	s.api, err = agi.New(agi.Config{BaseURL: s.baseURL})
	require.NoError(t, err)
	h := s.home()
	h.dev()

	session := asking(h, "twice")

	require.Equal(t, 2, h.show("twice").SessionsCreated)
	require.Len(t, s.sessions(), 2)
	got := h.reap()
	require.Equal(t, 1, got.Deleted)
	require.Contains(t, got.Sessions[0].Reason, "reply was lost")
	require.Equal(t, []string{session}, s.sessions())
	require.Zero(t, h.reap().LostCreates, "the account is settled")
	h.must("answer", "twice", "yes")
}

func TestTheReaperDeletesNothingWhenTemporalOrTheVendorDoesNotAnswer(t *testing.T) {
	t.Parallel()
	h := newShop(t).home()
	out, status := h.run("sessions", "reap", "--address", "127.0.0.1:1")
	require.Equal(t, 2, status)
	require.Empty(t, out)

	bad := newHome(t)
	front := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`[{"session_id":"s-1",`)) // half a list
	})}
	listener := listen(t)
	go func() { _ = front.Serve(listener) }()
	t.Cleanup(func() { _ = front.Close() })
	require.NoError(t, os.WriteFile(filepath.Join(bad.dir, "errand.toml"),
		fmt.Appendf(nil, "[connections.shop]\nprovider = \"agi\"\nbase_url = \"http://%s\"\nexclusive = true\n", listener.Addr()), 0o600))
	again := bad.start("sessions", "reap", "--grace", "1ms", "--dry-run")
	require.Never(t, func() bool { return strings.Contains(again.out.String(), "would be deleted") }, 5*time.Second, 100*time.Millisecond)
}

func TestEachConnectionHasAReaperOnASchedule(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	h := s.home()
	c := dial(t, h.dev())
	var found *client.ScheduleDescription
	require.Eventually(t, func() bool {
		var err error
		found, err = c.ScheduleClient().GetHandle(longer(t), workflows.ReaperID("shop")).Describe(longer(t))
		return err == nil
	}, patience, 100*time.Millisecond)
	require.Equal(t, workflows.DefaultReapInterval, found.Schedule.Spec.Intervals[0].Every)
	session := asking(h, "gone")
	require.NoError(t, c.TerminateWorkflow(longer(t), workflows.AgentTaskWorkflowID("gone"), "", "enough"))
	require.NoError(t, c.ScheduleClient().GetHandle(longer(t), workflows.ReaperID("shop")).Trigger(longer(t), client.ScheduleTriggerOptions{}))
	var actions []client.ScheduleActionResult
	require.Eventually(t, func() bool {
		found, err := c.ScheduleClient().GetHandle(longer(t), workflows.ReaperID("shop")).Describe(longer(t))
		require.NoError(t, err)
		actions = found.Info.RecentActions
		return len(actions) > 0
	}, patience, 200*time.Millisecond)
	run := actions[len(actions)-1].StartWorkflowResult
	var report reap
	require.NoError(t, c.GetWorkflow(longer(t), run.WorkflowID, run.FirstExecutionRunID).Get(longer(t), &report))
	require.Equal(t, 1, report.Young, "%s is within the grace period", session)
	h.must("sessions", "reap", "--grace", "1ms")
	require.Empty(t, s.sessions())
}
