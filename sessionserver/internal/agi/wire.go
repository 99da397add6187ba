package agi

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/face"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// sessionStatus is the lifecycle status of a session.
type sessionStatus string

// The vendor's documentation names these. A session is initializing as long as
// the server is told to take for it, and completed if the options say so.
const (
	sessionInitializing sessionStatus = "initializing"
	sessionReady        sessionStatus = "ready"
	sessionRunning      sessionStatus = "running"
	sessionPaused       sessionStatus = "paused"
	sessionError        sessionStatus = "error"
	sessionTerminated   sessionStatus = "terminated"
)

// executionStatus is the status of a session's task.
type executionStatus string

const (
	executionReady    executionStatus = "ready"
	executionRunning  executionStatus = "running"
	executionWaiting  executionStatus = "waiting_for_input"
	executionFinished executionStatus = "finished"
	executionError    executionStatus = "error"
)

// statuses puts an engine status on the vendor's two axes.
func (o Options) statuses(s sessions.Status) (session sessionStatus, execution executionStatus) {
	switch s.Phase {
	case sessions.Running:
		session, execution = sessionRunning, executionRunning
	case sessions.Waiting:
		session, execution = sessionRunning, executionWaiting
	case sessions.Finished:
		session, execution = sessionStatus(o.AfterFinish), executionFinished
	case sessions.Failed:
		session, execution = sessionError, executionError
	case sessions.GivenUp:
		session, execution = sessionReady, executionStatus(o.AfterCancel)
	default:
		session, execution = sessionReady, executionReady
	}
	switch {
	case s.Paused:
		return sessionPaused, executionStatus(o.WhilePaused)
	case s.Starting:
		return sessionInitializing, execution
	}
	return session, execution
}

type sessionBody struct {
	SessionID        string        `json:"session_id"`
	VNCURL           string        `json:"vnc_url,omitempty"` // sessions that are gone have none
	AgentName        string        `json:"agent_name"`
	Status           sessionStatus `json:"status"`
	CreatedAt        string        `json:"created_at"`
	EnvironmentID    string        `json:"environment_id"`
	Goal             string        `json:"goal,omitempty"`
	AgentSessionType string        `json:"agent_session_type,omitempty"`
}

func facts(f sessions.Facts, status sessionStatus) sessionBody {
	return sessionBody{
		SessionID:        f.ID,
		AgentName:        f.Agent,
		Status:           status,
		CreatedAt:        timestamp(f.CreatedAt),
		EnvironmentID:    f.EnvironmentID,
		Goal:             f.Goal,
		AgentSessionType: f.Type,
	}
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

type navigateBody struct {
	CurrentURL string `json:"current_url"`
}

type screenshotBody struct {
	Screenshot string `json:"screenshot"`
	URL        string `json:"url"`
	Title      string `json:"title"`
	Width      int    `json:"width,omitempty"` // read by the vendor's C# SDK alone, like height
	Height     int    `json:"height,omitempty"`
}

type modelBody struct {
	ID   string `json:"id"`
	Name string `json:"name"`
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

func message(e sessions.Event, m agent.Message) messageBody {
	return messageBody{
		ID:        m.ID,
		Type:      strings.ToUpper(string(m.Type)),
		Content:   m.Content,
		Timestamp: timestamp(e.At),
	}
}

// timestamp is ISO 8601 in UTC with milliseconds, as the vendor documentation shows it.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func writeJSON(w http.ResponseWriter, code int, v any) {
	face.WriteJSON(w, code, "application/json", v)
}
