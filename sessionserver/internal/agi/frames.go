package agi

import (
	"encoding/json"
	"net/http"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

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

// frame gives the name and data of an event in the stream, and no name for one
// that is not told there: a cancel, of which the vendor's stream says nothing,
// and what sanitizing leaves out. Last is the id of the message before it.
func frame(e sessions.Event, sanitize bool, last int) (name string, data any) {
	switch e.Mark {
	case "":
	case sessions.Cancelled, sessions.Taken:
		return "", nil
	case sessions.Step:
		return string(e.Mark), textData{e.Text, last}
	default:
		return string(e.Mark), timeData{timestamp(e.At)}
	}
	m, ok := Shown(e.Message, sanitize)
	if !ok {
		return "", nil
	}
	switch m.Type {
	case agent.Done:
		return "done", doneData{m.Text(), m.Content, m.ID}
	case agent.Error:
		return "error", errorData{m.Text(), http.StatusInternalServerError}
	default:
		return string(m.Type), textData{m.Text(), m.ID}
	}
}
