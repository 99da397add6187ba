package agi

import (
	"bytes"
	"encoding/json"
	"strings"
)

// ContentText turns a message's content into text for people: a string is
// itself, an object is its "text", and a list is its items' texts on a line
// each. What has no text is shown as compact JSON, null as nothing.
func ContentText(content json.RawMessage) string {
	var items []json.RawMessage
	if json.Unmarshal(content, &items) != nil {
		return itemText(content)
	}
	var lines []string
	for _, item := range items {
		if text := itemText(item); text != "" {
			lines = append(lines, text)
		}
	}
	return strings.Join(lines, "\n")
}

func itemText(item json.RawMessage) string {
	var text *string
	if json.Unmarshal(item, &text) == nil {
		if text == nil {
			return ""
		}
		return *text
	}
	var object struct {
		Text *string `json:"text"`
	}
	if json.Unmarshal(item, &object) == nil && object.Text != nil {
		return *object.Text
	}
	var compact bytes.Buffer
	if json.Compact(&compact, item) != nil {
		return ""
	}
	return compact.String()
}
