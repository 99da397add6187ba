package agi

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// Whatever a client sends is a request that fits or a 422 that names a field.
func FuzzBodies(f *testing.F) {
	f.Fuzz(func(t *testing.T, body string) {
		var create createRequest
		err := decode(httptest.NewRequest("POST", "/v1/sessions", strings.NewReader(body)), &create)
		if err == nil {
			err = create.check()
		}
		requireInvalid(t, err)
		var send sendRequest
		err = decode(httptest.NewRequest("POST", "/v1/sessions/a/message", strings.NewReader(body)), &send)
		if err == nil {
			err = send.check()
		}
		requireInvalid(t, err)
		for _, object := range []jsonObject{send.ConfigUpdates, send.Context} {
			raw, err := object.raw()
			require.NoError(t, err)
			require.True(t, raw == nil || json.Valid(raw))
		}
	})
}

func requireInvalid(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	wrong, ok := errors.AsType[invalid](err)
	require.True(t, ok, "%v", err)
	require.NotEmpty(t, wrong)
	_, err = json.Marshal(wrong)
	require.NoError(t, err)
}

func FuzzSanitize(f *testing.F) {
	f.Fuzz(func(t *testing.T, content string, thought, hidden bool) {
		m := agent.Message{Type: agent.Done, Content: json.RawMessage(content), Hidden: hidden}
		if thought {
			m.Type = agent.Thought
		}
		if !json.Valid(m.Content) {
			return // an agent's content is JSON
		}
		shown, ok := Shown(m, true)
		require.True(t, ok || thought, "how a turn ended is never left out")
		if !ok {
			return
		}
		require.True(t, json.Valid(shown.Content))
		require.False(t, thought && (hidden || isImage(shown.Content)))
		again, ok := Shown(shown, true)
		require.True(t, ok)
		require.Equal(t, shown, again)
	})
}
