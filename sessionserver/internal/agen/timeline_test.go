package agen

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

func TestATitleIsTheBeginningOfTheFirstMessage(t *testing.T) {
	for _, row := range []struct{ prompt, want string }{
		{"", ""},
		{"  Add a  retry \n to all ", "Add a retry"},
		{strings.Repeat("ä", 60), strings.Repeat("ä", 60)},
		{strings.Repeat("ä", 61), strings.Repeat("ä", 59) + "…"},
	} {
		require.Equal(t, row.want, titleOf(row.prompt))
	}
}

// logged is a log of a session: each letter is an entry.
func logged(letters string) (log []sessions.Event) {
	said := map[rune]agent.MessageType{'u': agent.User, 'q': agent.User, 't': agent.Thought, 'l': agent.Log, '?': agent.Question, 'd': agent.Done, 'e': agent.Error}
	marks := map[rune]sessions.Mark{'s': sessions.Step, 'k': sessions.Taken, 'c': sessions.Cancelled, 'p': sessions.Paused}
	at := time.Date(2026, 4, 2, 10, 0, 0, 0, time.UTC)
	for i, letter := range letters {
		e := sessions.Event{At: at.Add(time.Duration(i) * time.Second)}
		if mark, ok := marks[letter]; ok {
			e.Mark = mark
		} else if kind, ok := said[letter]; ok {
			e.Message = agent.Message{ID: i + 1, Type: kind, Content: json.RawMessage(`"text"`)}
		} else {
			continue
		}
		if letter == 'q' {
			e.Queue = sessions.AfterTask
		}
		log = append(log, e)
	}
	return log
}

func timelineOfLog(log []sessions.Event) *timeline {
	o, _ := Options{}.Filled()
	t := &timeline{Options: o, id: "ses_1", byMessage: map[int]*event{}}
	for _, e := range log {
		t.add(e)
	}
	return t
}

func TestEventsFollowFromTheLog(t *testing.T) {
	for letters, want := range map[string]string{
		"":        "",
		"u":       "user_message processing",
		"us":      "user_message processing, agent_web_browse processing",
		"uss":     "user_message processing, agent_web_browse completed, agent_web_browse processing",
		"usc":     "user_message canceled, agent_web_browse canceled",
		"ud":      "user_message completed, agent_message completed, session_finished completed",
		"u?":      "user_message completed, agent_ask_user processing",
		"u?u":     "user_message completed, agent_ask_user completed, user_ask_user_response processing",
		"u?c":     "user_message completed, agent_ask_user canceled",
		"u?e":     "user_message completed, agent_ask_user canceled, system_message completed, agent_alert_created completed",
		"uqd":     "user_message completed, user_message queued, agent_message completed, session_finished completed",
		"uqdk":    "user_message completed, user_message processing, agent_message completed, session_finished completed",
		"uqqckck": "user_message canceled, user_message canceled, user_message processing",
		"k":       "",
		"up":      "user_message processing",
	} {
		var got []string
		for _, e := range timelineOfLog(logged(letters)).events {
			got = append(got, e.Type+" "+e.Status)
		}
		require.Equal(t, want, strings.Join(got, ", "), letters)
	}
}

// Whatever is in a log, the events of its beginning are those of the whole with
// other statuses, so that a client that reads on finds what it knows.
func FuzzTimeline(f *testing.F) {
	f.Add("uts?uld", uint8(3))
	f.Add("uqqdkckec", uint8(5))
	f.Fuzz(func(t *testing.T, letters string, early uint8) {
		log := logged(letters)
		before, after := timelineOfLog(log[:min(int(early), len(log))]), timelineOfLog(log)
		require.LessOrEqual(t, len(before.events), len(after.events))
		for i, e := range before.events {
			now := after.events[i]
			require.Equal(t, []any{e.ID, e.Type, e.Payload, e.CreatedAt}, []any{now.ID, now.Type, now.Payload, now.CreatedAt})
			require.LessOrEqual(t, e.UpdatedAt, now.UpdatedAt)
			if over := []string{completed, canceled}; slices.Contains(over, e.Status) {
				require.Equal(t, e.Status, now.Status, "what is over stays so")
			}
		}
		ids := map[string]bool{}
		for _, e := range after.events {
			require.False(t, ids[e.ID])
			ids[e.ID] = true
		}
	})
}

func FuzzTitle(f *testing.F) {
	f.Add("Add a retry\nto all calls")
	f.Fuzz(func(t *testing.T, prompt string) {
		title := titleOf(prompt)
		require.LessOrEqual(t, utf8.RuneCountInString(title), maxTitle)
		require.NotContains(t, title, "\n")
	})
}
