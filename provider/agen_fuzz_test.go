package provider

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/agen"
)

func FuzzAgenWatermark(f *testing.F) {
	f.Add(`{"turn":{"at":1775124000000000,"ids":["evt_01"]},"told":{"at":1775124000000001,"ids":["evt_02"]}}`)
	f.Add("17")
	f.Fuzz(func(t *testing.T, text string) {
		marks, err := readAgenMarks(Watermark(text))
		if err != nil {
			require.True(t, IsKind(err, ErrorInvalid))
			require.Zero(t, marks)
			return
		}
		again, err := readAgenMarks(marks.watermark())
		require.NoError(t, err)
		require.Equal(t, marks.watermark(), again.watermark())
	})
}

// Whatever timeline a vendor gives, in whatever order, there is an outcome,
// something that may yet become one, or neither; and what was told once, or
// ended a turn once, does not do so again.
func FuzzAgenTimeline(f *testing.F) {
	f.Add(`[{"id":"u","type":"user_message","status":"completed","created_at":"2026-04-02T10:00:01Z"},`+
		`{"id":"m","type":"agent_message","payload":{"message":"42"},"status":"completed","created_at":"2026-04-02T10:00:02Z"},`+
		`{"id":"f","type":"session_finished","status":"completed","created_at":"2026-04-02T10:00:02Z"}]`, uint8(2))
	f.Add(`[{"id":"q","type":"agent_ask_user","payload":{"question":["?"]}},{"id":"q","type":"agent_ask_user","updated_at":"2026-04-02T10:00:02Z"}]`, uint8(0))
	f.Add(`[{"id":"x","type":"agent_alert_created","created_at":"9999-12-31T23:59:59-01:00"},{"id":"c","type":"session_closed","created_at":"0001-01-01T00:00:00Z"}]`, uint8(1))
	f.Fuzz(func(t *testing.T, answer string, early uint8) {
		var events []agen.SessionEvent
		if json.Unmarshal([]byte(answer), &events) != nil || len(events) > 200 {
			return
		}
		sorted := agenSorted(events)
		require.LessOrEqual(t, len(sorted), len(events))

		first := sorted[:min(int(early), len(sorted))]
		entries, cursor := agenNews(first, agenMarks{}, nil)
		marks, err := readAgenMarks(cursor)
		require.NoError(t, err)

		outcome, maybe := agenOutcome(agenTurn(sorted, marks.Turn))
		require.False(t, outcome != nil && maybe != nil)
		for _, o := range []*Outcome{outcome, maybe} {
			requireAgenOutcome(t, o, sorted)
		}
		if outcome == nil {
			outcome = maybe
		}
		more, cursor := agenNews(sorted, marks, outcome)
		ids := map[string]bool{}
		for _, e := range slices.Concat(entries, more) {
			require.False(t, ids[e.ID], "%q is told twice", e.ID)
			ids[e.ID] = true
		}
		marks, err = readAgenMarks(cursor)
		require.NoError(t, err)
		if outcome == nil {
			return
		}
		require.Len(t, ids, len(sorted), "all is told at the end")
		over, perhaps := agenOutcome(agenTurn(sorted, marks.Turn))
		require.Nil(t, over)
		require.Nil(t, perhaps)
		nothing, same := agenNews(sorted, marks, nil)
		require.Empty(t, nothing)
		require.Equal(t, cursor, same)
	})
}

func requireAgenOutcome(t *testing.T, o *Outcome, events []agen.SessionEvent) {
	t.Helper()
	switch {
	case o == nil:
		return
	case o.Kind == OutcomeFinished:
		require.True(t, json.Valid(o.Result))
	default:
		require.Contains(t, []OutcomeKind{OutcomeQuestion, OutcomeFailed}, o.Kind)
		require.Empty(t, o.Result)
		require.NotEmpty(t, o.Text)
	}
	require.True(t, slices.ContainsFunc(events, func(e agen.SessionEvent) bool { return e.ID == o.ID }))
}
