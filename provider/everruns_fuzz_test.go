package provider

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/everruns"
)

func FuzzEverrunsWatermark(f *testing.F) {
	f.Add("event_1 seq=7 turn=turn_1 input=message_1 tasks asked=task%3Aa%2Fb")
	f.Add("- seq=7")
	f.Add("event_1 later=1")
	f.Fuzz(func(t *testing.T, text string) {
		mark, err := parseEverrunsMark(Watermark(text))
		if err != nil {
			require.True(t, IsKind(err, ErrorInvalid))
			require.Zero(t, mark)
			return
		}
		again, err := parseEverrunsMark(mark.watermark())
		require.NoError(t, err)
		require.Equal(t, mark, again)
	})
}

func FuzzEverrunsReply(f *testing.F) {
	f.Add("tool:call_1,call%2C2")
	f.Add("task:task_1/r-1")
	f.Add("tool:a/b")
	f.Fuzz(func(t *testing.T, text string) {
		reply, err := parseEverrunsReply(text)
		if err != nil {
			require.True(t, IsKind(err, ErrorInvalid))
			return
		}
		if text == "" {
			return
		}
		again, err := parseEverrunsReply(reply.String())
		require.NoError(t, err)
		require.Equal(t, reply, again)
	})
}

// Whatever events a vendor gives, a turn ends by an event of its end, and what
// is read on in two parts ends as it does in one.
func FuzzEverrunsOutcome(f *testing.F) {
	for _, events := range [][]everruns.Event{
		{ours(1, "message_1", "k", "go"), began(2, "turn_1", "message_1"), output(3, "turn_1", "42"), completed(4, "turn_1")},
		{ours(1, "message_1", "k", "go"), began(2, "turn_1", "message_1"), requested(3, "turn_1", call("c", `{"question":"?"}`))},
		{theirs(1, "message_0", "hi"), began(2, "turn_0", "message_0"), completed(3, "turn_0")},
	} {
		raw, err := json.Marshal(events)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw), 2)
	}
	f.Fuzz(func(t *testing.T, raw string, cut int) {
		var events []everruns.Event
		if json.Unmarshal([]byte(raw), &events) != nil {
			return
		}
		events = everrunsMark{}.behind(events)
		whole := followEverruns(everrunsMark{}, events)
		_ = whole.entries()
		if o := whole.outcome; o != nil {
			require.True(t, strings.HasPrefix(eventTypeOf(events, o.ID), "turn."))
			require.Contains(t, []OutcomeKind{OutcomeFinished, OutcomeFailed}, o.Kind)
		} else if len(whole.pending) > 0 {
			whole.ask()
			require.NotEmpty(t, whole.outcome.ReplyTo)
			reply, err := parseEverrunsReply(whole.outcome.ReplyTo)
			require.NoError(t, err)
			require.Len(t, reply.calls, len(whole.pending))
			whole.outcome = nil
		}
		if cut < 0 || cut > len(events) {
			return
		}
		first := followEverruns(everrunsMark{}, events[:cut])
		mark, err := parseEverrunsMark(first.mark.watermark())
		require.NoError(t, err)
		second := followEverruns(mark, events[cut:])
		if first.outcome == nil && whole.outcome != nil {
			require.NotNil(t, second.outcome)
			require.Equal(t, whole.outcome.Kind, second.outcome.Kind)
		}
	})
}

func eventTypeOf(events []everruns.Event, id string) string {
	for _, e := range events {
		if e.ID == id && strings.HasPrefix(string(e.Type), "turn.") {
			return string(e.Type)
		}
	}
	return ""
}
