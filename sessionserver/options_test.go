package sessionserver

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each option, beside what happens without it.
func TestOptions(t *testing.T) {
	finished := func(c *caller) string {
		id := c.create("script")
		c.send(id, "finish ok")
		c.until(id, "finished")
		return id
	}
	working := func(c *caller) string {
		id := c.create("script")
		c.send(id, "wait 1h")
		return id
	}
	paused := func(c *caller) string {
		id := working(c)
		c.ok("POST", "/v1/sessions/"+id+"/pause", nil, nil)
		return id
	}
	cancelled := func(c *caller) string {
		id := working(c)
		c.ok("POST", "/v1/sessions/"+id+"/cancel", nil, nil)
		return id
	}
	tests := []struct {
		name       string
		options    AGIOptions
		ready      func(*caller) string // gives {id}
		call       string
		body       string
		code       int
		has        string // in the answer
		otherwise  int    // the code without the option
		otherwhere string // in the answer without the option
	}{
		{"a message while the agent works", AGIOptions{Strict: true}, working, "POST /v1/sessions/{id}/message", `{"message":"x"}`, 409, "still working", 200, "success"},
		{"a pause of what is paused", AGIOptions{Strict: true}, paused, "POST /v1/sessions/{id}/pause", "", 409, "already_paused", 200, "success"},
		{"a resume of what is not paused", AGIOptions{Strict: true}, working, "POST /v1/sessions/{id}/resume", "", 409, "not_paused", 200, "success"},
		{"a default of nothing", AGIOptions{Strict: true}, finished, "DELETE /v1/sessions/{id}?save_as_default=true", "", 422, "save_as_default", 200, "deleted"},
		{"an error as a message", AGIOptions{ErrorBody: "message"}, nil, "GET /v1/sessions/x", "", 404, `{"message":"Session not found"}`, 404, `{"detail":"Session not found"}`},
		{"an error as an error", AGIOptions{ErrorBody: "error"}, nil, "GET /v1/sessions/x", "", 404, `{"error":"Session not found"}`, 404, `"detail"`},
		{"field errors beside a message", AGIOptions{ErrorBody: "message"}, nil, "POST /v1/sessions", `{"webhook_url":"x"}`, 422, `"message":"webhook_url: URL should`, 422, `{"detail":[{"loc":["body","webhook_url"]`},
		{"a created session", AGIOptions{CreateStatus: 201}, nil, "POST /v1/sessions", `{}`, 201, "session_id", 200, "session_id"},
		{"a delete of an unknown session", AGIOptions{DeleteUnknown: 404}, nil, "DELETE /v1/sessions/x", "", 404, "not found", 200, `"deleted":false`},
		{"the status after a cancel", AGIOptions{AfterCancel: "finished"}, cancelled, "GET /v1/sessions/{id}/status", "", 200, "finished", 200, "ready"},
		{"the session after a finish", AGIOptions{AfterFinish: "completed"}, finished, "GET /v1/sessions/{id}", "", 200, `"completed"`, 200, `"ready"`},
		{"the status while paused", AGIOptions{WhilePaused: "running"}, paused, "GET /v1/sessions/{id}/status", "", 200, "running", 200, "paused"},
		{"the models as objects", AGIOptions{Models: "objects"}, nil, "GET /v1/models", "", 200, `{"id":"script","name":"script"}`, 200, `["agi-0",`},
	}
	_, plain := serve(t, Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, c := serve(t, Config{AGI: tt.options})
			for _, try := range []struct {
				c    *caller
				code int
				has  string
			}{{c, tt.code, tt.has}, {plain, tt.otherwise, tt.otherwhere}} {
				id := ""
				if tt.ready != nil {
					id = tt.ready(try.c)
				}
				code, body := try.c.call(method(tt.call), path(tt.call, id), tt.body)
				require.Equal(t, try.code, code, body)
				require.Contains(t, body, try.has)
			}
		})
	}
}

