package agen

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// The types of events that the server has, from the vendor documentation.
const (
	userMessage     = "user_message"
	userResponse    = "user_ask_user_response"
	agentMessage    = "agent_message"
	agentAskUser    = "agent_ask_user"
	agentAlert      = "agent_alert_created"
	agentWebBrowse  = "agent_web_browse"
	planUpdate      = "agent_plan_execution_update"
	systemMessage   = "system_message"
	sessionFinished = "session_finished"
	sessionClosed   = "session_closed"
)

// The statuses of events, from the vendor documentation.
const (
	queued     = "queued"
	processing = "processing"
	completed  = "completed"
	canceled   = "canceled"
)

// event is an item of a timeline on the wire.
type event struct {
	ID            string         `json:"id"`
	SessionID     string         `json:"session_id"`
	Type          string         `json:"type"`
	Payload       map[string]any `json:"payload"`
	Status        string         `json:"status"`
	ClientID      *string        `json:"client_id"`
	SessionGoalID *string        `json:"session_goal_id"`
	SessionTaskID *string        `json:"session_task_id"`
	CreatedAt     string         `json:"created_at"`
	UpdatedAt     string         `json:"updated_at"`
}

// messageNote is what is kept with a user's message.
type messageNote struct {
	ClientID *string `json:"client_id,omitempty"`
}

// timeline is a session as its clients see it. It follows from the session's
// log, entry by entry: events are added, and their statuses change.
type timeline struct {
	Options
	id        string
	events    []*event
	byMessage map[int]*event // of users' messages, by the log's ids

	queue    []*event // messages whose turn is yet to come
	turn     *event   // the message that the agent works on; nil between turns
	doing    *event   // what the agent is at
	question *event   // that waits for an answer
	first    string   // what the user said first
	touched  time.Time
}

// timelineOf is the timeline of a session so far, and the status after it.
func (f *Face) timelineOf(s *sessions.Session) (*timeline, sessions.Status) {
	t := &timeline{Options: f.Options, id: s.ID, byMessage: map[int]*event{}, touched: s.CreatedAt}
	view := s.Since(0)
	for _, e := range view.Events {
		t.add(e)
	}
	if t.turn != nil && view.Status.Starting {
		t.turn.Status = queued // nobody works yet
	}
	if at := noteOf(s).ClosedAt; at != nil {
		// What is called off may still come before it.
		t.tell(*at, sessionClosed, completed, nil).ID = t.eventID("closed")
	}
	return t, view.Status
}

// add brings the timeline up to an entry of the log.
func (t *timeline) add(e sessions.Event) {
	t.touched = e.At
	switch e.Mark {
	case "":
		t.said(e)
	case sessions.Taken:
		if len(t.queue) > 0 {
			t.turn, t.queue = t.queue[0], t.queue[1:]
			t.turn.become(processing, e.At)
		}
	case sessions.Cancelled:
		t.end(canceled, e.At)
		t.question.become(canceled, e.At)
		t.question = nil
	case sessions.Step:
		t.done(e.At)
		t.doing = t.tell(e.At, agentWebBrowse, processing, map[string]any{"text": e.Text})
	}
}

func (t *timeline) said(e sessions.Event) {
	text := e.Message.Text()
	switch e.Message.Type {
	case agent.User:
		t.heard(e, text)
	case agent.Thought:
		t.remark(e, t.Thoughts, text)
	case agent.Log:
		t.remark(e, systemMessage, text)
	case agent.Question:
		t.end(completed, e.At)
		t.question = t.tell(e.At, agentAskUser, processing, map[string]any{"question": text})
	case agent.Done:
		t.end(completed, e.At)
		t.tell(e.At, agentMessage, completed, map[string]any{"message": resultText(e.Message)})
		if t.Finish == "event" {
			t.tell(e.At, sessionFinished, completed, nil)
		}
	case agent.Error:
		t.end(completed, e.At)
		t.question.become(canceled, e.At) // nobody is there to hear an answer
		t.question = nil
		t.tell(e.At, systemMessage, completed, map[string]any{"message": text})
		t.tell(e.At, agentAlert, completed, map[string]any{"message": text})
	}
}

// heard adds a user's message: the answer if the agent waits for one.
func (t *timeline) heard(e sessions.Event, text string) {
	var note messageNote
	_ = json.Unmarshal(e.Note, &note) // which is ours, or nothing
	if t.first == "" {
		t.first = text
	}
	name, status := userMessage, processing
	switch {
	case e.Queue != "":
		status = queued
	case t.question != nil:
		name = userResponse
		t.question.become(completed, e.At)
		t.question = nil
	}
	told := t.tell(e.At, name, status, map[string]any{"message": text})
	told.ClientID = note.ClientID
	t.byMessage[e.Message.ID] = told
	if status == queued {
		t.queue = append(t.queue, told)
	} else {
		t.turn = told
	}
}

// remark adds what the agent says on the way. Internal prompts are nobody's
// business.
func (t *timeline) remark(e sessions.Event, name, text string) {
	t.done(e.At)
	if !e.Message.Hidden {
		t.tell(e.At, name, completed, map[string]any{"message": text})
	}
}

// done completes what the agent is at.
func (t *timeline) done(at time.Time) {
	t.doing.become(completed, at)
	t.doing = nil
}

// end ends the turn, and what the agent is at.
func (t *timeline) end(status string, at time.Time) {
	t.doing.become(status, at)
	t.turn.become(status, at)
	t.doing, t.turn = nil, nil
}

// tell adds an event. Its id follows from its place alone.
func (t *timeline) tell(at time.Time, name, status string, payload map[string]any) *event {
	if payload == nil {
		payload = map[string]any{}
	}
	payload["type"] = name
	e := &event{
		ID:        t.eventID(fmt.Sprintf("%06d", len(t.events)+1)),
		SessionID: t.id,
		Type:      name,
		Payload:   payload,
		Status:    status,
		CreatedAt: timestamp(at),
		UpdatedAt: timestamp(at),
	}
	t.events = append(t.events, e)
	return e
}

func (t *timeline) eventID(place string) string {
	return "evt_" + strings.TrimPrefix(t.id, idPrefix) + "_" + place
}

// become edits an event in place; nil is none.
func (e *event) become(status string, at time.Time) {
	if e != nil {
		e.Status, e.UpdatedAt = status, timestamp(at)
	}
}

// resultText is a result in words: the string that it is, or its JSON.
func resultText(m agent.Message) string {
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return text
	}
	return string(m.Content)
}
