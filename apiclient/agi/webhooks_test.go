package agi

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseWebhookKnowsEachEventInBothForms(t *testing.T) {
	const session = `,"timestamp":"2026-01-15T09:30:05Z","session":{"id":"s-1","status":"ready","agent_name":"agi-0",` +
		`"created_at":"2026-01-15T09:30:00Z","vnc_url":"https://vnc.local/s"}`
	at := time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
	whole := WebhookSession{
		ID: "s-1", Status: SessionReady, AgentName: "agi-0",
		CreatedAt: Timestamp{Time: at}, VNCURL: "https://vnc.local/s",
	}
	idAlone := WebhookSession{ID: "s-1"}

	for name, test := range map[string]struct {
		body    string
		session WebhookSession
		want    any
	}{
		"session.created": {`{"event":"session.created"` + session + `}`, whole, SessionCreated{}},
		"session.status_changed": {
			`{"event":"session.status_changed","old_status":"ready","new_status":"dreaming"` + session + `}`,
			whole, SessionStatusChanged{OldStatus: SessionReady, NewStatus: "dreaming"},
		},
		"session.deleted": {`{"event":"session.deleted"` + session + `}`, whole, SessionDeleted{}},
		"task.started":    {`{"event":"task.started","message":"Buy"` + session + `}`, whole, TaskStarted{Message: "Buy"}},
		"task.completed": {
			`{"event":"task.completed","result":{"status":"success","message":{"text":"Bought"}}` + session + `}`,
			whole, TaskCompleted{
				Status: "success", Message: "Bought",
				Result: json.RawMessage(`{"status":"success","message":{"text":"Bought"}}`),
			},
		},
		"task.question": {
			`{"event":"task.question","question":"Which size?","context":{}` + session + `}`,
			whole, TaskQuestion{Question: "Which size?", Context: json.RawMessage(`{}`)},
		},
		"task.error": {
			`{"event":"task.error","error":"Lost","details":{"a":1}` + session + `}`,
			whole, TaskError{Error: "Lost", Details: json.RawMessage(`{"a":1}`)},
		},
		"an unknown event":           {`{"event":"task.dreamt"` + session + `}`, whole, nil},
		"an unknown account's event": {`{"event":"account.closed"}`, WebhookSession{}, nil},
		"fields of another kind": {
			`{"event":"task.error","error":{"text":"Lost"},"old_status":7,"timestamp":7,"session":{"id":"s-1","status":7}}`,
			idAlone, TaskError{Error: "Lost"},
		},
		"the older done": {
			`{"event":"done","session_id":"s-1","data":{"message":"Bought","price":1}}`,
			idAlone, TaskCompleted{Message: "Bought", Result: json.RawMessage(`{"message":"Bought","price":1}`)},
		},
		"the older done with a text": {
			`{"event":"done","session_id":"s-1","data":"Bought"}`,
			idAlone, TaskCompleted{Message: "Bought", Result: json.RawMessage(`"Bought"`)},
		},
		"the older question": {
			`{"event":"question","session_id":"s-1","data":{"question":"Which size?"}}`,
			idAlone, TaskQuestion{Question: "Which size?", Context: json.RawMessage(`{"question":"Which size?"}`)},
		},
		"the older error": {
			`{"event":"error","session_id":"s-1","data":{"error":"Lost"}}`,
			idAlone, TaskError{Error: "Lost", Details: json.RawMessage(`{"error":"Lost"}`)},
		},
		"the older thought": {`{"event":"thought","session_id":"s-1","data":"hm"}`, idAlone, nil},
	} {
		t.Run(name, func(t *testing.T) {
			hook, err := ParseWebhook([]byte(test.body))
			require.NoError(t, err)
			require.Equal(t, test.want, hook.Payload)
			require.Equal(t, test.session, hook.Session)
			require.Equal(t, test.body, string(hook.Body))
			if test.session == whole {
				require.Equal(t, at.Add(5*time.Second), hook.Timestamp.Time)
			}
		})
	}
}

func TestParseWebhookRefusesWhatCannotBeConfirmed(t *testing.T) {
	for body, want := range map[string]string{
		``:                         "unexpected end of JSON input",
		`{"event":"task.started"`:  "unexpected end of JSON input",
		`[]`:                       "cannot unmarshal array",
		`null`:                     "event is missing",
		`{}`:                       "event is missing",
		`{"event":7}`:              "event is missing",
		`{"event":"task.started"}`: "task.started names no session",
		`{"event":"done"}`:         "done names no session",
	} {
		t.Run(body, func(t *testing.T) {
			_, err := ParseWebhook([]byte(body))
			require.ErrorContains(t, err, want)
		})
	}
}

func FuzzParseWebhook(f *testing.F) {
	for _, seed := range []string{
		`{"event":"task.completed","timestamp":"2026-01-15T09:30:05Z","session":{"id":"s-1"},"result":{"status":"success","message":"x"}}`,
		`{"event":"session.status_changed","session":{"id":"s-1"},"old_status":"ready","new_status":"running"}`,
		`{"event":"error","session_id":"s-1","data":{"error":["a",{"text":"b"}]}}`,
		`{"event":"account.closed"}`, `{"event":{"event":1}}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		hook, err := ParseWebhook(body)
		if err != nil {
			require.Equal(t, Webhook{}, hook)
			return
		}
		require.NotEmpty(t, hook.Event)
		require.Equal(t, body, []byte(hook.Body))
		if hook.Payload != nil {
			require.NotEmpty(t, hook.Session.ID)
		}
	})
}
