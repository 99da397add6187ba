package provider

import (
	"encoding/json"
	"strings"
)

// resultOfText is the result of a turn at vendors whose agents answer in text:
// the JSON that the text is, alone or as one fenced block of Markdown, else the
// text as a JSON string.
func resultOfText(text string) json.RawMessage {
	trimmed := strings.TrimSpace(text)
	for _, candidate := range []string{trimmed, unfenced(trimmed)} {
		if json.Valid([]byte(candidate)) {
			return json.RawMessage(candidate)
		}
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("a string is always JSON: " + err.Error())
	}
	return quoted
}

// unfenced is the inside of a text that is one fenced block, empty for others.
func unfenced(text string) string {
	const fence = "```"
	info, rest, found := strings.Cut(text, "\n")
	if !found || (info != fence && info != fence+"json") {
		return ""
	}
	inside, found := strings.CutSuffix(rest, fence)
	if !found || strings.Contains(inside, fence) {
		return ""
	}
	return strings.TrimSpace(inside)
}
