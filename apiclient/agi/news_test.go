package agi

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// history makes a session's events out of bytes: most have ids, which increase
// with gaps.
func history(script []byte) (events []Event) {
	kinds := []EventType{EventThought, EventQuestion, EventLog, EventUser, EventDone, EventError, EventStep, "novel"}
	loose := []EventType{EventPaused, EventResumed, EventStep, EventError}
	var id int64
	for i, b := range script {
		if b&1 == 0 {
			id += 1 + int64(b>>4)
			events = append(events, Event{Type: kinds[b>>1&7], MessageID: id, Data: []byte{b}})
			continue
		}
		e := Event{Type: loose[b>>1&3], Data: []byte{b >> 7}}
		if e.Type == EventError {
			e.Data = fmt.Append(nil, i) // equal ones in one place are one
		}
		events = append(events, e)
	}
	return events
}

// A session's history grows, and each connection tells it from the beginning,
// up to where it breaks. However that goes, each event behind the cursor is new
// once, and in its order.
func FuzzNewsAreToldOnce(f *testing.F) {
	f.Add([]byte{0, 2, 4, 8}, []byte{2, 3, 4}, int64(0))
	f.Add([]byte{0, 1, 3, 1, 0x82, 5, 5, 5, 8}, []byte{2, 4, 5, 7, 8}, int64(0))
	f.Add([]byte{0, 8, 7, 0, 7, 7}, []byte{1, 3, 6}, int64(2))
	f.Add([]byte{1, 1, 1, 7, 7}, []byte{1, 2, 5}, int64(0))
	f.Fuzz(func(t *testing.T, script, breaks []byte, after int64) {
		if len(script) > 200 || len(breaks) > 50 || after < 0 {
			return
		}
		all := history(script)
		var want []Event
		var place int64
		for _, e := range all {
			place = max(place, e.MessageID)
			if place > after || (e.MessageID == 0 && place == after) {
				want = append(want, e)
			}
		}

		n := newNews(after)
		var told []Event
		connection := func(end int, twice bool) {
			n.connect(0)
			for _, e := range all[:end] {
				if n.admit(e) {
					told = append(told, e)
				}
				if twice && e.MessageID != 0 {
					require.False(t, n.admit(e))
				}
			}
		}
		for _, b := range breaks {
			connection(int(b>>1)%(len(all)+1), b&1 == 1)
		}
		connection(len(all), false)
		require.Equal(t, want, told)

		var over bool
		for _, e := range want {
			switch e.Type {
			case EventDone, EventError:
				over = true
			case EventLog, EventPaused, EventResumed:
			default:
				over = false
			}
		}
		require.Equal(t, over, n.over)
		n.connect(0)
		for _, e := range all {
			require.False(t, n.admit(e), "a last replay is no news")
		}
	})
}
