package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/watch"
)

const hook = "http://hook.example/errand"

// watching is a monitor in the test environment, tick after tick.
type watching struct {
	t     *testing.T
	in    MonitorInput
	state *MonitorState // of the tick before; nil: there was none
	at    time.Time     // of the next tick
	every time.Duration

	notify func(activities.NotifyInput) error // nil: it is heard
	during func(*testsuite.TestWorkflowEnvironment)

	tasks []AgentTaskInput // of all ticks
	heard []Alert          // what was told, each try once

	hearing sync.Mutex    // targets are told at the same time
	took    time.Duration // the latest tick
}

func newWatching(t *testing.T) *watching {
	t.Helper()
	return &watching{
		t: t, at: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC), every: time.Hour,
		in: MonitorInput{
			Name: "teapot", UID: "u-1", Gap: time.Hour, Notify: []string{hook},
			Task:  AgentTaskInput{Prompt: "Report the price", Connection: "agi", StartURL: "http://shop.example/teapot"},
			Watch: watch.Rule{Field: "price", When: watch.Changed},
		},
	}
}

// tick runs one tick whose errand does that.
func (w *watching) tick(errand func(AgentTaskInput) (AgentTaskResult, error)) Tick {
	w.t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(patience)
	env.SetStartTime(w.at)
	require.NoError(w.t, env.SetTypedSearchAttributesOnStart(temporal.NewSearchAttributes(attributeScheduledAt.ValueSet(w.at))))
	env.RegisterWorkflow(Monitor)
	env.RegisterWorkflow(AgentTask)
	env.RegisterActivity(acts)
	if w.state != nil {
		env.SetLastCompletionResult(*w.state)
	}
	if w.during != nil {
		w.during(env)
	}
	env.OnWorkflow(AgentTask, mock.Anything, mock.Anything).Return(func(ctx workflow.Context, in AgentTaskInput) (AgentTaskResult, error) {
		w.tasks = append(w.tasks, in)
		result, err := errand(in)
		if err == nil && result.Status == "" { // it never ends by itself
			return result, workflow.Await(ctx, func() bool { return false })
		}
		return result, err
	})
	env.OnActivity(acts.Notify, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.NotifyInput) (activities.NotifyOutput, error) {
		var a Alert
		require.NoError(w.t, json.Unmarshal(in.Body, &a))
		require.Equal(w.t, a.ID, in.ID)
		w.hearing.Lock()
		w.heard = append(w.heard, a)
		w.hearing.Unlock()
		if w.notify != nil {
			return activities.NotifyOutput{}, w.notify(in)
		}
		return activities.NotifyOutput{Status: 200}, nil
	})
	began := env.Now()
	env.ExecuteWorkflow(Monitor, w.in)
	w.took = env.Now().Sub(began)
	w.at = w.at.Add(w.every)
	require.True(w.t, env.IsWorkflowCompleted())
	require.NoError(w.t, env.GetWorkflowError(), "a tick always completes")
	var state MonitorState
	require.NoError(w.t, env.GetWorkflowResult(&state))
	w.state = &state
	return state.Ticks[len(state.Ticks)-1]
}

// costs is an errand that reports a price.
func costs(price string) func(AgentTaskInput) (AgentTaskResult, error) {
	return func(AgentTaskInput) (AgentTaskResult, error) {
		return AgentTaskResult{Status: StatusCompleted, Result: json.RawMessage(`{"price": "` + price + `"}`), Session: &Session{ID: "s"}}, nil
	}
}

// ends is an errand that fails with a session, or without one.
func ends(errType string, session *Session) func(AgentTaskInput) (AgentTaskResult, error) {
	return func(AgentTaskInput) (AgentTaskResult, error) {
		return AgentTaskResult{}, temporal.NewApplicationErrorWithOptions("it broke", errType, temporal.ApplicationErrorOptions{
			NonRetryable: true, Details: []any{AgentTaskResult{Status: StatusFailed, Session: session}},
		})
	}
}

func kinds(alerts []Alert) []string {
	all := []string{}
	for _, a := range alerts {
		all = append(all, fmt.Sprintf("%s %s→%s", a.Kind, a.Old, a.New))
	}
	return all
}

