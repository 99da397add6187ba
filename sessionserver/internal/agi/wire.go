package agi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// sessionStatus is the lifecycle status of a session. The vendor also has
// initializing, completed and terminated: sessions here are ready at once, are
// ready again after a task, and are gone when deleted.
type sessionStatus string

const (
	sessionReady   sessionStatus = "ready"
	sessionRunning sessionStatus = "running"
	sessionPaused  sessionStatus = "paused"
	sessionError   sessionStatus = "error"
)

// executionStatus is the status of a session's task.
type executionStatus string

const (
	executionReady    executionStatus = "ready"
	executionRunning  executionStatus = "running"
	executionWaiting  executionStatus = "waiting_for_input"
	executionPaused   executionStatus = "paused"
	executionFinished executionStatus = "finished"
	executionError    executionStatus = "error"
)

// statuses puts an engine status on the vendor's two axes.
func statuses(s sessions.Status) (sessionStatus, executionStatus) {
	if s.Paused {
		return sessionPaused, executionPaused
	}
	switch s.Phase {
	case sessions.Running:
		return sessionRunning, executionRunning
	case sessions.Waiting:
		return sessionRunning, executionWaiting
	case sessions.Finished:
		return sessionReady, executionFinished
	case sessions.Failed:
		return sessionError, executionError
	default:
		return sessionReady, executionReady
	}
}

type sessionBody struct {
	SessionID     string        `json:"session_id"`
	VNCURL        string        `json:"vnc_url"`
	AgentName     string        `json:"agent_name"`
	Status        sessionStatus `json:"status"`
	CreatedAt     string        `json:"created_at"`
	EnvironmentID string        `json:"environment_id"`
	Goal          string        `json:"goal,omitempty"`
}

type successBody struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
}

type deleteBody struct {
	Success bool   `json:"success"`
	Deleted bool   `json:"deleted"`
	Message string `json:"message"`
}

type statusBody struct {
	Status executionStatus `json:"status"`
}

type messageBody struct {
	ID        int             `json:"id"`
	Type      string          `json:"type"`
	Content   json.RawMessage `json:"content"`
	Timestamp string          `json:"timestamp"`
	Metadata  struct{}        `json:"metadata"`
}

type messagesBody struct {
	Messages []messageBody   `json:"messages"`
	Status   executionStatus `json:"status"`
	HasAgent bool            `json:"has_agent"`
}

func message(e sessions.Event) messageBody {
	return messageBody{
		ID:        e.Message.ID,
		Type:      strings.ToUpper(string(e.Message.Type)),
		Content:   e.Message.Content,
		Timestamp: timestamp(e.At),
	}
}

// Event data of the stream, one shape per kind of event.
type (
	textData struct {
		Text      string `json:"text"`
		MessageID int    `json:"message_id"`
	}
	doneData struct {
		Text      string          `json:"text"`
		Result    json.RawMessage `json:"result"`
		MessageID int             `json:"message_id"`
	}
	errorData struct {
		Error      string `json:"error"`
		StatusCode int    `json:"status_code"`
	}
	timeData struct {
		Timestamp string `json:"timestamp"`
	}
)

// streamEvent gives the name and data of an event in the stream. A cancel has
// none: the vendor's stream does not tell it.
func streamEvent(e sessions.Event) (name string, data any) {
	m := e.Message
	switch {
	case e.Mark == sessions.Cancelled:
		return "", nil
	case e.Mark != "":
		return string(e.Mark), timeData{timestamp(e.At)}
	case m.Type == agent.Done:
		return "done", doneData{m.Text(), m.Content, m.ID}
	case m.Type == agent.Error:
		return "error", errorData{m.Text(), http.StatusInternalServerError}
	default:
		return string(m.Type), textData{m.Text(), m.ID}
	}
}

// timestamp is ISO 8601 in UTC with milliseconds, as the vendor documentation shows it.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func detail(w http.ResponseWriter, code int, text string) {
	writeJSON(w, code, map[string]string{"detail": text})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		code = http.StatusInternalServerError
		body.Reset()
		body.WriteString(`{"detail":"Internal server error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A caller who has gone cannot be told.
	_, _ = w.Write(body.Bytes())
}