func TestAnOptionThatIsNoneIsRefused(t *testing.T) {
	for want, o := range map[string]AGIOptions{
		`error_body is "xml", it can be detail, message, error`: {ErrorBody: "xml"},
		`after_cancel is "x", it can be ready, finished`:        {AfterCancel: "x"},
		"create_status is 204, it can be 200, 201":              {CreateStatus: 204},
		"delete_unknown is 500, it can be 200, 404":             {DeleteUnknown: 500},
		"heartbeat is -1ns, it must be positive":                {Heartbeat: -1},
	} {
		_, err := New(Config{Dir: t.TempDir(), AGI: o})
		require.ErrorContains(t, err, want)
	}
}

func TestTheStreamHonoursACursorIfToldTo(t *testing.T) {
	ids := func(o AGIOptions) []string {
		_, c := serve(t, Config{AGI: o})
		id := c.create("script")
		c.send(id, "think a; think b; finish ok")
		c.until(id, "finished")
		var got []string
		for _, f := range c.events("/v1/sessions/" + id + "/events?after_id=2").rest() {
			got = append(got, f.id)
		}
		return got
	}
	require.Equal(t, []string{"1", "2", "3", "4"}, ids(AGIOptions{}))
	require.Equal(t, []string{"3", "4"}, ids(AGIOptions{StreamCursor: true}))
}

func TestTerminatedSessionsStayInTheListIfToldTo(t *testing.T) {
	_, c := serve(t, Config{ListTerminated: true})
	id := c.create("script")
	c.ok("DELETE", "/v1/sessions/"+id, nil, nil)
	var list []sessionJSON
	c.ok("GET", "/v1/sessions", nil, &list)
	require.Len(t, list, 1)
	require.Equal(t, "terminated", list[0].Status)
	require.Empty(t, list[0].VNCURL)
	code, _ := c.call("GET", "/v1/sessions/"+id, "")
	require.Equal(t, http.StatusNotFound, code)
}

func TestASessionIsInitializingFirst(t *testing.T) {
	_, c := serve(t, Config{Boot: 100 * time.Millisecond})
	s := c.createWith(map[string]any{"agent_name": "script"})
	require.Equal(t, "initializing", s.Status)
	c.send(s.SessionID, "finish ok")
	c.until(s.SessionID, "finished")
}

func TestUsersSeeTheirOwnSessionsOnly(t *testing.T) {
	_, a := serve(t, Config{Keys: []Key{{Value: "a1", User: "ann"}, {Value: "a2", User: "ann"}, {Value: "b"}, {Value: "old", Revoked: true}}})
	a.key = "a1"
	id := a.create("script")
	as := func(key string) *caller {
		c := *a
		c.key = key
		return &c
	}
	var list []sessionJSON
	as("a2").ok("GET", "/v1/sessions", nil, &list)
	require.Len(t, list, 1)
	as("b").ok("GET", "/v1/sessions", nil, &list)
	require.Empty(t, list)
	for _, call := range []string{"GET /v1/sessions/{id}", "POST /v1/sessions/{id}/cancel", "GET /v1/sessions/{id}/events"} {
		code, _ := as("b").call(method(call), path(call, id), "")
		require.Equal(t, http.StatusNotFound, code, call)
	}
	_, body := as("b").call("DELETE", "/v1/sessions/"+id, "")
	require.Contains(t, body, `"deleted":false`)
	as("b").ok("DELETE", "/v1/sessions", nil, nil)
	a.ok("GET", "/v1/sessions/"+id, nil, nil)
	code, body := as("old").call("GET", "/v1/sessions", "")
	require.Equal(t, http.StatusForbidden, code, body)
}

func TestMoreRequestsThanAllowedAreToldToWait(t *testing.T) {
	_, c := serve(t, Config{RequestsPerSecond: 0.01, Burst: 2, Keys: []Key{{Value: "a"}, {Value: "b"}}})
	c.key = "a"
	c.ok("GET", "/v1/models", nil, nil)
	c.ok("GET", "/v1/models", nil, nil)
	res := c.request("GET", "/v1/models", "")
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	require.Regexp(t, `^[0-9]+$`, res.Header.Get("Retry-After"))
	c.key = "b"
	c.ok("GET", "/v1/models", nil, nil)
}
