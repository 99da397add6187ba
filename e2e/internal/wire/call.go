package wire

import (
	"net/http"
	"strings"
)

// Call is what a request asks of the vendor, whose API is that of AGI's agent
// sessions.
type Call string

// The calls that a worker makes.
const (
	Create Call = "create"
	Send   Call = "send"
	Find   Call = "find" // the messages, in search of one's own
	Read   Call = "read" // the messages, for what is new
	Watch  Call = "watch"
	Pause  Call = "pause"
	Resume Call = "resume"
	Cancel Call = "cancel"
	Delete Call = "delete"
	Other  Call = "other"
)

func callOf(r *http.Request) Call {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/sessions")
	if !ok {
		return Other
	}
	_, verb, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch r.Method + " " + verb {
	case "POST ":
		return Create
	case "POST message":
		return Send
	case "GET messages":
		if r.URL.Query().Get("sanitize") == "false" {
			return Find
		}
		return Read
	case "GET events":
		return Watch
	case "POST pause":
		return Pause
	case "POST resume":
		return Resume
	case "POST cancel":
		return Cancel
	case "DELETE ":
		if path != "" && path != "/" {
			return Delete
		}
	}
	return Other
}
