package everruns

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// toolResult is what a client sends for a call of one of its tools.
type toolResult struct {
	ToolCallID string          `json:"tool_call_id"`
	Result     json.RawMessage `json:"result,omitempty"`
	Error      string          `json:"error,omitempty"`
}

// text is what the agent gets to read: the string itself, or its JSON.
func (r toolResult) text() string {
	var text string
	switch {
	case r.Error != "":
		return r.Error
	case json.Unmarshal(r.Result, &text) == nil:
		return text
	}
	return string(r.Result)
}

// ask tells a question in the way that the session asks.
func (t *timeline) ask(e sessions.Event) {
	text := e.Message.Text()
	if t.asks == ByMessage {
		t.answer(e, text)
		t.end(e.At, "turn.completed", data{})
		return
	}
	t.reopen(e.At)
	t.asked = &question{message: e.Message.ID}
	t.reasoned(e.At, 1, nil)
	if t.asks == ByTask {
		t.asked.input = inputID.named(t.id, t.entries)
		t.await(e.At, inputRequest{ID: t.asked.input, Prompt: text})
		return
	}
	call := toolCall{callID.named(t.id, t.entries), askUser, map[string]any{"question": text}}
	t.asked.call = call
	t.say(e.At, part{Type: "tool_call", ID: call.ID, Name: call.Name, Arguments: call.Arguments})
	t.tell(e.At, "tool.call_requested", data{"tool_calls": []toolCall{call}, "headline": text})
}

// toolAnswered tells what came back for the call that asked.
func (t *timeline) toolAnswered(at time.Time, m message, r toolResult) {
	m.Role = "tool_result"
	m.Content = []part{{Type: "tool_result", ToolCallID: r.ToolCallID, Result: r.Result, Error: r.Error}}
	t.list(m)
	d := data{"tool_call_id": r.ToolCallID, "tool_name": askUser, "success": r.Error == "", "status": "success"}
	if r.Error == "" {
		d["result"] = []part{textPart(r.text())}
	} else {
		d["status"], d["error"] = "error", r.Error
	}
	t.reopen(at)
	t.tell(at, "tool.completed", d)
	t.asked = nil
	t.reason(at)
}

type toolResultsBody struct {
	Accepted int    `json:"accepted"`
	Status   string `json:"status"`
}

// toolResults takes the answer to the call that the session waits for.
func (f *Face) toolResults(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	var req struct {
		ToolResults []toolResult `json:"tool_results"`
	}
	if err := f.decode(r, &req); err != nil {
		f.fail(w, r, err)
		return
	}
	if len(req.ToolResults) == 0 {
		f.fail(w, r, f.unfit("tool_results should have at least one result"))
		return
	}
	asked := timelineOf(s).asked
	if asked == nil || asked.call.ID == "" {
		f.fail(w, r, sessions.ErrNotWaiting)
		return
	}
	for _, result := range req.ToolResults {
		if result.ToolCallID != asked.call.ID {
			f.fail(w, r, invalid("tool_call_id %q is none that the session waits for", result.ToolCallID))
			return
		}
	}
	result := req.ToolResults[0]
	if _, err := reply(s, asked.message, result.text(), messageNote{ToolResult: &result}); err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, toolResultsBody{Accepted: len(req.ToolResults), Status: "active"})
}

// reply answers a question of the agent's.
func reply(s *sessions.Session, question int, text string, n messageNote) (sessions.Event, error) {
	note, err := json.Marshal(n)
	if err != nil {
		return sessions.Event{}, err
	}
	return s.Post(sessions.UserMessage{Text: text, Answers: question, Note: note})
}