func TestAMonitorTellsOfEachChangeOnce(t *testing.T) {
	w := newWatching(t)
	require.Equal(t, watch.First, w.tick(costs("24,50 €")).Verdict)
	require.Equal(t, watch.Same, w.tick(costs("€24.50")).Verdict)
	require.Empty(t, w.heard)
	changed := w.tick(costs("19,50 €"))
	require.Equal(t, Tick{
		At: time.Date(2026, 11, 27, 11, 0, 0, 0, time.UTC), Verdict: watch.Differs,
		Value: json.RawMessage("19.5"), Alerted: []AlertKind{AlertChange},
	}, changed)
	require.Equal(t, watch.Same, w.tick(costs("19.50 EUR")).Verdict)

	require.Len(t, w.heard, 1)
	require.Equal(t, Alert{
		ID: w.heard[0].ID, Monitor: "teapot", Kind: AlertChange, Field: "price", When: watch.Changed,
		Old: json.RawMessage("24.5"), New: json.RawMessage("19.5"), At: changed.At,
		TaskID: "teapot-20261127-110000", URL: "http://shop.example/teapot",
	}, w.heard[0])
	require.Equal(t, 4, w.state.Count)
	require.Equal(t, "teapot-20261127-110000", w.tasks[2].TaskID)
	require.Equal(t, map[string]string{"monitor": "teapot"}, w.tasks[2].Labels)
	require.Equal(t, DefaultTickTimeout, w.tasks[2].Timeout)
}

func TestAFailureIsAVerdictAndThreeInARowAreTold(t *testing.T) {
	w := newWatching(t)
	w.tick(costs("5 €"))
	broken := ends(ErrTypeAgentError, &Session{ID: "s"})
	require.Equal(t, VerdictFailed, w.tick(broken).Verdict)
	require.Equal(t, watch.Bad, w.tick(costs("ask us")).Verdict)
	require.Equal(t, watch.Same, w.tick(costs("5 €")).Verdict, "two in a row are none")
	w.tick(broken)
	w.tick(costs("ask us"))
	require.Empty(t, w.heard)
	require.Equal(t, []AlertKind{AlertFailing}, w.tick(broken).Alerted)
	require.Empty(t, w.tick(broken).Alerted, "once")
	require.JSONEq(t, "5", string(w.state.Memory.Value), "the last good value stands")
	require.Equal(t, 4, w.state.Failures)

	require.Equal(t, []AlertKind{AlertRecovered, AlertChange}, w.tick(costs("6 €")).Alerted)
	require.Equal(t, []string{"failing 5→null", "recovered 5→6", "change 5→6"}, kinds(w.heard))
	require.Equal(t, "AgentError: it broke", w.heard[0].Reason)
	require.Zero(t, w.state.Failures)
	require.False(t, w.state.Failing)
	require.Empty(t, w.tick(costs("6 €")).Alerted)
}

func TestATickThatSomebodyCancelsCountsNeitherWay(t *testing.T) {
	w := newWatching(t)
	w.tick(costs("5 €"))
	forever := func(AgentTaskInput) (AgentTaskResult, error) { return AgentTaskResult{}, nil }
	w.during = func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	}
	for range FailuresBeforeAlert + 1 {
		require.Equal(t, VerdictCancelled, w.tick(forever).Verdict)
	}
	w.during = nil
	require.Zero(t, w.state.Failures)
	require.Equal(t, watch.Same, w.tick(costs("5 €")).Verdict)
	require.Empty(t, w.heard)
}

func TestATaskThatHasTheNameOfATickIsLeftAlone(t *testing.T) {
	w := newWatching(t)
	w.during = func(env *testsuite.TestWorkflowEnvironment) {
		env.OnWorkflow(AgentTask, mock.Anything, mock.MatchedBy(func(in AgentTaskInput) bool { return in.TaskID == "teapot-20261127-090000" })).
			Return(AgentTaskResult{}, &temporal.ChildWorkflowExecutionAlreadyStartedError{})
	}
	tick := w.tick(costs("5 €"))
	require.Equal(t, watch.First, tick.Verdict, tick.Reason)
	require.Regexp(t, "^teapot-20261127-090000-.{8}$", tick.TaskID)
}

func TestATickWaitsNoLongerThanItsErrandMayTake(t *testing.T) {
	w := newWatching(t)
	w.in.Task.Timeout = 10 * time.Minute
	tick := w.tick(func(AgentTaskInput) (AgentTaskResult, error) { return AgentTaskResult{}, nil })
	require.Equal(t, VerdictFailed, tick.Verdict)
	require.Contains(t, tick.Reason, "had not ended 5m0s after its time")
	require.Equal(t, 15*time.Minute, w.took)
}

