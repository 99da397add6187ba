package agi

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
	"github.com/errand-dev/errand/sessionserver/internal/webhook"
)

// Webhooks tells the webhook_url of a session what happens to it. It is the
// observer of an engine: nothing here waits for the receiver.
type Webhooks struct {
	sessions.Deaf
	Options
	Sender  *webhook.Sender
	ViewURL func(base string, f sessions.Facts) string
	Logger  *slog.Logger
}

// webhookBody is the envelope of every event and the fields that some have.
type webhookBody struct {
	Event     string         `json:"event"`
	Timestamp string         `json:"timestamp"`
	Session   webhookSession `json:"session"`

	OldStatus sessionStatus   `json:"old_status,omitempty"` // session.status_changed
	NewStatus sessionStatus   `json:"new_status,omitempty"`
	Message   json.RawMessage `json:"message,omitempty"`  // task.started
	Result    *webhookResult  `json:"result,omitempty"`   // task.completed
	Question  *string         `json:"question,omitempty"` // task.question
	Context   *struct{}       `json:"context,omitempty"`
	Error     *string         `json:"error,omitempty"` // task.error
	Details   *struct{}       `json:"details,omitempty"`
}

type webhookSession struct {
	ID        string        `json:"id"`
	Status    sessionStatus `json:"status"`
	AgentName string        `json:"agent_name"`
	CreatedAt string        `json:"created_at"`
	VNCURL    string        `json:"vnc_url"`
}

type webhookResult struct {
	Status  string          `json:"status"`
	Message json.RawMessage `json:"message"`
}

// Created implements [sessions.Observer].
func (h *Webhooks) Created(s *sessions.Session, now sessions.Status) {
	status, _ := h.statuses(now)
	h.send(s, status, webhookBody{Event: "session.created"})
}

// Deleted implements [sessions.Observer].
func (h *Webhooks) Deleted(s *sessions.Session, how sessions.Deletion) {
	if how.By == sessions.ByVanish {
		return
	}
	h.send(s, sessionTerminated, webhookBody{Event: "session.deleted"})
}

// Changed implements [sessions.Observer].
func (h *Webhooks) Changed(s *sessions.Session, before, after sessions.Status, e sessions.Event) {
	if s.WebhookURL == "" {
		return
	}
	old, _ := h.statuses(before)
	status, _ := h.statuses(after)
	if old != status {
		h.send(s, status, webhookBody{Event: "session.status_changed", OldStatus: old, NewStatus: status})
	}
	text := e.Message.Text()
	switch e.Message.Type {
	case agent.User:
		// An answer and extra information go on with the task that is known.
		if before.Phase != sessions.Running && before.Phase != sessions.Waiting {
			h.send(s, status, webhookBody{Event: "task.started", Message: e.Message.Content})
		}
	case agent.Done:
		h.send(s, status, webhookBody{Event: "task.completed", Result: &webhookResult{"success", e.Message.Content}})
	case agent.Question:
		h.send(s, status, webhookBody{Event: "task.question", Question: &text, Context: &struct{}{}})
	case agent.Error:
		h.send(s, status, webhookBody{Event: "task.error", Error: &text, Details: &struct{}{}})
	}
}

func (h *Webhooks) send(s *sessions.Session, status sessionStatus, body webhookBody) {
	if s.WebhookURL == "" {
		return
	}
	body.Timestamp = timestamp(time.Now())
	body.Session = webhookSession{
		ID:        s.ID,
		Status:    status,
		AgentName: s.Agent,
		CreatedAt: timestamp(s.CreatedAt),
		VNCURL:    h.ViewURL(s.BaseURL, s.Facts),
	}
	data, err := json.Marshal(body)
	if err != nil {
		h.Logger.Error("webhook not written", "session_id", s.ID, "event", body.Event, "error", err)
		return
	}
	h.Sender.Send(webhook.Event{SessionID: s.ID, URL: s.WebhookURL, Type: body.Event, Body: data})
}
