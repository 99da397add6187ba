package provider

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/errand-dev/errand/apiclient/everruns"
)

// everrunsEntryType says which entry an event becomes, if it becomes one. What
// only frames other events does not, and what this adapter does not know is a
// log line.
func everrunsEntryType(kind everruns.EventType) (EntryType, bool) {
	switch kind {
	case everruns.EventInputMessage:
		return EntryUser, true
	case everruns.EventOutputCompleted, everruns.EventOutputReplaced, everruns.EventThinkingCompleted, everruns.EventReasonCompleted:
		return EntryThought, true
	case everruns.EventToolCallRequested:
		return EntryQuestion, true
	case everruns.EventTurnCompleted:
		return EntryDone, true
	case everruns.EventTurnFailed, everruns.EventTurnCancelled, everruns.EventTurnSealed:
		return EntryError, true
	case everruns.EventSessionStarted, everruns.EventSessionActivated, everruns.EventSessionIdled, everruns.EventTurnStarted,
		everruns.EventReasonStarted, everruns.EventThinkingStarted, everruns.EventThinkingDelta,
		everruns.EventActStarted, everruns.EventActCompleted,
		everruns.EventOutputStarted, everruns.EventOutputDelta, everruns.EventGeneration, "tool.output.delta":
		return "", false
	default:
		return EntryLog, true
	}
}

// entries is what the session said, for people.
func (t *everrunsTurn) entries() []Entry {
	var entries []Entry
	for _, e := range t.news {
		kind, said := everrunsEntryType(e.Type)
		if !said {
			continue
		}
		text := t.textOf(e)
		if text == "" {
			continue
		}
		entries = append(entries, Entry{ID: e.ID, Type: kind, Text: text, Content: e.Data, At: e.TS.Time})
	}
	return entries
}

// textOf is an event in words, empty for one that says nothing of its own.
func (t *everrunsTurn) textOf(e everruns.Event) string {
	switch e.Type {
	case everruns.EventInputMessage, everruns.EventOutputCompleted, everruns.EventOutputReplaced:
		if t.outcome != nil && t.outcome.Kind == OutcomeFinished && t.outputs.last[t.ended].event == e.ID {
			return "" // the result, which the end of the turn repeats
		}
		data, _ := everruns.DataOf[everruns.MessageData](e)
		return data.Message.Content.Text()
	case everruns.EventThinkingCompleted:
		data, _ := everruns.DataOf[everruns.ThinkingData](e)
		return data.Thinking
	case everruns.EventReasonCompleted:
		data, _ := everruns.DataOf[everruns.ReasonCompletedData](e)
		if !data.Success || !data.HasToolCalls {
			return data.Error // words without a call of a tool are an output message
		}
		return data.TextPreview
	case everruns.EventToolStarted:
		data, _ := everruns.DataOf[everruns.ToolStartedData](e)
		return "calls " + data.ToolCall.Name
	case everruns.EventToolCompleted:
		data, _ := everruns.DataOf[everruns.ToolCompletedData](e)
		return withReason(fmt.Sprintf("%s: %s", data.ToolName, cmp.Or(data.Status, "done")), data.Error)
	case everruns.EventToolCallRequested:
		var texts []string
		for _, call := range factsOf(e).requested {
			texts = append(texts, everrunsQuestion(call))
		}
		return numbered(texts)
	case everruns.EventTurnCompleted:
		if t.outcome != nil && t.outcome.ID == e.ID {
			return cmp.Or(t.outcome.Text, "done")
		}
		return "done"
	case everruns.EventTurnFailed, everruns.EventTurnCancelled, everruns.EventTurnSealed:
		return everrunsEnd(e).Text
	default:
		return string(e.Type)
	}
}

// everrunsQuestion is what a call asks a person. Which arguments it has is the
// tool's own affair: the usual ones are looked for, and all are shown where
// there is none of them.
func everrunsQuestion(call everruns.ToolCall) string {
	raw := call.Arguments
	var inText string
	if json.Unmarshal(raw, &inText) == nil { // some models give their arguments as text
		raw = json.RawMessage(inText)
	}
	var arguments map[string]json.RawMessage
	_ = json.Unmarshal(raw, &arguments)
	for _, name := range []string{"question", "message", "prompt", "text"} {
		var text string
		if json.Unmarshal(arguments[name], &text) == nil && strings.TrimSpace(text) != "" {
			return text
		}
	}
	if text := everrunsForm(arguments["questions"]); text != "" {
		return text
	}
	var compact bytes.Buffer
	if len(bytes.TrimSpace(raw)) == 0 || json.Compact(&compact, raw) != nil {
		return strings.TrimSpace(cmp.Or(call.Name, "tool") + " " + string(raw))
	}
	return cmp.Or(call.Name, "tool") + " " + compact.String()
}

// everrunsForm reads a list of questions, each with what can be chosen, if it
// is one.
func everrunsForm(raw json.RawMessage) string {
	var questions []struct {
		Question string `json:"question"`
		Options  []struct {
			Label string `json:"label"`
		} `json:"options"`
	}
	if json.Unmarshal(raw, &questions) != nil {
		return ""
	}
	var texts []string
	for _, q := range questions {
		if q.Question == "" {
			continue
		}
		lines := []string{q.Question}
		for _, option := range q.Options {
			lines = append(lines, "- "+option.Label)
		}
		texts = append(texts, strings.Join(lines, "\n"))
	}
	return numbered(texts)
}

// numbered numbers texts where there are several.
func numbered(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}
	var lines []string
	for i, text := range texts {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, text))
	}
	return strings.Join(lines, "\n")
}
