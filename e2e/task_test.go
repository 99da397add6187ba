package e2e

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheMainJobReportsWhatThePageSays(t *testing.T) {
	h := newHome(t)

	out := h.must("run", "--url", "http://shop.localhost/teapot", "Report the product's name and price", "-o", "json")

	got := parse[task](t, out)
	require.Equal(t, "completed", got.Status)
	require.JSONEq(t, `{"name":"Blue Teapot","price":24.50,"currency":"EUR"}`, string(got.Result))
	require.Equal(t, "agent-task-"+got.ID, got.WorkflowID)
	require.Equal(t, "local", got.Connection)
	require.Equal(t, "agi", got.Provider)
	require.True(t, got.Session.Deleted)
	require.Equal(t, 1, got.SessionsCreated)
	require.NotZero(t, got.History.Events)
	require.NotZero(t, got.History.Bytes)
	require.Equal(t, "[]\n", h.must("sessions", "list", "-o", "json"), "no session is left")
}

func TestAPersonAnswersFromAnotherTerminal(t *testing.T) {
	h := newHome(t)
	run := h.start("run", "--id", "tee", "--agent", "script", `think looking; ask Which size?; finish {"size":"{{answer}}"}`, "-o", "json")
	run.says("Which size?")

	waiting := h.show("tee")
	require.Equal(t, "waiting", waiting.Status)
	require.Equal(t, "Which size?", waiting.Question.Text)
	_, status := h.run("answer", "tee", "--question", "q-9", "XL")
	require.Equal(t, 1, status, "an answer to another question is refused")
	h.must("answer", "tee", "M")

	require.Equal(t, 0, run.wait())
	got := parse[task](t, run.out.String())
	require.JSONEq(t, `{"size":"M"}`, string(got.Result))
	require.Equal(t, "M", got.Answers[0].Text)
	require.LessOrEqual(t, got.History.Events, int64(32), "a task with one question")
	_, status = h.run("answer", "tee", "L")
	require.Equal(t, 1, status, "it is too late")
}

func TestATaskSurvivesTheDeathOfEverything(t *testing.T) {
	h := newHome(t)
	run := h.start("run", "--id", "tough", "--agent", "script", `think one; wait 3s; think two; ask Sure?; finish "{{answer}}"`)
	run.says("one")
	run.kill()

	again := h.start("run", "--id", "tough", "-o", "json")
	again.says("Sure?")
	again.kill()

	h.start("dev", "--port", "0", "--ui-port", "0").says("Web UI")
	h.must("answer", "tough", "yes")
	got := parse[task](t, h.must("run", "--id", "tough", "-o", "json"))

	require.Equal(t, "completed", got.Status)
	require.JSONEq(t, `"yes"`, string(got.Result))
	require.Equal(t, 1, got.SessionsCreated)
	require.Len(t, got.Answers, 1)
	require.Equal(t, "[]\n", h.must("sessions", "list", "-o", "json"), "no session is left")
	require.Equal(t, []string{"user", "thought", "thought", "question", "user", "done"}, h.transcript("tough"))
}

func TestARunThatIsToldToGoLeavesItsTaskAtWork(t *testing.T) {
	h := newHome(t)
	run := h.start("run", "--id", "left", "--agent", "script", `think one; wait 2s; finish 1`)
	run.says("one")
	run.signal(syscall.SIGTERM)
	run.wait()
	run.says("errand run --id left")

	require.Equal(t, "completed", parse[task](t, h.must("run", "--id", "left", "-o", "json")).Status)
}

func TestTheSecondErrandTakesOverWhenTheFirstEnds(t *testing.T) {
	h := newHome(t)
	first := h.start("run", "--id", "first", "--agent", "script", `think one; wait 2s; finish 1`)
	first.says("one")
	second := h.start("run", "--id", "second", "--agent", "script", `think two; wait 8s; finish 2`, "-o", "json")
	second.says("two")

	require.Equal(t, 0, first.wait())
	require.Equal(t, 0, second.wait(), "%s", second.errs)
	got := parse[task](t, second.out.String())
	require.Equal(t, "completed", got.Status)
	require.Equal(t, 1, got.SessionsCreated)
}

func TestExitStatusFollowsTheOutcome(t *testing.T) {
	h := newHome(t)
	for name, c := range map[string]struct {
		args   []string
		status int
	}{
		"completed":      {[]string{"run", "--agent", "script", "finish 1"}, 0},
		"failed":         {[]string{"run", "--agent", "script", "fail no such thing"}, 1},
		"timed out":      {[]string{"run", "--agent", "script", "--timeout", "2s", "wait 1h"}, 4},
		"nobody answers": {[]string{"run", "--agent", "script", "--question-timeout", "1s", "ask Who?"}, 4},
		"wrong usage":    {[]string{"run", "--no-such-flag", "finish 1"}, 2},
		"no connection":  {[]string{"run", "--connection", "nowhere", "finish 1"}, 2},
		"empty prompt":   {[]string{"run", ""}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			_, status := h.run(c.args...)
			require.Equal(t, c.status, status)
		})
	}
	require.Equal(t, "[]\n", h.must("sessions", "list", "-o", "json"), "no session is left")
}

func TestACancelledTaskEndsAndLeavesNoSession(t *testing.T) {
	h := newHome(t)
	run := h.start("run", "--id", "doomed", "--agent", "script", `think one; wait 1h; finish 1`, "-o", "json")
	run.says("one")

	h.must("cancel", "doomed")

	require.Equal(t, 3, run.wait())
	require.Equal(t, "cancelled", h.show("doomed").Status)
	require.Equal(t, "[]\n", h.must("sessions", "list", "-o", "json"))
}

func TestAPausedTaskStandsStillUntilItIsResumed(t *testing.T) {
	h := newHome(t)
	run := h.start("run", "--id", "slow", "--agent", "script", `think one; wait 3s; finish 1`, "-o", "json")
	run.says("one")

	h.must("pause", "slow")
	require.Equal(t, "paused", h.show("slow").Status)
	require.Contains(t, h.must("list", "--status", "paused"), "slow")
	h.must("resume", "slow")

	require.Equal(t, 0, run.wait())
	require.Equal(t, "completed", h.show("slow").Status)
}

func TestADetachedTaskGoesOnWithTheNextErrand(t *testing.T) {
	h := newHome(t)
	require.Equal(t, "later\n", h.must("run", "--id", "later", "--detach", "--agent", "script", "wait 1s; finish 1"))
	require.Equal(t, "completed", parse[task](t, h.must("run", "--id", "later", "-o", "json")).Status)
}

func TestASnapshotIsRestoredByALaterTask(t *testing.T) {
	h := newHome(t)
	first := parse[task](t, h.must("run", "--snapshot", "filesystem", "--agent", "script", "finish 1", "-o", "json"))
	require.Equal(t, "filesystem", first.Snapshot.Mode)
	require.LessOrEqual(t, first.History.Events, int64(38))

	second := parse[task](t, h.must("run", "--restore-session", first.Session.ID, "--agent", "script", "finish 2", "-o", "json"))
	require.Equal(t, "completed", second.Status)
}
