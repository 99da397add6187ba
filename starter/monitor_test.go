package starter

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/watch"
	"github.com/errand-dev/errand/workflows"
)

func TestMonitorsOfOneIntervalTickEachAtItsOwnTime(t *testing.T) {
	at := time.Unix(1_795_789_669, 0)
	every := MonitorSchedule{Every: Duration(time.Hour)}
	spec := every.spec(at)
	require.Equal(t, time.Hour, spec.Intervals[0].Every)
	require.Zero(t, (time.Duration(at.Unix())*time.Second-spec.Intervals[0].Offset)%time.Hour, "the first tick by itself comes an interval after now")
	require.NotEqual(t, spec.Intervals[0].Offset, every.spec(at.Add(time.Second)).Intervals[0].Offset)

	cron := MonitorSchedule{Cron: "0 9 * * *", TimeZone: "Europe/Berlin"}.spec(at)
	require.Equal(t, []string{"0 9 * * *"}, cron.CronExpressions)
	require.Equal(t, "Europe/Berlin", cron.TimeZoneName)
}

func TestATickIsMadeUpForWithinTheCatchUpWindow(t *testing.T) {
	for want, s := range map[time.Duration]MonitorSchedule{
		10 * time.Second: {Every: Duration(time.Second)}, // the least that Temporal knows
		3 * time.Hour:    {Every: Duration(3 * time.Hour)},
		time.Hour:        {Cron: "0 9 * * *"},
		time.Minute:      {Cron: "0 9 * * *", CatchUp: Duration(time.Minute)},
	} {
		require.Equal(t, want, s.catchUp())
	}
}

func TestTheShortestTimeBetweenTwoTicksIsFound(t *testing.T) {
	at := time.Unix(1_795_789_669, 0)
	require.Zero(t, shortest(nil))
	require.Zero(t, shortest([]time.Time{at}))
	require.Equal(t, time.Hour, shortest([]time.Time{at, at.Add(24 * time.Hour), at.Add(25 * time.Hour), at.Add(48 * time.Hour)}))
}

func TestAScheduleIsWrittenAsPeopleWriteIt(t *testing.T) {
	text, err := json.Marshal(MonitorSchedule{Every: Duration(90 * time.Minute), CatchUp: Duration(time.Hour)})
	require.NoError(t, err)
	require.JSONEq(t, `{"every": "1h30m0s", "catch_up": "1h0m0s"}`, string(text))
	var back MonitorSchedule
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, 90*time.Minute, time.Duration(back.Every))
}

func TestAMonitorShowsWhatItsStateSays(t *testing.T) {
	at := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	m := Monitor{Name: "teapot", Status: MonitorActive, Undelivered: []workflows.Delivery{}, Lost: []workflows.Delivery{}}
	m.fill(workflows.MonitorState{
		Memory: watch.Memory{Type: watch.Number, Value: json.RawMessage("5")}, GoodAt: &at, Failing: true, Failures: 3, Count: 9,
		Ticks: workflows.Series{
			{At: at, Verdict: watch.Differs, Value: json.RawMessage("5"), Alerted: []workflows.AlertKind{workflows.AlertChange}},
			{At: at.Add(time.Hour), Verdict: workflows.VerdictFailed, Reason: "it broke", TaskID: "other"},
		},
	})
	require.Equal(t, MonitorFailing, m.Status)
	require.Equal(t, watch.Number, m.Watch.Type)
	text, err := json.Marshal(m.History)
	require.NoError(t, err)
	require.JSONEq(t, `[
		{"at": "2026-11-27T09:00:00Z", "value": 5, "verdict": "changed", "reason": "", "task_id": "teapot-20261127-090000", "alerted": ["change"]},
		{"at": "2026-11-27T10:00:00Z", "value": null, "verdict": "failed", "reason": "it broke", "task_id": "other", "alerted": []}
	]`, string(text))
	require.Equal(t, "it broke", m.LastTick.Reason)

	paused := Monitor{Status: MonitorPaused}
	paused.fill(workflows.MonitorState{Failing: true})
	require.Equal(t, MonitorPaused, paused.Status, "which says why nothing happens")
}