func TestATickBeginsWithTheSnapshotOfTheLastGoodOne(t *testing.T) {
	kept := func(session, price string) func(AgentTaskInput) (AgentTaskResult, error) {
		return func(in AgentTaskInput) (AgentTaskResult, error) {
			r, err := costs(price)(in)
			r.Snapshot = &SavedSnapshot{Mode: provider.SnapshotFilesystem, SessionID: session}
			return r, err
		}
	}
	w := newWatching(t)
	w.in.Task.Snapshot.Mode = provider.SnapshotFilesystem
	w.tick(kept("s-1", "5 €"))
	require.Empty(t, w.tasks[0].RestoreSession)
	w.tick(kept("s-2", "no price"))
	require.Equal(t, "s-1", w.tasks[1].RestoreSession)
	w.tick(kept("s-3", "5 €"))
	require.Equal(t, "s-1", w.tasks[2].RestoreSession, "that of a bad tick is not gone on with")

	tick := w.tick(func(in AgentTaskInput) (AgentTaskResult, error) {
		if in.RestoreSession == "s-3" {
			return ends(activities.ErrTypeSessionGone, nil)(in)
		}
		return kept("s-4", "5 €")(in)
	})
	require.Equal(t, watch.Same, tick.Verdict)
	require.Equal(t, "started cold: SessionGone: it broke", tick.Note)
	require.Equal(t, "teapot-20261127-120000-cold", tick.TaskID)
	require.Empty(t, w.tasks[4].RestoreSession)
	require.Equal(t, "s-4", w.state.Snapshot)

	failed := w.tick(ends(activities.ErrTypeSessionGone, &Session{ID: "s-5"}))
	require.Equal(t, VerdictFailed, failed.Verdict, "it was restored, and failed later")
	require.Len(t, w.tasks, 6)

	in := func(environment string, errand func(AgentTaskInput) (AgentTaskResult, error)) func(AgentTaskInput) (AgentTaskResult, error) {
		return func(in AgentTaskInput) (AgentTaskResult, error) {
			r, err := errand(in)
			r.Session = &Session{ID: "s", EnvironmentID: environment}
			return r, err
		}
	}
	require.Empty(t, w.tick(in("e-1", kept("s-4", "5 €"))).Note, "it is not known which it was before")
	require.Empty(t, w.tick(in("e-1", kept("s-4", "5 €"))).Note)
	require.Equal(t, "started cold: the vendor has no snapshot of session s-4 any more", w.tick(in("e-2", kept("s-4", "5 €"))).Note)
	for range mostStuck {
		require.Empty(t, w.tick(ends(ErrTypeTaskTimeout, nil)).Note)
	}
	stuck := w.tick(kept("s-6", "5 €"))
	require.Equal(t, "started cold: 2 ticks in a row got no session with the snapshot of s-4", stuck.Note)
	w.tick(kept("s-7", "5 €"))
	require.Equal(t, "s-6", w.tasks[len(w.tasks)-1].RestoreSession)
}

func TestAnAlertThatIsNotHeardWaitsForTheNextTick(t *testing.T) {
	w := newWatching(t)
	w.tick(costs("5 €"))
	w.notify = func(activities.NotifyInput) error {
		return temporal.NewApplicationErrorWithOptions("hook.example answered 503", activities.ErrTypeUnavailable,
			temporal.ApplicationErrorOptions{NextRetryDelay: 20 * time.Minute})
	}
	w.tick(costs("6 €"))
	require.Equal(t, 40*time.Minute, w.took, "the tick is over before the next is due")
	require.Len(t, w.heard, 3)
	require.Len(t, w.state.Undelivered, 1)
	require.Equal(t, "hook.example answered 503", w.state.Undelivered[0].Error)
	w.tick(costs("7 €"))
	require.Len(t, w.state.Undelivered, 2)

	w.notify, w.heard = nil, nil
	w.tick(costs("7 €"))
	require.Equal(t, []string{"change 5→6", "change 6→7"}, kinds(w.heard), "in their order")
	require.Empty(t, w.state.Undelivered)
	require.Empty(t, w.state.Lost)
	require.Less(t, w.took, time.Minute)
}

