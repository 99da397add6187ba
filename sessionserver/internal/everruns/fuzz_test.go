package everruns

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// requireRefused expects an error that tells a client what is wrong.
func requireRefused(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	e, ok := errors.AsType[wrong](err)
	require.True(t, ok, "%v", err)
	require.NotEmpty(t, e.text)
	require.Contains(t, []int{400, 422}, e.code)
}

// Whatever a client sends is a request that fits or an error that says why not.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		`{"message":{"content":[{"type":"text","text":"x"}]},"metadata":{"a":1},"tags":["t"]}`,
		`{"agent_id":"agent_1","capabilities":[{"ref":"noop"}]}`, `{"capabilities":[{}]}`, `{"message":{"content":[{"type":"image"}]}}`, `[]`, `{`, `null`, "\xff",
	} {
		f.Add(body)
	}
	face := &Face{}
	f.Fuzz(func(t *testing.T, body string) {
		request := func() *http.Request { return httptest.NewRequest("POST", "/v1/sessions", strings.NewReader(body)) }
		var create createRequest
		err := face.decode(request(), &create)
		if err == nil {
			err = face.checkCapabilities(create.Capabilities)
		}
		requireRefused(t, err)
		var send sendRequest
		if err := face.decode(request(), &send); err != nil {
			requireRefused(t, err)
			return
		}
		note, text, err := face.note(send)
		if err != nil {
			requireRefused(t, err)
			return
		}
		kept, err := json.Marshal(note)
		require.NoError(t, err)
		content, err := json.Marshal(text)
		require.NoError(t, err)
		m, _ := userMessage("s", sessions.Event{Message: agent.Message{ID: 1, Type: agent.User, Content: content}, Note: kept})
		require.JSONEq(t, string(send.Message.Content), string(m.Content.(json.RawMessage)))
	})
}

func FuzzAgentFile(f *testing.F) {
	for _, text := range []string{"Be brief.", "---\nname: A\ntags: [\"x\"]\n---\n\nBe brief.\n", "---\nname\n---\n", "---\n", `{"system_prompt":"x"}`, "{"} {
		f.Add(text)
	}
	face := &Face{}
	f.Fuzz(func(t *testing.T, text string) {
		req, err := parseAgent(text)
		if err != nil {
			requireRefused(t, err)
			return
		}
		require.NotNil(t, req.SystemPrompt)
		a := agentBody{Status: active, Capabilities: json.RawMessage("[]")}
		a, err = face.apply(req, a)
		requireRefused(t, err)
		if err == nil {
			_, err = json.Marshal(a)
			require.NoError(t, err)
		}
	})
}

func FuzzFilter(f *testing.F) {
	f.Add("since_id=event_00000000000070008000000000000000&exclude=turn.started&limit=3")
	f.Add("types=x&after_sequence=-1")
	face := &Face{Options: Options{Profile: Current}}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		want, err := face.filter(q)
		requireRefused(t, err)
		want.takes(event{ID: "event_1", Type: "turn.started", Sequence: 1})
	})
}

// Whatever is in a session's log, its events have their order and their names.
func FuzzTimeline(f *testing.F) {
	f.Add("utad", 0)
	f.Add("uqudce", 1)
	f.Add("uvvtdTqmTx", 2)
	kinds := map[rune]agent.MessageType{
		'u': agent.User, 'v': agent.User, 'm': agent.User, 't': agent.Thought, 'a': agent.Log, 'q': agent.Question, 'd': agent.Done, 'e': agent.Error,
	}
	marks := map[rune]sessions.Mark{'T': sessions.Taken, 'c': sessions.Cancelled, 's': sessions.Step, 'p': sessions.Paused}
	f.Fuzz(func(t *testing.T, log string, asks int) {
		tl := &timeline{id: "s", asks: []Asking{ByTool, ByTask, ByMessage}[uint(asks)%3]}
		at := time.UnixMilli(1_780_000_000_000)
		for i, r := range log {
			e := sessions.Event{At: at, Mark: marks[r]}
			if e.Mark == "" {
				e.Message = agent.Message{ID: i + 1, Type: kinds[r], Content: []byte(`"x"`)}
			}
			switch r {
			case 'v':
				e.Queue = sessions.AfterTask
			case 'm':
				e.Note = []byte(`{"task_message":{"text":"x"}}`)
			}
			tl.add(e)
		}
		last := ""
		for i, e := range tl.events {
			require.Contains(t, eventTypes, e.Type)
			require.Equal(t, i+1, e.Sequence)
			require.Greater(t, e.ID, last)
			last = e.ID
			_, err := json.Marshal(e)
			require.NoError(t, err)
		}
	})
}
