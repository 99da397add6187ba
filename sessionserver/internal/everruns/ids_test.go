package everruns

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

func TestIdsAreWhatTheyAre(t *testing.T) {
	now := time.Now()
	for _, id := range []string{
		eventID.numbered(now.UnixMilli(), 1, "s"), eventID.at(now, "s", 1), eventID.named("s"),
	} {
		require.True(t, eventID.is(id, false), id)
		require.False(t, turnID.is(id, false), id)
		require.False(t, eventID.is(id[:len(id)-1], false), "31 digits")
		require.True(t, eventID.is(id[:len(id)-1], true), "31 digits are short")
	}
	for _, id := range []string{"", "event", "event_", "event_0123456789ABCDEF0123456789abcdef", "event_0123456789abcdef0123456789abcdeg", "event_0123456789abcdef0123456789abcdef0"} {
		require.False(t, eventID.is(id, true), id)
	}
	require.NotEqual(t, eventID.named("a", 1), eventID.named("a", 2))
	require.Regexp(t, "^event_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$", eventID.numbered(now.UnixMilli(), 4_000_000_000, "s"), "a UUID of version 7")
	require.Regexp(t, "^event_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$", eventID.at(now, "s"))
}

func TestIdsOfEventsAreInTheirOrder(t *testing.T) {
	const milli = 1_780_000_000_000
	var ids []string
	for _, n := range []int{1, 2, 255, 256, 1 << 19, 1 << 20, 1<<20 + 1, 1 << 25} {
		ids = append(ids, eventID.numbered(milli, n, "s"))
	}
	ids = append(ids, eventID.numbered(milli+1, 1<<25+1, "s"))
	require.True(t, slices.IsSorted(ids), ids)
	require.Len(t, slices.Compact(slices.Clone(ids)), len(ids))
}

func TestEventsStayInOrderWhenTheClockGoesBack(t *testing.T) {
	said := func(at time.Time, id int, kind agent.MessageType) sessions.Event {
		return sessions.Event{At: at, Message: agent.Message{ID: id, Type: kind, Content: []byte(`"x"`)}}
	}
	now := time.Now()
	tl := &timeline{id: "s", asks: ByTool}
	tl.add(said(now, 1, agent.User))
	tl.add(said(now.Add(-time.Hour), 2, agent.Thought))
	tl.add(said(now.Add(-2*time.Hour), 3, agent.Done))
	require.True(t, slices.IsSortedFunc(tl.events, func(a, b event) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	}))
}
