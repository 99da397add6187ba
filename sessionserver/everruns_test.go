package sessionserver

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runs calls the Everruns API of a server.
type runs struct{ *caller }

func serveRuns(t testing.TB, c Config) (*Server, runs) {
	t.Helper()
	s, caller := serve(t, c)
	caller.base += "/everruns/v1"
	return s, runs{caller}
}

type runEvent struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Sequence int    `json:"sequence"`
	Context  struct {
		TurnID string `json:"turn_id"`
	} `json:"context"`
	Data struct {
		TurnID    string           `json:"turn_id"`
		Error     string           `json:"error"`
		ToolCalls []map[string]any `json:"tool_calls"`
		Message   struct {
			Role    string `json:"role"`
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"message"`
	} `json:"data"`
}

// at gives the path of a new session of the script agent.
func (c runs) at() string {
	c.t.Helper()
	var agents struct{ Data []struct{ ID, Name string } }
	c.ok("GET", "/agents", nil, &agents)
	for _, a := range agents.Data {
		if a.Name != "script" {
			continue
		}
		var s struct{ ID string }
		require.Equal(c.t, http.StatusCreated, c.json("POST", "/sessions", `{"agent_id":"`+a.ID+`"}`, &s))
		return "/sessions/" + s.ID
	}
	require.Fail(c.t, "no script agent")
	return ""
}

func said(text string) string {
	body, err := json.Marshal(map[string]any{"message": map[string]any{"content": []any{map[string]string{"type": "text", "text": text}}}})
	if err != nil {
		panic(err)
	}
	return string(body)
}

func (c runs) send(at, text string) {
	c.t.Helper()
	code, answer := c.call("POST", at+"/messages", said(text))
	require.Equal(c.t, http.StatusCreated, code, answer)
}

func (c runs) events(at string) []runEvent {
	c.t.Helper()
	var list struct{ Data []runEvent }
	c.ok("GET", at+"/events", nil, &list)
	return list.Data
}

// until waits for so many events of a type.
func (c runs) until(at, kind string, n int) []runEvent {
	c.t.Helper()
	var all []runEvent
	require.Eventually(c.t, func() bool {
		all = c.events(at)
		return len(ofType(all, kind)) == n
	}, patience, pollEvery, "%d events %s", n, kind)
	return all
}

func ofType(all []runEvent, kind string) []runEvent {
	var some []runEvent
	for _, e := range all {
		if e.Type == kind {
			some = append(some, e)
		}
	}
	return some
}

// spoken are the texts of the agent's messages.
func spoken(all []runEvent) []string {
	var texts []string
	for _, e := range ofType(all, "output.message.completed") {
		for _, part := range e.Data.Message.Content {
			texts = append(texts, part.Text)
		}
	}
	return texts
}

func (c runs) status(at string) string {
	c.t.Helper()
	var s struct{ Status string }
	c.ok("GET", at, nil, &s)
	return s.Status
}

func TestATaskCanAskTheQuestion(t *testing.T) {
	_, c := serveRuns(t, Config{Everruns: EverrunsOptions{Questions: "task"}})
	at := c.at()
	c.send(at, "ask Which?; ask And?; finish {{answer}}")
	c.until(at, "task.created", 1)
	type task struct {
		ID, State    string
		InputRequest *struct{ ID, Prompt string } `json:"input_request"`
	}
	var list struct{ Data []task }
	c.ok("GET", at+"/tasks", nil, &list)
	require.Len(t, list.Data, 1)
	asked := list.Data[0]
	require.Equal(t, []string{"awaiting_input", "Which?"}, []string{asked.State, asked.InputRequest.Prompt})
	require.Equal(t, "active", c.status(at), "the turn goes on")
	c.ok("GET", "/tasks?state=awaiting_input", nil, &list)
	require.Len(t, list.Data, 1)
	c.ok("GET", "/tasks?state=running", nil, &list)
	require.Empty(t, list.Data)

	messages := at + "/tasks/" + asked.ID + "/messages"
	code, answer := c.call("POST", messages, `{"text":"x","in_reply_to":"input_of_another"}`)
	require.Equal(t, http.StatusConflict, code, answer)
	var m struct {
		Role, Text string
		InReplyTo  string `json:"in_reply_to"`
	}
	require.Equal(t, http.StatusCreated, c.json("POST", messages, `{"text":"one","in_reply_to":"`+asked.InputRequest.ID+`"}`, &m))
	require.Equal(t, []string{"user", "one", asked.InputRequest.ID}, []string{m.Role, m.Text, m.InReplyTo})

	c.until(at, "task.message.sent", 2)
	var second task
	c.ok("GET", at+"/tasks/"+asked.ID, nil, &second)
	require.Equal(t, "And?", second.InputRequest.Prompt)
	code, answer = c.call("POST", messages, `{"text":"late","in_reply_to":"`+asked.InputRequest.ID+`"}`)
	require.Equal(t, http.StatusConflict, code, answer)
	code, answer = c.call("POST", messages, `{"content":[{"type":"text","text":"two"}]}`)
	require.Equal(t, http.StatusCreated, code, answer)
	all := c.until(at, "turn.completed", 1)
	require.Equal(t, []string{"two"}, spoken(all))
	var over task
	c.ok("GET", at+"/tasks/"+asked.ID, nil, &over)
	require.Equal(t, "succeeded", over.State)
	require.Nil(t, over.InputRequest)
	code, _ = c.call("POST", messages, `{"text":"three"}`)
	require.Equal(t, http.StatusConflict, code)
}

func TestATaskThatAsksCanBeCancelled(t *testing.T) {
	_, c := serveRuns(t, Config{Everruns: EverrunsOptions{Questions: "task"}})
	at := c.at()
	c.send(at, "ask Which?")
	c.until(at, "task.created", 1)
	var list struct{ Data []struct{ ID, State string } }
	c.ok("GET", at+"/tasks", nil, &list)
	path := at + "/tasks/" + list.Data[0].ID
	for range 2 { // the second finds nothing to do
		var task struct{ State string }
		c.ok("POST", path+"/cancel", nil, &task)
		require.Equal(t, "canceled", task.State)
	}
	require.Len(t, ofType(c.events(at), "turn.cancelled"), 1)
}

func TestABusySessionDoesAsItIsTold(t *testing.T) {
	tests := []struct {
		while string
		asks  EverrunsOptions
		says  string
		code  int
		turns int
	}{
		{"queue", EverrunsOptions{}, "it is the next turn", 201, 2},
		{"steer", EverrunsOptions{}, "it is heard in this turn", 201, 1},
		{"refuse", EverrunsOptions{}, "it is not taken", 409, 1},
		{"queue", EverrunsOptions{Profile: "given"}, "it is the next turn", 201, 2},
		{"steer", EverrunsOptions{Profile: "given"}, "it is heard in this turn", 201, 1},
		{"refuse", EverrunsOptions{Profile: "given"}, "it is not taken", 409, 1},
	}
	for _, tt := range tests {
		t.Run(string(tt.asks.Profile)+" "+tt.while, func(t *testing.T) {
			tt.asks.WhileActive = EverrunsBusy(tt.while)
			_, c := serveRuns(t, Config{Everruns: tt.asks})
			at := c.at()
			c.send(at, "wait 100ms; finish one")
			code, answer := c.call("POST", at+"/messages", said("finish two"))
			require.Equal(t, tt.code, code, answer)
			all := c.until(at, "turn.completed", tt.turns)
			require.Len(t, ofType(all, "turn.started"), tt.turns, tt.says)
			require.Equal(t, "idle", c.status(at))
		})
	}
}

func TestAMessageIsNoAnswerWhereQuestionsHaveTheirOwn(t *testing.T) {
	for while, code := range map[string]int{"queue": 201, "steer": 201, "refuse": 409} {
		for _, asks := range []string{"tool", "task"} {
			_, c := serveRuns(t, Config{Everruns: EverrunsOptions{WhileActive: EverrunsBusy(while), Questions: EverrunsAsking(asks)}})
			at := c.at()
			c.send(at, "ask Which?; finish {{answer}}")
			c.until(at, map[string]string{"tool": "tool.call_requested", "task": "task.created"}[asks], 1)
			got, answer := c.call("POST", at+"/messages", said("finish two"))
			require.Equal(t, code, got, answer)
			require.Len(t, ofType(c.events(at), "turn.started"), 1)
			var cancelled struct{ Status string }
			c.ok("POST", at+"/cancel", nil, &cancelled)
			require.Equal(t, "cancelled", cancelled.Status)
			if code == 201 {
				require.Contains(t, spoken(c.until(at, "turn.completed", 1)), "two")
			}
		}
	}
}

func TestEverrunsOptionsSayWhatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		o    EverrunsOptions
		says string
	}{
		{EverrunsOptions{Profile: "old"}, `profile is "old", it can be current, given`},
		{EverrunsOptions{Profile: "given", Questions: "tool"}, `questions is "tool", it can be message in the profile given`},
		{EverrunsOptions{WhileActive: "drop"}, `while_active is "drop", it can be queue, steer, refuse`},
		{EverrunsOptions{WaitingStatus: "waiting"}, `waiting_status is "waiting"`},
		{EverrunsOptions{MaxMessage: -1}, "max_message is -1"},
		{EverrunsOptions{Heartbeat: -1}, "must be positive"},
	} {
		_, err := New(Config{Dir: t.TempDir(), Everruns: tt.o})
		require.ErrorContains(t, err, tt.says)
	}
}

func TestEverrunsSwitches(t *testing.T) {
	_, c := serveRuns(t, Config{Everruns: EverrunsOptions{ShortIDs: true, MaxMessage: 20, WaitingStatus: "waiting_for_tool_results"}})
	code, _ := c.call("GET", "/sessions/session_0123456789abcdef0123456789abcde", "")
	require.Equal(t, 404, code, "31 digits will do")
	at := c.at()
	code, _ = c.call("POST", at+"/messages", said("finish "+strings.Repeat("x", 14)))
	require.Equal(t, http.StatusRequestEntityTooLarge, code)
	c.send(at, "ask Which?")
	c.until(at, "tool.call_requested", 1)
	require.Equal(t, "waiting_for_tool_results", c.status(at))
}
