package everruns

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// What the face says in the agent's name. A turn that fails ends with words for
// people, too, and a cancel with both sides of the talk.
const (
	apology   = "I am sorry, something went wrong and I could not finish this. Please try again."
	callOff   = "Please cancel the work in progress."
	calledOff = "The work was cancelled."
)

// askUser is the tool that an agent asks with.
const askUser = "ask_user"

// data is what an event tells.
type data map[string]any

// timeline is a session as its clients see it. It follows from the session's
// log, entry by entry.
type timeline struct {
	id    string // of the session
	agent string
	asks  Asking

	entries  int   // of the log, so far
	clock    int64 // of the last event, in Unix milliseconds: it never goes back
	events   []event
	messages []listedMessage
	tasks    []*task

	turn    *turn            // nil between turns
	last    *turn            // the turn before
	queue   []sessions.Event // messages whose turn is yet to come
	asked   *question        // nil unless the agent waits for an answer
	first   string           // what the user said first, and the agent last
	latest  string
	started time.Time // of the first turn
	touched time.Time
}

// turn is one turn of the agent.
type turn struct {
	id, input  string
	content    string
	began      time.Time
	iterations int
	task       *task // that asks in the turn; nil if none does
}

// question is what the agent waits for.
type question struct {
	message int // its id in the log
	call    toolCall
	input   string // id of the task's request
}

// timelineOf is the timeline of a session so far.
func timelineOf(s *sessions.Session) *timeline {
	t := newTimeline(s)
	for _, e := range s.Since(0).Events {
		t.add(e)
	}
	return t
}

func newTimeline(s *sessions.Session) *timeline {
	note := noteOf(s)
	return &timeline{id: s.ID, agent: note.AgentID, asks: note.Questions, touched: s.CreatedAt}
}

// add brings the timeline up to an entry of the log.
func (t *timeline) add(e sessions.Event) {
	t.entries++
	t.touched = e.At
	switch e.Mark {
	case "":
		t.said(e)
	case sessions.Taken:
		if len(t.queue) > 0 {
			next := t.queue[0]
			t.queue = t.queue[1:]
			t.begin(next, e.At)
		}
	case sessions.Cancelled:
		t.cancelled(e)
	case sessions.Step:
		t.act(e.At, "step", e.Text)
	}
}

func (t *timeline) said(e sessions.Event) {
	switch e.Message.Type {
	case agent.User:
		t.heard(e)
	case agent.Thought:
		t.think(e)
	case agent.Log:
		t.act(e.At, "log", e.Message.Text())
	case agent.Question:
		t.ask(e)
	case agent.Done:
		t.answer(e, resultText(e.Message))
		t.end(e.At, "turn.completed", data{})
	case agent.Error:
		t.fail(e)
	}
}

// tell adds an event.
func (t *timeline) tell(at time.Time, name string, d data) *event {
	t.clock = max(t.clock, at.UnixMilli())
	number := len(t.events) + 1
	e := event{
		ID:        eventID.numbered(t.clock, number, t.id),
		Type:      name,
		TS:        timestamp(at),
		SessionID: t.id,
		Data:      d,
		Sequence:  number,
	}
	if t.turn != nil {
		e.Context = eventContext{TurnID: t.turn.id, InputMessageID: t.turn.input, ExecID: "exec" + t.turn.id[len(turnID):]}
	}
	t.events = append(t.events, e)
	return &t.events[len(t.events)-1]
}

// list adds a message to the list of them, with the number of the event that
// tells of it next.
func (t *timeline) list(m message) message {
	t.messages = append(t.messages, listedMessage{m, t.id, len(t.events) + 1})
	return m
}

// userMessage is a message of the user as the API has it.
func userMessage(session string, e sessions.Event) (m message, note messageNote) {
	_ = json.Unmarshal(e.Note, &note)
	m = message{
		ID:        messageID.at(e.At, session, e.Message.ID),
		Role:      "user",
		Content:   note.Content,
		CreatedAt: timestamp(e.At),
		Controls:  note.Controls,
		Metadata:  note.Metadata,
		Tags:      note.Tags,
	}
	if note.Content == nil {
		m.Content = []part{textPart(e.Message.Text())}
	}
	return m, note
}

// agentMessage is something that the agent says at this entry of the log.
func (t *timeline) agentMessage(at time.Time, parts ...part) message {
	return message{ID: messageID.at(at, t.id, "entry", t.entries), Role: "agent", Content: parts, CreatedAt: timestamp(at)}
}

func (t *timeline) heard(e sessions.Event) {
	m, note := userMessage(t.id, e)
	switch {
	case note.ToolResult != nil:
		t.toolAnswered(e.At, m, *note.ToolResult)
		return
	case note.TaskMessage != nil:
		t.taskAnswered(e.At, answered(t.id, e, *note.TaskMessage))
		return
	}
	if t.first == "" {
		t.first = e.Message.Text()
	}
	told := t.tell(e.At, "input.message", data{"message": m})
	told.Metadata, told.Tags = note.Metadata, note.Tags
	t.messages = append(t.messages, listedMessage{m, t.id, told.Sequence})
	switch {
	case e.Queue != "":
		t.queue = append(t.queue, e)
	case t.turn == nil:
		t.begin(e, e.At)
	}
}

