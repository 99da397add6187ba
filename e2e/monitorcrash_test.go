package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/errand-dev/errand/worker"
	"github.com/errand-dev/errand/workflows"
)

// devProcess starts `errand dev` and returns its process and Temporal's address.
func (h *home) devProcess() (*process, string) {
	h.t.Helper()
	p := h.start("dev", "--port", "0", "--ui-port", "0", "-o", "json")
	p.says(`"pid"`)
	return p, parse[struct{ Temporal string }](h.t, p.out.String()).Temporal
}

// newTeapot makes a monitor of a price of 24.50 that ticks when it is told to.
func newTeapot(h *home, p *page, flags ...string) {
	h.t.Helper()
	p.serve(http.StatusOK, product("24.50", "InStock"))
	h.must(append([]string{"monitor", "create", "teapot", "--every", "24h", "--watch", "price", "--url", p.URL, "Report the product's name and price"}, flags...)...)
}

// holds makes the visits of a page wait, until what it returns is called.
func (p *page) holds() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hold := make(chan struct{})
	p.hold = hold
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.hold = nil
		close(hold)
	}
}

func (p *page) visited() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.visits
}

func (e *ears) requests() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.posts
}

// ends waits until the monitor has ended so many ticks.
func (h *home) ends(ticks int) []mtick {
	h.t.Helper()
	var got []mtick
	require.Eventually(h.t, func() bool { got = h.ticks("teapot"); return len(got) >= ticks }, patience, 500*time.Millisecond)
	return got
}

func TestATickWhoseProcessIsKilledWhileTheAgentWorksTellsOnce(t *testing.T) {
	long(t)
	t.Parallel()
	h := newHome(t)
	dev, _ := h.devProcess()
	p, e := newPage(t), newEars(t)
	newTeapot(h, p, "--notify", e.URL)
	p.serve(http.StatusOK, product("19.50", "InStock"))
	release := p.holds()
	before := p.visited()
	trigger := h.start("monitor", "trigger", "teapot")
	require.Eventually(t, func() bool { return p.visited() > before }, patience, 20*time.Millisecond)

	dev.kill()
	trigger.kill()
	release()
	h.devProcess()

	ticks := h.ends(2)
	require.Equal(t, "changed", ticks[1].Verdict)
	require.Len(t, e.alerts(), 1)
	require.Equal(t, 1, e.requests(), "one alert, one request")
	require.Equal(t, "same", h.trigger("teapot").Verdict)
	require.Equal(t, 1, e.requests())
}

func TestATickWhoseProcessIsKilledWhileItTellsTellsUnderOneID(t *testing.T) {
	long(t)
	t.Parallel()
	h := newHome(t)
	dev, _ := h.devProcess()
	p, e := newPage(t), newEars(t)
	newTeapot(h, p, "--notify", e.URL)
	p.serve(http.StatusOK, product("19.50", "InStock"))
	heard := make(chan struct{})
	killed := make(chan struct{})
	e.before = func(n int) {
		if n == 1 {
			close(heard)
			<-killed
		}
	}
	trigger := h.start("monitor", "trigger", "teapot")
	select {
	case <-heard:
	case <-time.After(patience):
		require.FailNow(t, "nothing was told")
	}
	dev.kill() // after the request, before its answer: nobody can know whether it was heard
	trigger.kill()
	close(killed)
	h.devProcess()

	require.Equal(t, []string{"change"}, h.ends(2)[1].Alerted)
	ids := map[string]bool{}
	for _, a := range e.alerts() {
		ids[a.delivery] = true
	}
	require.Len(t, ids, 1, "told twice, under one id")
	require.LessOrEqual(t, e.requests(), 2)
	require.Equal(t, "same", h.trigger("teapot").Verdict)
	require.LessOrEqual(t, e.requests(), 2)
}

