package agen

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// The answers of the API, each read as all that it might be.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"id":"ses_01","status":"active","created_at":"2026-04-02T10:00:00Z","merged_at":null}`))
	f.Add([]byte(`{"items":[{"id":"ses_01"}],"next_cursor":null}`))
	f.Add([]byte(`[{"id":"evt_03","type":"user_message","payload":{"message":"x"},"status":"queued"}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var session sessionReply
		if json.Unmarshal(raw, &session) == nil {
			require.NotEmpty(t, session.session.ID)
		}
		var page pageReply
		if json.Unmarshal(raw, &page) == nil {
			for _, s := range page.page.Items {
				require.NotEmpty(t, s.ID)
			}
		}
		var event eventReply
		if json.Unmarshal(raw, &event) == nil {
			require.NotEmpty(t, event.event.ID)
		}
		var events eventsReply
		if json.Unmarshal(raw, &events) == nil {
			require.NotNil(t, events)
			for _, e := range events {
				require.NotEmpty(t, e.ID)
			}
			again, err := json.Marshal([]SessionEvent(events))
			require.NoError(t, err)
			require.True(t, json.Valid(again))
		}
	})
}

func FuzzPayloadText(f *testing.F) {
	f.Add([]byte(`{"type":"agent_ask_user","question":"Which?"}`))
	f.Add([]byte(`{"message":["a"],"text":""}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		text := PayloadText(payload)
		if !json.Valid(payload) {
			require.Empty(t, text)
		}
	})
}
