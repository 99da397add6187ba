package agi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// sendRequest is the body of a message. config_updates is known from the
// vendor's Node and Python SDKs, context from its C# SDK; what they do is up to
// the agent.
type sendRequest struct {
	Message       *string    `json:"message"`
	StartURL      string     `json:"start_url"`
	ConfigUpdates jsonObject `json:"config_updates"`
	Context       jsonObject `json:"context"`
}

// jsonObject is an object of no documented shape.
type jsonObject map[string]json.RawMessage

// raw is the object as JSON, nil if there is none.
func (o jsonObject) raw() (json.RawMessage, error) {
	if o == nil {
		return nil, nil
	}
	return json.Marshal(o)
}

func (f *Face) send(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	var req sendRequest
	err := decode(r, &req)
	if err == nil {
		err = req.check()
	}
	m := sessions.UserMessage{StartURL: req.StartURL, IfIdle: f.Strict}
	if err == nil {
		m.Text = *req.Message
		m.Config, err = req.ConfigUpdates.raw()
	}
	if err == nil {
		m.Context, err = req.Context.raw()
	}
	if err == nil {
		err = s.Send(m)
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, successBody{Success: true, Message: "Message sent successfully"})
}

func (req sendRequest) check() error {
	var wrong invalid
	switch {
	case req.Message == nil:
		wrong.add("body", "message", "missing", "Field required")
	case *req.Message == "":
		wrong.add("body", "message", "string_too_short", "String should have at least 1 character")
	case utf8.RuneCountInString(*req.Message) > maxMessage:
		wrong.add("body", "message", "string_too_long", fmt.Sprintf("String should have at most %d characters", maxMessage))
	}
	wrong.checkURL("start_url", req.StartURL, "http", "https")
	return wrong.err()
}

func (f *Face) status(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
	_, execution := f.statuses(s.Status())
	writeJSON(w, http.StatusOK, statusBody{Status: execution})
}

func (f *Face) messages(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	q := r.URL.Query()
	var wrong invalid
	sanitize := wrong.queryBool(q, "sanitize", true)
	after := wrong.queryInt(q, "after_id")
	if err := wrong.err(); err != nil {
		f.fail(w, r, err)
		return
	}
	events, status := s.Messages(after)
	_, execution := f.statuses(status)
	body := messagesBody{Messages: make([]messageBody, 0, len(events)), Status: execution, HasAgent: true}
	for _, e := range events {
		if m, ok := Shown(e.Message, sanitize); ok {
			body.Messages = append(body.Messages, message(e, m))
		}
	}
	writeJSON(w, http.StatusOK, body)
}

// queryInt reads a whole number, 0 if it is not there.
func (v *invalid) queryInt(q map[string][]string, name string) int {
	values := q[name]
	if len(values) == 0 || values[0] == "" {
		return 0
	}
	n, err := strconv.Atoi(values[0])
	if err != nil {
		v.add("query", name, "int_parsing", "Input should be a valid integer")
	}
	return n
}