// begin starts the turn of a message.
func (t *timeline) begin(e sessions.Event, at time.Time) {
	m, _ := userMessage(t.id, e)
	t.turn = &turn{id: turnID.at(at, t.id, e.Message.ID), input: m.ID, content: e.Message.Text(), began: at}
	if t.started.IsZero() {
		t.started = at
	}
	t.tell(at, "session.activated", data{"turn_id": t.turn.id, "input_message_id": m.ID})
	t.tell(at, "turn.started", data{"turn_id": t.turn.id, "input_message_id": m.ID, "input_content": t.turn.content})
	t.reason(at)
}

func (t *timeline) reason(at time.Time) {
	t.turn.iterations++
	t.tell(at, "reason.started", data{"agent_id": t.agent, "metadata": data{"model": modelName}})
}

func (t *timeline) reasoned(at time.Time, calls int, more data) {
	d := data{"success": true, "has_tool_calls": calls > 0, "tool_call_count": calls}
	maps.Copy(d, more)
	t.tell(at, "reason.completed", d)
}

func (t *timeline) think(e sessions.Event) {
	if t.turn == nil {
		return
	}
	t.tell(e.At, "reason.thinking.started", data{"turn_id": t.turn.id})
	t.tell(e.At, "reason.thinking.completed", data{"turn_id": t.turn.id, "thinking": e.Message.Text()})
}

// act tells what the agent did as a call of a tool.
func (t *timeline) act(at time.Time, tool, text string) {
	if t.turn == nil {
		return
	}
	call := toolCall{callID.named(t.id, t.entries), tool, map[string]any{"text": text}}
	t.reasoned(at, 1, nil)
	t.tell(at, "act.started", data{"tool_calls": []data{{"id": call.ID, "name": call.Name}}})
	t.tell(at, "tool.started", data{"tool_call": call})
	t.tell(at, "tool.completed", data{
		"tool_call_id": call.ID, "tool_name": call.Name, "success": true, "status": "success", "result": []part{textPart(text)},
	})
	t.tell(at, "act.completed", data{"completed": true, "success_count": 1, "error_count": 0})
	t.reason(at)
}

// answer tells the words that the agent ends a turn with.
func (t *timeline) answer(e sessions.Event, text string) {
	t.reopen(e.At)
	t.tell(e.At, "output.message.started", data{"turn_id": t.turn.id, "model": modelName})
	t.tell(e.At, "output.message.delta", data{"turn_id": t.turn.id, "delta": text, "accumulated": text})
	t.reasoned(e.At, 0, data{"text_preview": preview(text)})
	t.say(e.At, textPart(text))
	t.latest = text
}

func (t *timeline) say(at time.Time, parts ...part) {
	m := t.list(t.agentMessage(at, parts...))
	t.tell(at, "output.message.completed", data{"message": m, "metadata": data{"model": modelName}})
}

// reopen gives a turn to what comes after the end of one: the failure of an
// agent whose question had ended the turn.
func (t *timeline) reopen(at time.Time) {
	if t.turn == nil {
		t.turn = t.last
	}
	if t.turn == nil {
		t.turn = &turn{id: turnID.at(at, t.id, t.entries), began: at}
	}
}

// end ends the turn and lets the session idle.
func (t *timeline) end(at time.Time, name string, d data) {
	t.closeTask(at, name, d)
	d["turn_id"] = t.turn.id
	if name == "turn.completed" {
		d["iterations"] = t.turn.iterations
		d["duration_ms"] = at.Sub(t.turn.began).Milliseconds()
		d["input_content"] = t.turn.content
	}
	t.tell(at, name, d)
	t.idle(at)
}

func (t *timeline) idle(at time.Time) {
	t.tell(at, "session.idled", data{"turn_id": t.turn.id, "iterations": t.turn.iterations})
	t.turn, t.last, t.asked = nil, t.turn, nil
}

func (t *timeline) fail(e sessions.Event) {
	t.reopen(e.At)
	reason := e.Message.Text()
	t.reasoned(e.At, 0, data{"success": false, "error": reason})
	t.say(e.At, textPart(apology))
	t.latest = apology
	t.end(e.At, "turn.failed", data{"error": reason, "error_code": "llm_error"})
}

func (t *timeline) cancelled(e sessions.Event) {
	t.reopen(e.At)
	d := data{"turn_id": t.turn.id, "reason": "cancelled by the user"}
	t.closeTask(e.At, "turn.cancelled", d)
	t.tell(e.At, "turn.cancelled", d)
	asked := message{
		ID: messageID.at(e.At, t.id, "call off", t.entries), Role: "user",
		Content: []part{textPart(callOff)}, CreatedAt: timestamp(e.At),
	}
	t.tell(e.At, "input.message", data{"message": t.list(asked)})
	t.say(e.At, textPart(calledOff))
	t.latest = calledOff
	t.idle(e.At)
}
