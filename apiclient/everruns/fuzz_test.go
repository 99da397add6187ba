package everruns

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

func FuzzEvent(f *testing.F) {
	f.Add("turn.started", "event_1", []byte(`{"id":"event_1","type":"turn.started","data":{"turn_id":"turn_1"},"context":{},"sequence":1}`))
	f.Add("connected", "", []byte(`{"status":"connected"}`))
	f.Add("odd", "event_2", []byte(`not JSON`))
	f.Fuzz(func(t *testing.T, eventType, id string, data []byte) {
		event := parseEvent(rest.Event{Type: eventType, ID: id, Data: data})
		require.True(t, event.Type != "" || eventType == "")
		if event.ID != id {
			require.True(t, json.Valid(data))
		}
		_, _ = DataOf[TurnData](event)
		_, _ = DataOf[ToolCallsData](event)
		if message, err := DataOf[MessageData](event); err == nil {
			_ = message.Message.Content.Text()
		}
	})
}

// The answers of the API, each read as all that it might be.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"data":[{"id":"session_1","status":"idle","created_at":"?","tags":null}],"total":1}`))
	f.Add([]byte(`{"id":"task_1","state":"awaiting_input","input_request":{"id":"r","prompt":"?"}}`))
	f.Add([]byte(`{"data":[{"role":"user","content":"bare","metadata":7}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var session sessionReply
		if json.Unmarshal(raw, &session) == nil {
			require.NotEmpty(t, session.session.ID)
		}
		var page SessionPage
		if json.Unmarshal(raw, &page) == nil {
			require.NotNil(t, page.Data)
		}
		var agent agentReply
		if json.Unmarshal(raw, &agent) == nil {
			require.NotEmpty(t, agent.agent.ID)
		}
		var task taskReply
		if json.Unmarshal(raw, &task) == nil {
			require.NotEmpty(t, task.task.State)
		}
		var events dataList[Event]
		if json.Unmarshal(raw, &events) == nil {
			require.NotNil(t, events.data)
		}
		var messages dataList[Message]
		if json.Unmarshal(raw, &messages) == nil {
			for _, m := range messages.data {
				again, err := json.Marshal(m.Content)
				require.NoError(t, err)
				require.True(t, json.Valid(again))
			}
		}
	})
}
