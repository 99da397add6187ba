package agi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
)

// The vendor's documentation names the headers that a webhook request bears
// beside its content type, and says that the user agent is WebhookUserAgent.
const (
	// WebhookEventHeader repeats the event of the body.
	WebhookEventHeader = "X-Event-Type"
	WebhookUserAgent   = "AgencyAPI-Webhooks/1.0"
)

// WebhookEvent is the kind of a webhook.
type WebhookEvent string

// The webhooks of the vendor's documentation.
const (
	WebhookSessionCreated       WebhookEvent = "session.created"
	WebhookSessionStatusChanged WebhookEvent = "session.status_changed"
	WebhookSessionDeleted       WebhookEvent = "session.deleted"
	WebhookTaskStarted          WebhookEvent = "task.started"
	WebhookTaskCompleted        WebhookEvent = "task.completed"
	WebhookTaskQuestion         WebhookEvent = "task.question"
	WebhookTaskError            WebhookEvent = "task.error"
)

// Webhook is what the API posts to a session's webhook URL.
type Webhook struct {
	// Event is as it came; the older form says done, question or error where
	// the newer one says task.completed, task.question or task.error.
	Event     WebhookEvent
	Timestamp Timestamp
	// Session is as it was at the time of the event. The older form tells the
	// id alone.
	Session WebhookSession
	// Payload is one of [SessionCreated], [SessionStatusChanged],
	// [SessionDeleted], [TaskStarted], [TaskCompleted], [TaskQuestion] and
	// [TaskError], or nil for an event that this package does not know.
	Payload any
	// Body is the whole body as it came.
	Body json.RawMessage
}

// WebhookSession is a session as a webhook tells it.
type WebhookSession struct {
	ID        string        `json:"id"`
	Status    SessionStatus `json:"status"`
	AgentName string        `json:"agent_name"`
	CreatedAt Timestamp     `json:"created_at"`
	VNCURL    string        `json:"vnc_url"`
}

type (
	// SessionCreated is the payload of session.created.
	SessionCreated struct{}
	// SessionStatusChanged is the payload of session.status_changed.
	SessionStatusChanged struct{ OldStatus, NewStatus SessionStatus }
	// SessionDeleted is the payload of session.deleted.
	SessionDeleted struct{}
	// TaskStarted is the payload of task.started. Message is the task.
	TaskStarted struct{ Message string }
	// TaskCompleted is the payload of task.completed.
	TaskCompleted struct {
		Status  string // "success"
		Message string
		Result  json.RawMessage // the whole of it
	}
	// TaskQuestion is the payload of task.question. Context is an object of no
	// documented shape.
	TaskQuestion struct {
		Question string
		Context  json.RawMessage
	}
	// TaskError is the payload of task.error. Details is an object of no
	// documented shape.
	TaskError struct {
		Error   string
		Details json.RawMessage
	}
)

// ParseWebhook reads the body of a webhook request, in the documentation's form
// or in the {event, session_id, data} of older SDKs. An event that names no
// kind, or one that this package knows without naming a session, is an error.
//
// The vendor signs nothing, so anybody who knows the URL can post: keep the
// path secret, and confirm each event by a read of the session, such as
// [Client.Messages], before anything is done about it. The API may deliver an
// event twice, out of order or, after three attempts, never; it expects a 200
// within five seconds.
func ParseWebhook(body []byte) (Webhook, error) {
	var form struct {
		Event     WebhookEvent    `json:"event"`
		Timestamp Timestamp       `json:"timestamp"`
		Session   json.RawMessage `json:"session"`
		SessionID string          `json:"session_id"`
		OldStatus SessionStatus   `json:"old_status"`
		NewStatus SessionStatus   `json:"new_status"`
		Message   json.RawMessage `json:"message"`
		Result    json.RawMessage `json:"result"`
		Question  json.RawMessage `json:"question"`
		Context   json.RawMessage `json:"context"`
		Error     json.RawMessage `json:"error"`
		Details   json.RawMessage `json:"details"`
		Data      json.RawMessage `json:"data"`
	}
	if err := unmarshalLeniently(body, &form); err != nil {
		return Webhook{}, fmt.Errorf("agi: webhook: %w", err)
	}
	hook := Webhook{Event: form.Event, Timestamp: form.Timestamp, Body: body}
	hook.Session = webhookSession(form.Session, form.SessionID)

	switch form.Event {
	case "":
		return Webhook{}, errors.New("agi: webhook: event is missing")
	case WebhookSessionCreated:
		hook.Payload = SessionCreated{}
	case WebhookSessionStatusChanged:
		hook.Payload = SessionStatusChanged{OldStatus: form.OldStatus, NewStatus: form.NewStatus}
	case WebhookSessionDeleted:
		hook.Payload = SessionDeleted{}
	case WebhookTaskStarted:
		hook.Payload = TaskStarted{Message: ContentText(form.Message)}
	case WebhookTaskCompleted:
		hook.Payload = taskCompleted(form.Result)
	case WebhookTaskQuestion:
		hook.Payload = TaskQuestion{Question: ContentText(form.Question), Context: form.Context}
	case WebhookTaskError:
		hook.Payload = TaskError{Error: ContentText(form.Error), Details: form.Details}
	case "done":
		hook.Payload = taskCompleted(form.Data)
	case "question":
		hook.Payload = TaskQuestion{Question: textAt(form.Data, "question"), Context: form.Data}
	case "error":
		hook.Payload = TaskError{Error: textAt(form.Data, "error"), Details: form.Data}
	}
	if hook.Payload != nil && hook.Session.ID == "" {
		return Webhook{}, fmt.Errorf("agi: webhook: %s names no session", form.Event)
	}
	return hook, nil
}

// webhookSession reads the session object, or knows the older form's id alone.
func webhookSession(object json.RawMessage, id string) WebhookSession {
	var session WebhookSession
	if len(object) > 0 {
		_ = unmarshalLeniently(object, &session)
	}
	session.ID = cmp.Or(session.ID, id)
	return session
}

func taskCompleted(result json.RawMessage) TaskCompleted {
	var object struct {
		Status string `json:"status"`
	}
	if len(result) > 0 {
		_ = unmarshalLeniently(result, &object)
	}
	return TaskCompleted{Status: object.Status, Message: textAt(result, "message"), Result: result}
}

// textAt is the content of an object's field for people, or else that of the
// whole.
func textAt(content json.RawMessage, key string) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(content, &object) == nil && object[key] != nil {
		return ContentText(object[key])
	}
	return ContentText(content)
}

// unmarshalLeniently leaves out the fields whose values are of another kind:
// one of them is no reason to lose the others.
func unmarshalLeniently(raw []byte, out any) error {
	err := json.Unmarshal(raw, out)
	if odd, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && odd.Field != "" {
		return nil
	}
	return err
}
