package rest

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds a message, in bytes: it ends up in logs and histories.
const maxMessage = 1 << 10

// errorBody is what could be understood of an error answer.
type errorBody struct {
	message    string
	code       string
	kind       string
	fields     []FieldError
	retryAfter string // seconds, unparsed
}

type object = map[string]json.RawMessage

// parseErrorBody understands the shapes seen in the vendors' documentation and
// SDKs. The first of detail, message, msg, error, errors and title that
// says something, itself or within, is the message; a body that is not JSON is its own message, and a
// proxy's HTML page is none.
func parseErrorBody(raw []byte, mediaType string) errorBody {
	raw = bytes.TrimSpace(raw)
	if strings.Contains(mediaType, "html") || bytes.HasPrefix(raw, []byte("<")) {
		return errorBody{}
	}
	var doc object
	if json.Unmarshal(raw, &doc) != nil {
		message, fields := describe(raw)
		return errorBody{message: firstNonEmpty(message, rawMessage(raw)), fields: fields}
	}

	body := errorBody{retryAfter: scalar(doc["retry_after_seconds"])}
	body.read(doc, 0)
	body.message = firstNonEmpty(body.message, rawMessage(raw))
	return body
}

// maxNesting is how deep an error may lie within an error.
const maxNesting = 3

// read takes from an object what the body does not say yet.
func (b *errorBody) read(doc object, depth int) {
	b.code = firstNonEmpty(b.code, scalar(doc["code"]))
	b.kind = firstNonEmpty(b.kind, scalar(doc["type"]))
	for _, key := range []string{"detail", "message", "msg", "error", "errors", "title"} {
		var said errorBody
		var nested object
		if json.Unmarshal(doc[key], &nested) != nil {
			said.message, said.fields = describe(doc[key])
		} else if depth < maxNesting {
			said.read(nested, depth+1)
			if said.message == "" {
				said.message, said.fields = describeByField(nested, key == "errors")
			}
		}
		b.message = firstNonEmpty(b.message, said.message)
		b.code = firstNonEmpty(b.code, said.code)
		b.kind = firstNonEmpty(b.kind, said.kind)
		if b.fields == nil {
			b.fields = said.fields
		}
	}
}

// rawMessage is the body as it is, unless it is JSON that says nothing.
func rawMessage(raw []byte) string {
	switch string(raw) {
	case "{}", "[]", "null", `""`:
		return ""
	}
	return clean(string(raw))
}

// describe reads a string, or a list of strings and of objects with a message.
// The items that name a field are given back as fields too.
func describe(raw json.RawMessage) (string, []FieldError) {
	if text, ok := stringOf(raw); ok {
		return clean(text), nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return "", nil
	}
	var parts []string
	var fields []FieldError
	for _, item := range list {
		text, isString := stringOf(item)
		field := FieldError{Message: clean(text)}
		if !isString {
			field = fieldOf(item)
			if field != (FieldError{}) {
				fields = append(fields, field)
			}
		}
		parts = append(parts, line(field))
	}
	return joinParts(parts), fields
}

// describeByField reads {"field": ["complaint", …]}, and {"field": "complaint"}
// where nothing else can be meant.
func describeByField(doc object, orStrings bool) (string, []FieldError) {
	var parts []string
	var fields []FieldError
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		if _, isString := stringOf(doc[name]); isString && !orStrings {
			continue
		}
		if message, _ := describe(doc[name]); message != "" {
			field := FieldError{Path: clean(name), Message: message}
			fields = append(fields, field)
			parts = append(parts, line(field))
		}
	}
	return joinParts(parts), fields
}

// fieldOf reads one item of a validation list, {loc, msg, type} in FastAPI's
// words and {field, message, code} in others'.
func fieldOf(raw json.RawMessage) FieldError {
	var doc object
	if json.Unmarshal(raw, &doc) != nil {
		return FieldError{}
	}
	path := firstNonEmpty(scalar(doc["loc"]), scalar(doc["field"]), scalar(doc["path"]))
	var loc []json.RawMessage
	if json.Unmarshal(doc["loc"], &loc) == nil {
		var names []string
		for _, element := range loc {
			names = append(names, scalar(element))
		}
		path = strings.Join(names, ".")
	}
	return FieldError{
		Path:    clean(path),
		Message: clean(messageOf(doc)),
		Type:    clean(firstNonEmpty(scalar(doc["type"]), scalar(doc["code"]))),
	}
}

func messageOf(doc object) string {
	for _, key := range []string{"message", "msg", "detail", "error", "title"} {
		if text, ok := stringOf(doc[key]); ok && text != "" {
			return text
		}
	}
	return ""
}

func stringOf(raw json.RawMessage) (string, bool) {
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}

// scalar gives a string, number or boolean as text, and "" for the rest.
func scalar(raw json.RawMessage) string {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return ""
	}
	switch value := value.(type) {
	case string:
		return clean(value)
	case float64:
		return clean(string(raw))
	case bool:
		return strconv.FormatBool(value)
	}
	return ""
}

func line(f FieldError) string {
	if f.Path == "" || f.Message == "" {
		return f.Path + f.Message
	}
	return f.Path + ": " + f.Message
}

func joinParts(parts []string) string {
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return truncate(strings.Join(parts, "; "), maxMessage)
}

func firstNonEmpty(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// clean makes one bounded line of a server's text, without the control
// characters that would reach a person's terminal.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text) // also replaces invalid UTF-8
	return truncate(strings.Join(strings.Fields(text), " "), maxMessage)
}

// truncate cuts valid UTF-8 to at most size bytes, between two runes.
func truncate(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for size > 0 && !utf8.RuneStart(text[size]) {
		size--
	}
	return text[:size]
}