func TestAnAlertIsTriedUnderTheSameID(t *testing.T) {
	w := newWatching(t)
	w.tick(costs("5 €"))
	before := *w.state
	w.tick(costs("6 €"))
	w.state = &before // the tick was terminated, and its state is lost
	w.tick(costs("6 €"))
	require.Len(t, w.heard, 2)
	require.Equal(t, w.heard[0].ID, w.heard[1].ID, "by which who hears it knows")
	w.tick(costs("5 €"))
	w.tick(costs("6 €"))
	require.NotEqual(t, w.heard[1].ID, w.heard[3].ID, "the same change later is news")
	require.Regexp(t, "^alert_[0-9a-f]{24}$", w.heard[0].ID)
}

func TestAnAlertIsGivenUpInTheEnd(t *testing.T) {
	refused := temporal.NewNonRetryableApplicationError("hook.example answered 410", activities.ErrTypeInvalidRequest, nil)
	w := newWatching(t)
	w.in.Notify = []string{hook, "http://other.example/"}
	w.tick(costs("5 €"))
	w.notify = func(in activities.NotifyInput) error {
		if in.Target == hook {
			return refused
		}
		return nil
	}
	w.tick(costs("6 €"))
	require.Len(t, w.heard, 2, "what one refuses, the other hears")
	require.Empty(t, w.state.Undelivered)
	require.Len(t, w.state.Lost, 1)
	require.Equal(t, hook, w.state.Lost[0].Target)
	require.Equal(t, "hook.example answered 410", w.state.Lost[0].Error)

	w.notify = func(activities.NotifyInput) error {
		return temporal.NewApplicationError("away", activities.ErrTypeUnavailable)
	}
	w.tick(costs("7 €"))
	require.Len(t, w.state.Undelivered, 2)
	w.at = w.at.Add(notifyPatience)
	w.tick(costs("7 €"))
	require.Empty(t, w.state.Undelivered, "a day is long enough")
	require.Len(t, w.state.Lost, 3)
}

func TestWhatAMonitorRemembersIsBounded(t *testing.T) {
	var long Series
	for i := range mostTicks + 10 {
		long = append(long, Tick{At: time.Unix(int64(i), 0).UTC(), Verdict: watch.Same, Value: json.RawMessage("24.5")})
	}
	require.Equal(t, long[10:], long.bounded())
	for i := range long {
		long[i].Reason, long[i].Value = fmt.Sprintf("%0200d", i), brief(json.RawMessage(`"`+fmt.Sprintf("%0500d", i)+`"`))
	}
	short := long.bounded()
	text, err := json.Marshal(short)
	require.NoError(t, err)
	require.Less(t, len(text), mostTickBytes)
	require.Greater(t, len(text), mostTickBytes*3/4)
	require.Equal(t, long[len(long)-1], short[len(short)-1], "the oldest are dropped")

	w := newWatching(t)
	w.in.Watch.Type = watch.Text
	w.notify = func(activities.NotifyInput) error {
		return temporal.NewApplicationError("away", activities.ErrTypeUnavailable)
	}
	for i := range 12 {
		w.tick(costs(fmt.Sprintf("%07000d", i)))
	}
	text, err = json.Marshal(w.state)
	require.NoError(t, err)
	require.Less(t, len(text), 128<<10)
	require.Less(t, len(w.state.Undelivered), 11)
	require.NotEmpty(t, w.state.Lost)
}

func TestARecordOfTicksThatAreAlikeIsShort(t *testing.T) {
	begin := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return begin.Add(time.Duration(minutes) * time.Minute) }
	price := json.RawMessage("24.5")
	record := Series{
		{At: at(0), Verdict: watch.First, Value: price},
		{At: at(1), Verdict: watch.Same, Value: price},
		{At: at(2), Verdict: watch.Same, Value: price},
		{At: at(5), Verdict: watch.Same, Value: price},
		{At: at(6), Verdict: VerdictFailed, Reason: "it broke"},
		{At: at(7), Verdict: VerdictFailed, Reason: "it broke"},
		{At: at(8), Verdict: VerdictFailed, Reason: "it broke", Alerted: []AlertKind{AlertFailing}},
		{At: at(9), Verdict: VerdictFailed, Reason: "it broke"},
		{At: at(10), Verdict: watch.Differs, Value: json.RawMessage(`"a & b"`), Note: "cold"},
		{At: at(11), Verdict: watch.Same, Value: json.RawMessage(`"a \u0026 b"`)},
	}
	text, err := json.Marshal(record)
	require.NoError(t, err)
	require.JSONEq(t, `[{"at":"2026-11-27T09:00:00Z","value":24.5,"verdict":"first"},[60,2],[180,1],`+
		`{"at":"2026-11-27T09:06:00Z","verdict":"failed","reason":"it broke"},[60,1],`+
		`{"at":"2026-11-27T09:08:00Z","verdict":"failed","reason":"it broke","alerted":["failing"]},[60,1],`+
		`{"at":"2026-11-27T09:10:00Z","value":"a \u0026 b","verdict":"changed","note":"cold"},`+
		`{"at":"2026-11-27T09:11:00Z","value":"a \u0026 b","verdict":"same"}]`, string(text))
	var back Series
	require.NoError(t, json.Unmarshal(text, &back))
	require.JSONEq(t, whole(t, record), whole(t, back))

	for _, wrong := range []string{`{}`, `[[60,1]]`, `[{"at":"2026-11-27T09:00:00Z"},[60,1000000000]]`, `[{"at":"2026-11-27T09:00:00Z"},[60,-1]]`, `[1]`, `[["a"]]`} {
		require.Error(t, json.Unmarshal([]byte(wrong), &back), wrong)
	}
}

