package provider

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindKnowsOurMessageByItsKey(t *testing.T) {
	ours := Message{Text: "blue, please", Key: "errand-t-2"}
	for name, test := range map[string]struct {
		timeline []happening
		m        Message
		want     Arrival
	}{
		"nothing there": {nil, ours, Missing},
		"our key":       {[]happening{{id: "b", kind: "user_message", at: 5, client: ours.Key, payload: agenWords("other words")}}, ours, Arrived},
		"our key on an answer": {
			[]happening{{id: "b", kind: "user_ask_user_response", at: 5, client: ours.Key}}, ours, Arrived,
		},
		"our key, still queued": {
			[]happening{{id: "b", kind: "user_message", status: "queued", at: 5, client: ours.Key}}, ours, Arrived,
		},
		"our key, canceled by someone": {
			[]happening{{id: "b", kind: "user_message", status: "canceled", at: 5, client: ours.Key}}, ours, Arrived,
		},
		"our key, by a clock that is behind": {
			[]happening{{id: "b", kind: "user_message", at: 0.5, client: ours.Key}}, ours, Arrived,
		},
		"our words under another key": {
			[]happening{{id: "b", kind: "user_message", at: 5, client: "errand-t-1", payload: agenWords(ours.Text)}}, ours, Missing,
		},
		"our words where the vendor shows no key": {
			[]happening{{id: "b", kind: "user_message", at: 5, payload: agenWords(" blue, please\n")}}, ours, Arrived,
		},
		"our words without a key, before the watermark": {
			[]happening{{id: "b", kind: "user_message", at: 0.5, payload: agenWords(ours.Text)}}, ours, Missing,
		},
		"other words": {
			[]happening{{id: "b", kind: "user_message", at: 5, payload: agenWords("red")}}, ours, Missing,
		},
		"our words from the agent": {
			[]happening{{id: "b", kind: "agent_message", at: 5, client: ours.Key, payload: agenWords(ours.Text)}}, ours, Missing,
		},
		"a message that has no key": {
			[]happening{{id: "b", kind: "user_message", at: 5, payload: agenWords(ours.Text)}}, Message{Text: ours.Text}, Arrived,
		},
		"a message that has no key, and a foreign one that has": {
			[]happening{{id: "b", kind: "user_message", at: 5, client: "x", payload: agenWords(ours.Text)}}, Message{Text: ours.Text}, Missing,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := agenAccount{timeline: []happening{{id: "a", kind: "session_finished", at: 1}}, status: "active/idle"}
			p := agenVendorOf(t, &a)
			before, err := p.Read(t.Context(), "ses_01", "")
			require.NoError(t, err)
			require.NotNil(t, before.Outcome)
			a.set(func(a *agenAccount) { a.timeline = append(a.timeline, test.timeline...) })
			got, err := p.Find(t.Context(), "ses_01", test.m, before.Cursor)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}
