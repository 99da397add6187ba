package everruns

import (
	"encoding/json"
	"strings"
)

// ContentPart is one part of a message. Which fields it has depends on its
// type.
type ContentPart struct {
	Type ContentType `json:"type"`

	Text string `json:"text,omitempty"` // text

	URL       string `json:"url,omitempty"`        // image
	Base64    string `json:"base64,omitempty"`     // image, instead of a URL
	MediaType string `json:"media_type,omitempty"` // image, with Base64

	ImageID  string `json:"image_id,omitempty"` // image_file
	Filename string `json:"filename,omitempty"` // image_file

	ID        string          `json:"id,omitempty"`        // tool_call
	Name      string          `json:"name,omitempty"`      // tool_call
	Arguments json.RawMessage `json:"arguments,omitempty"` // tool_call

	ToolCallID string          `json:"tool_call_id,omitempty"` // tool_result
	Result     json.RawMessage `json:"result,omitempty"`       // tool_result
	Error      string          `json:"error,omitempty"`        // tool_result
}

// MarshalJSON writes the text of a text part even if it is empty, as the API
// requires it.
func (p ContentPart) MarshalJSON() ([]byte, error) {
	type plain ContentPart
	if p.Type != ContentText || p.Text != "" {
		return json.Marshal(plain(p))
	}
	return json.Marshal(struct {
		Type ContentType `json:"type"`
		Text string      `json:"text"`
	}{p.Type, p.Text})
}

// Content is what a message consists of.
type Content []ContentPart

// TextContent is content of one text part.
func TextContent(text string) Content {
	return Content{{Type: ContentText, Text: text}}
}

// UnmarshalJSON also reads a bare text and a single part. A part that is not
// what the API promises keeps its place, without its fields: one odd message is
// no reason to lose the others.
func (c *Content) UnmarshalJSON(raw []byte) error {
	*c = nil
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		items = []json.RawMessage{raw}
	}
	for _, item := range items {
		*c = append(*c, partOf(item))
	}
	return nil
}

func partOf(raw json.RawMessage) ContentPart {
	var text *string
	if json.Unmarshal(raw, &text) == nil {
		if text == nil {
			return ContentPart{}
		}
		return ContentPart{Type: ContentText, Text: *text}
	}
	var part ContentPart
	_ = json.Unmarshal(raw, &part)
	return part
}

// Text is the content's text for people: its text parts, on a line each.
func (c Content) Text() string {
	var lines []string
	for _, part := range c {
		if part.Type == ContentText && part.Text != "" {
			lines = append(lines, part.Text)
		}
	}
	return strings.Join(lines, "\n")
}
