package workflows

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/errand-dev/errand/watch"
)

// TestWhateverIsSeenTheAlertsFollowTheRules plays random ticks against what a
// person would say of them.
func TestWhateverIsSeenTheAlertsFollowTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := MonitorInput{Name: "m", UID: "u", Notify: []string{"http://a.example/", "http://b.example/"}, Watch: watch.Rule{Field: "price", Type: watch.Number}}
		state := MonitorState{}
		ids := map[string]bool{}
		var good json.RawMessage // the last one
		bad, failing := 0, false
		at := time.Unix(1_795_789_669, 0).UTC()
		for range rapid.IntRange(1, 40).Draw(t, "ticks") {
			at = at.Add(time.Minute)
			state.Undelivered = nil // all is heard
			run := tick{in: in, s: roundTrip(t, state), at: at, log: quiet{}}
			kind := rapid.SampledFrom([]string{"1", "1", "2", "bad", "failed", "cancelled"}).Draw(t, "tick")
			o := outcome{taskID: MonitorTaskID("m", at)}
			var j watch.Judgement
			switch kind {
			case "failed", "cancelled":
				o.verdict, o.failure = watch.Verdict(kind), "why"
				j = watch.Judgement{Verdict: o.verdict, Reason: o.failure, Memory: run.s.Memory}
			case "bad":
				j = watch.Judge(in.Watch, run.s.Memory, json.RawMessage(`{"price": "ask us"}`))
			default:
				j = watch.Judge(in.Watch, run.s.Memory, json.RawMessage(`{"price": `+kind+`}`))
			}
			run.conclude(o, j)

			var want []AlertKind
			switch kind {
			case "cancelled":
			case "failed", "bad":
				if bad++; bad == FailuresBeforeAlert {
					want, failing = append(want, AlertFailing), true
				}
			default:
				if failing {
					want = append(want, AlertRecovered)
				}
				if good != nil && string(good) != kind {
					want = append(want, AlertChange)
				}
				good, bad, failing = json.RawMessage(kind), 0, false
			}
			last := run.s.Ticks[len(run.s.Ticks)-1]
			require.Equal(t, want, last.Alerted)
			require.Equal(t, string(good), string(run.s.Memory.Value), "the last good value stands")
			require.Equal(t, failing, run.s.Failing)
			require.Len(t, run.s.Undelivered, len(want)*len(in.Notify), "each target, each alert")
			for i, d := range run.s.Undelivered {
				require.Equal(t, in.Notify[i%2], d.Target)
				require.Equal(t, want[i/2], d.Alert.Kind)
				require.Equal(t, i%2 == 1, ids[d.Alert.ID], "one id for all targets, and for no other alert")
				ids[d.Alert.ID] = true
			}
			state = run.s
		}
	})
}

// roundTrip is a state as the schedule hands it on.
func roundTrip(t *rapid.T, s MonitorState) MonitorState {
	text, err := json.Marshal(s)
	require.NoError(t, err)
	var back MonitorState
	require.NoError(t, json.Unmarshal(text, &back))
	return back
}
