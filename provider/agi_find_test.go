package provider

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindKnowsWhetherAMessageHasArrived(t *testing.T) {
	const after = "5"
	for name, test := range map[string]struct {
		answer string
		want   Arrival
	}{
		"our own words": {
			answer: listOf("running", messageOf(6, "USER", `"blue, please"`)), want: Arrived,
		},
		"our own words as an object": {
			answer: listOf("running", messageOf(6, "USER", `{"text":"blue, please"}`)), want: Arrived,
		},
		"our own words, and the agent is done with them": {
			answer: listOf("finished", messageOf(6, "USER", `"blue, please"`), messageOf(7, "DONE", `"ok"`)), want: Arrived,
		},
		"our own words beside those of another": {
			answer: listOf("running", messageOf(6, "USER", `"red"`), messageOf(7, "USER", `"blue, please"`)), want: Arrived,
		},
		"nothing": {
			answer: listOf("waiting_for_input"), want: Missing,
		},
		"the same words before the watermark": {
			answer: listOf("running", messageOf(4, "USER", `"blue, please"`)), want: Doubtful,
		},
		"words of another": {
			answer: listOf("waiting_for_input", messageOf(6, "USER", `"red"`)), want: Missing,
		},
		"words of another, on which the agent works": {
			answer: listOf("running", messageOf(6, "USER", `"red"`), messageOf(7, "THOUGHT", `"red it is"`)), want: Missing,
		},
		"an agent at work where the vendor keeps no words of users": {
			answer: listOf("running", messageOf(6, "THOUGHT", `"blue it is"`)), want: Arrived,
		},
		"an agent at work that has said nothing yet": {
			answer: listOf("running"), want: Doubtful,
		},
		"a log line that came late": {
			answer: listOf("running", messageOf(6, "LOG", `"saved"`)), want: Doubtful,
		},
		"a thought that came late, in a session at rest": {
			answer: listOf("waiting_for_input", messageOf(6, "THOUGHT", `"hm"`)), want: Doubtful,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := answering(t, http.StatusOK, test.answer).Find(t.Context(), sessionID, Message{Text: "blue, please"}, after)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestFindAsksForWhatSanitisingMightHide(t *testing.T) {
	var asked string
	p := vendor(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RequestURI()
		fmt.Fprint(w, listOf("running"))
	})
	_, err := p.Find(t.Context(), sessionID, Message{Text: "go"}, "5")
	require.NoError(t, err)
	require.Equal(t, "/v1/sessions/"+sessionID+"/messages?after_id=5&sanitize=false", asked)
}
