package agi

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Options say how the API behaves where the vendor's documentation is silent
// or its SDKs disagree. The zero value is the reading that suits every one of
// the vendor's programs best.
type Options struct {
	// Strict refuses what the vendor advises against: a message while the agent
	// works, a pause of what is paused, a resume of what is not (all 409), and
	// save_as_default without a snapshot (422). By default all are accepted.
	Strict bool `toml:"strict"`
	// ErrorBody is the key of an error's text: "detail" (what the Python SDK
	// reads), "message" (Node) or "error" (C#).
	ErrorBody string `toml:"error_body"`
	// CreateStatus is the HTTP status of a created session, 200 or 201.
	CreateStatus int `toml:"create_status"`
	// DeleteUnknown is the HTTP status for deleting an unknown session: 200 as
	// documented, or 404 as the documentation's samples allow for.
	DeleteUnknown int `toml:"delete_unknown"`
	// AfterCancel is the execution status after a cancel, "ready" or "finished".
	AfterCancel string `toml:"after_cancel"`
	// AfterFinish is the session status after a task, "ready", "completed" or
	// "running".
	AfterFinish string `toml:"after_finish"`
	// WhilePaused is the execution status of a paused session, "paused" or
	// "running".
	WhilePaused string `toml:"while_paused"`
	// StreamCursor makes the event stream honour an after_id query, which the
	// C# SDK sends and the documentation does not know.
	StreamCursor bool `toml:"stream_cursor"`
	// Models is the form of the list of models: "names" (Node) or "objects" (C#).
	Models string `toml:"models"`
	// Heartbeat is the time between heartbeats of an event stream, 30 s.
	Heartbeat time.Duration `toml:"heartbeat"`
}

// Filled checks the options and puts the defaults where nothing is said.
func (o Options) Filled() (Options, error) {
	for _, c := range []struct {
		name    string
		value   *string
		allowed []string // the default first
	}{
		{"error_body", &o.ErrorBody, []string{"detail", "message", "error"}},
		{"after_cancel", &o.AfterCancel, []string{"ready", "finished"}},
		{"after_finish", &o.AfterFinish, []string{"ready", "completed", "running"}},
		{"while_paused", &o.WhilePaused, []string{"paused", "running"}},
		{"models", &o.Models, []string{"names", "objects"}},
	} {
		*c.value = cmp.Or(*c.value, c.allowed[0])
		if !slices.Contains(c.allowed, *c.value) {
			return o, fmt.Errorf("%s is %q, it can be %s", c.name, *c.value, strings.Join(c.allowed, ", "))
		}
	}
	o.CreateStatus = cmp.Or(o.CreateStatus, http.StatusOK)
	if o.CreateStatus != http.StatusOK && o.CreateStatus != http.StatusCreated {
		return o, fmt.Errorf("create_status is %d, it can be 200, 201", o.CreateStatus)
	}
	o.DeleteUnknown = cmp.Or(o.DeleteUnknown, http.StatusOK)
	if o.DeleteUnknown != http.StatusOK && o.DeleteUnknown != http.StatusNotFound {
		return o, fmt.Errorf("delete_unknown is %d, it can be 200, 404", o.DeleteUnknown)
	}
	o.Heartbeat = cmp.Or(o.Heartbeat, 30*time.Second)
	if o.Heartbeat < 0 {
		return o, fmt.Errorf("heartbeat is %s, it must be positive", o.Heartbeat)
	}
	return o, nil
}
