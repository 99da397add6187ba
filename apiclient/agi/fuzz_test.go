package agi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

func FuzzEvent(f *testing.F) {
	f.Fuzz(func(t *testing.T, eventType, id string, data []byte) {
		event := parseEvent(rest.Event{Type: eventType, ID: id, Data: data})
		require.Equal(t, EventType(eventType), event.Type)
		require.Equal(t, data, event.Data)
		require.GreaterOrEqual(t, event.MessageID, int64(0))
		require.True(t, len(event.Result) == 0 || json.Valid(event.Result))
	})
}

// The answers of the API, each read as all that it might be.
func FuzzAnswers(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw []byte) {
		var session sessionReply
		if json.Unmarshal(raw, &session) == nil {
			require.NotEmpty(t, session.session.SessionID)
		}
		var list MessageList
		if json.Unmarshal(raw, &list) == nil {
			for _, m := range list.Messages {
				_ = m.Text()
			}
		}
		var model Model
		if json.Unmarshal(raw, &model) == nil {
			again, err := json.Marshal(model)
			require.NoError(t, err)
			require.True(t, json.Valid(again))
		}
	})
}

func FuzzScreenshot(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		image, mediaType, err := Screenshot{Screenshot: text}.Image()
		if err == nil {
			require.LessOrEqual(t, len(image), len(text))
			require.Contains(t, text, mediaType)
			return
		}
		require.True(t, strings.HasPrefix(err.Error(), "agi: screenshot: "))
		require.Empty(t, image)
	})
}
