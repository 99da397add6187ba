package agen

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Options say how the API behaves where the vendor's documentation is silent.
// The zero value is the reading that asks least of a client.
type Options struct {
	// CreateStatus is the HTTP status of a created session and of a message, 200
	// or 201.
	CreateStatus int `toml:"create_status"`
	// ErrorBody is what an error's body has: "full" (message, error and
	// statusCode), "message" or "error" alone.
	ErrorBody string `toml:"error_body"`
	// DedupeClientIDs answers a second message of one client_id with the first,
	// and stores nothing.
	DedupeClientIDs bool `toml:"dedupe_client_ids"`
	// AllowClose lets an update with the status "closed" end a session.
	AllowClose bool `toml:"allow_close"`
	// NoGet leaves out the call that reads one session, which the vendor does
	// not document.
	NoGet bool `toml:"no_get"`
	// PageSize is how many sessions a page of the list has, 50.
	PageSize int `toml:"page_size"`
	// CursorQuery is the name of the query with which a client asks for the next
	// page, "cursor".
	CursorQuery string `toml:"cursor_query"`
	// Thoughts is the type of the events that tell of an agent's thoughts,
	// "agent_plan_execution_update" or "agent_message".
	Thoughts string `toml:"thoughts"`
	// Finish is how a task ends: "event" with a session_finished after the
	// agent's message, "message" with the message alone.
	Finish string `toml:"finish"`
	// Order is that of a timeline, "oldest_first" or "newest_first".
	Order string `toml:"order"`
}

// Filled checks the options and puts the defaults where nothing is said.
func (o Options) Filled() (Options, error) {
	for _, c := range []struct {
		name    string
		value   *string
		allowed []string // the default first
	}{
		{"error_body", &o.ErrorBody, []string{"full", "message", "error"}},
		{"thoughts", &o.Thoughts, []string{planUpdate, agentMessage}},
		{"finish", &o.Finish, []string{"event", "message"}},
		{"order", &o.Order, []string{"oldest_first", "newest_first"}},
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
	if o.PageSize < 0 {
		return o, fmt.Errorf("page_size is %d, it must be positive", o.PageSize)
	}
	o.PageSize = cmp.Or(o.PageSize, 50)
	o.CursorQuery = cmp.Or(o.CursorQuery, "cursor")
	return o, nil
}