// whole is a record of ticks with each tick whole.
func whole(t *testing.T, ticks []Tick) string {
	t.Helper()
	text, err := json.Marshal(ticks)
	require.NoError(t, err)
	return string(text)
}

func TestAnyRecordOfTicksIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(1_700_000_000, 0).UTC()
		var record Series
		for range rapid.IntRange(0, 30).Draw(t, "ticks") {
			at = at.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "seconds")) * time.Second)
			tick := Tick{
				At: at, Verdict: rapid.SampledFrom([]watch.Verdict{watch.First, watch.Same, watch.Differs, watch.Bad, VerdictFailed}).Draw(t, "verdict"),
				Value:  rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage("1"), json.RawMessage(`"x"`), json.RawMessage("null")}).Draw(t, "value"),
				Reason: rapid.SampledFrom([]string{"", "why"}).Draw(t, "reason"),
				TaskID: rapid.SampledFrom([]string{"", "", "t-1"}).Draw(t, "task"),
			}
			if rapid.Bool().Draw(t, "alerted") {
				tick.Alerted = []AlertKind{AlertChange}
			}
			record = append(record, tick)
		}
		text, err := json.Marshal(record)
		require.NoError(t, err)
		var back Series
		require.NoError(t, json.Unmarshal(text, &back), "%s", text)
		require.Len(t, back, len(record))
		for i := range record {
			require.Equal(t, record[i], back[i], "%d of %s", i, text)
		}
	})
}

func TestAStateThatCannotBeReadIsNotOverwritten(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	env.SetLastCompletionResult("no state")
	env.RegisterWorkflow(Monitor)
	env.ExecuteWorkflow(Monitor, newWatching(t).in)
	require.ErrorContains(t, env.GetWorkflowError(), "the state of the tick before cannot be read")
}

func TestAMonitorThatMakesNoSenseIsTold(t *testing.T) {
	for want, spoil := range map[string]func(*MonitorInput){
		`"a b" is no name for a monitor`:                func(in *MonitorInput) { in.Name = "a b" },
		"the label monitor is the monitor's own":        func(in *MonitorInput) { in.Task.Labels = map[string]string{"monitor": "x"} },
		"the prompt is empty":                           func(in *MonitorInput) { in.Task.Prompt = " " },
		"is no path into a result":                      func(in *MonitorInput) { in.Watch.Field = "" },
		"is no condition":                               func(in *MonitorInput) { in.Watch.When = "rises" },
		"there are 11 targets to notify; at most 10":    func(in *MonitorInput) { in.Notify = make([]string, 11) },
		"must not hold a user or a password":            func(in *MonitorInput) { in.Notify = []string{"https://me:secret@hook.example/"} },
		"is an absolute http or https URL":              func(in *MonitorInput) { in.Notify = []string{"ftp://hook.example/"} },
		"a name in [monitors.targets]":                  func(in *MonitorInput) { in.Notify = []string{"//hook.example/"} },
		"a URL to notify has 2021 bytes; at most 2000 ": func(in *MonitorInput) { in.Notify = []string{"https://hook.example/" + fmt.Sprintf("%02000d", 1)} },
	} {
		in := newWatching(t).in
		require.NoError(t, in.Validate())
		spoil(&in)
		require.ErrorContains(t, in.Validate(), want)
	}
}
