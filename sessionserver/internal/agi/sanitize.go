package agi

import (
	"encoding/json"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// Shown is a message as a client gets to see it. Sanitizing leaves out what
// the vendor documentation names: system messages, internal prompts and images.
// How a turn ended is never left out.
func Shown(m agent.Message, sanitize bool) (agent.Message, bool) {
	if !sanitize {
		return m, true
	}
	outcome := m.Type != agent.Thought && m.Type != agent.Log
	if m.Hidden && !outcome {
		return m, false
	}
	var items []json.RawMessage
	if json.Unmarshal(m.Content, &items) != nil {
		return m, outcome || !isImage(m.Content)
	}
	kept := make([]json.RawMessage, 0, len(items))
	for _, item := range items {
		if !isImage(item) {
			kept = append(kept, item)
		}
	}
	if len(kept) == len(items) {
		return m, true
	}
	content, err := json.Marshal(kept)
	if err != nil {
		return m, outcome
	}
	m.Content = content
	return m, outcome || len(kept) > 0
}

// isImage says whether a content is an image, an object of that type.
func isImage(content json.RawMessage) bool {
	var object struct {
		Type string `json:"type"`
	}
	return json.Unmarshal(content, &object) == nil && (object.Type == "image" || object.Type == "image_url")
}