func TestTheStateOfAMonitorSurvivesATickThatIsEndedFromOutside(t *testing.T) {
	long(t)
	t.Parallel()
	h := newHome(t)
	_, address := h.devProcess()
	c := dial(t, address)
	p, e := newPage(t), newEars(t)
	newTeapot(h, p, "--notify", e.URL)
	for name, end := range map[string]func(workflowID string) error{
		"terminated": func(id string) error { return c.TerminateWorkflow(longer(t), id, "", "enough") },
		"cancelled":  func(id string) error { return c.CancelWorkflow(longer(t), id, "") },
	} {
		t.Run(name, func(t *testing.T) {
			count := len(h.ticks("teapot"))
			p.serve(http.StatusOK, product("99", "InStock"))
			release := p.holds()
			before := p.visited()
			trigger := h.start("monitor", "trigger", "teapot")
			require.Eventually(t, func() bool { return p.visited() > before }, patience, 20*time.Millisecond)
			under := h.start("monitor", "trigger", "teapot")
			require.Equal(t, 1, under.wait())
			require.Contains(t, under.errs.String(), "a tick is under way; nothing was triggered")
			shown := parse[struct {
				Skipped     struct{ Overlap int }
				RunningTask string `json:"running_task"`
			}](t, h.must("monitor", "show", "teapot", "-o", "json"))
			require.Positive(t, shown.Skipped.Overlap, "what was skipped is told")
			require.NotEmpty(t, shown.RunningTask)

			require.NoError(t, end("monitor-teapot-"+tickOf(shown.RunningTask)))
			status := trigger.wait()
			release()
			require.Eventually(t, func() bool { return h.show(shown.RunningTask).Status == "cancelled" }, patience, 200*time.Millisecond,
				"its task does not go on without it")
			if name == "cancelled" {
				require.Equal(t, 0, status)
				count++
				require.Equal(t, "cancelled", h.ticks("teapot")[count-1].Verdict)
			} else {
				require.Equal(t, 1, status)
			}
			p.serve(http.StatusOK, product("24.50", "InStock"))
			require.Equal(t, "same", h.trigger("teapot").Verdict, "beside the last good value, of the tick before")
			require.Len(t, h.ticks("teapot"), count+1)
		})
	}
	require.Empty(t, e.alerts())
}

// tickOf is the time of a tick as its workflow id has it, out of its task's id.
func tickOf(taskID string) string {
	at, err := time.Parse("20060102-150405", taskID[strings.Index(taskID, "-")+1:])
	if err != nil {
		return err.Error()
	}
	return at.Format(time.RFC3339)
}

func TestAMonitorIsPausedWithANoteAndTicksByHandNevertheless(t *testing.T) {
	long(t)
	t.Parallel()
	h := newHome(t)
	h.dev()
	newTeapot(h, newPage(t))
	h.must("monitor", "pause", "teapot", "--note", "shop closed until Monday")
	shown := h.must("monitor", "show", "teapot")
	require.Regexp(t, `status: +paused`, shown)
	require.Contains(t, shown, "shop closed until Monday")
	require.Equal(t, "same", h.trigger("teapot").Verdict)
	h.must("monitor", "resume", "teapot")
	require.Regexp(t, `status: +active`, h.must("monitor", "show", "teapot"))
	require.Len(t, h.ticks("teapot"), 2)
}

func TestACreationThatIsInterruptedLeavesNothing(t *testing.T) {
	long(t)
	t.Parallel()
	h := newHome(t)
	h.dev()
	p := newPage(t)
	release := p.holds()
	defer release()
	create := h.start("monitor", "create", "teapot", "--every", "1h", "--watch", "price", "--url", p.URL, "Report the price")
	require.Eventually(t, func() bool { return p.visited() > 0 }, patience, 20*time.Millisecond)
	create.signal(syscall.SIGTERM)
	require.Equal(t, 130, create.wait())
	require.JSONEq(t, "[]", h.must("monitor", "list", "-o", "json"))
	var tasks []task
	require.Eventually(t, func() bool {
		tasks = parse[[]task](t, h.must("list", "-o", "json"))
		return len(tasks) == 1 && tasks[0].Status == "cancelled"
	}, patience, 200*time.Millisecond, "its tick is cancelled")
}

func TestAFreshHistoryOfATickReplaysAndIsShort(t *testing.T) {
	long(t)
	t.Parallel()
	h := newHome(t)
	_, address := h.devProcess()
	p, e := newPage(t), newEars(t)
	newTeapot(h, p, "--notify", e.URL)
	p.serve(http.StatusOK, product("19.50", "InStock"))
	tick := h.trigger("teapot")
	require.Equal(t, []string{"change"}, tick.Alerted)
	c, err := client.Dial(client.Options{HostPort: address})
	require.NoError(t, err)
	defer c.Close()

	history := &historypb.History{}
	it := c.GetWorkflowHistory(longer(t), workflows.MonitorWorkflowID("teapot")+"-"+tickOf(tick.TaskID), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		event, err := it.Next()
		require.NoError(t, err)
		history.Events = append(history.Events, event)
	}
	replayer := sdkworker.NewWorkflowReplayer()
	worker.RegisterWorkflows(replayer)
	require.NoError(t, replayer.ReplayWorkflowHistory(nil, history))
	require.LessOrEqual(t, len(history.Events), 25, "with an alert")
	t.Logf("a tick with an alert has %d events", len(history.Events))
}
