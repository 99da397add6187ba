package conformance

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const patience = 60 * time.Second

// trial is one row being tried.
type trial struct {
	*testing.T
	*server
}

type object = map[string]any

// answer is what the server answered; JSON is nil if the body is none.
type answer struct {
	code   int
	header http.Header
	body   string
	json   any
}

func (a answer) object() object {
	o, _ := a.json.(object)
	return o
}

func (t *trial) request(method, path string, body any, key string) *http.Response {
	t.Helper()
	var reader io.Reader
	if text, ok := body.(string); ok {
		reader = strings.NewReader(text)
	} else if body != nil {
		data, err := json.Marshal(body)
		require.NoError(t, err)
		reader = strings.NewReader(string(data))
	}
	req, err := http.NewRequestWithContext(t.Context(), method, t.base+path, reader)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := t.http.Do(req)
	require.NoError(t, err)
	return res
}

func (t *trial) callAs(key, method, path string, body any) answer {
	t.Helper()
	res := t.request(method, path, body, key)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	a := answer{code: res.StatusCode, header: res.Header, body: string(data)}
	_ = json.Unmarshal(data, &a.json) // rows that need JSON look at it
	return a
}

func (t *trial) call(method, path string, body any) answer {
	t.Helper()
	return t.callAs(t.key, method, path, body)
}

// ok calls and expects a 2xx with a JSON object.
func (t *trial) ok(method, path string, body any) object {
	t.Helper()
	a := t.call(method, path, body)
	require.Equal(t, 2, a.code/100, a.body)
	require.NotNil(t, a.object(), a.body)
	return a.object()
}

// create makes a session and deletes it when the row is done.
func (t *trial) create(body object) object {
	t.Helper()
	s := t.ok("POST", "/v1/sessions", body)
	id, ok := s["session_id"].(string)
	require.True(t, ok, s)
	t.Cleanup(func() {
		req, err := http.NewRequest("DELETE", t.base+"/v1/sessions/"+id, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+t.key)
		res, err := t.http.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	})
	return s
}

// path gives the path of a new session, below which its calls are; at makes it
// with the script agent and gives it a message.
func (t *trial) path() string {
	t.Helper()
	return "/v1/sessions/" + t.create(object{})["session_id"].(string)
}

func (t *trial) at(message string) string {
	t.Helper()
	at := "/v1/sessions/" + t.create(object{"agent_name": "script"})["session_id"].(string)
	if message != "" {
		t.send(at, message)
	}
	return at
}

func (t *trial) send(at, message string) {
	t.Helper()
	require.Equal(t, true, t.ok("POST", at+"/message", object{"message": message})["success"])
}

// until waits for an execution status and gives the messages.
func (t *trial) until(at, status string) []object {
	t.Helper()
	var list object
	require.Eventually(t, func() bool {
		list = t.ok("GET", at+"/messages", nil)
		return list["status"] == status
	}, patience, t.poll(), "status %s", status)
	return objects(list["messages"])
}

// poll is the time between two looks at a session.
func (t *trial) poll() time.Duration {
	if t.local {
		return 10 * time.Millisecond
	}
	return 2 * time.Second // what the vendor asks for
}

func objects(list any) []object {
	items, _ := list.([]any)
	all := make([]object, 0, len(items))
	for _, item := range items {
		if o, ok := item.(object); ok {
			all = append(all, o)
		}
	}
	return all
}

// types gives the types of messages, in order.
func types(messages []object) []any {
	all := make([]any, len(messages))
	for i, m := range messages {
		all[i] = m["type"]
	}
	return all
}

// reads expects what the documented reading is of the local server, and any of
// the known readings of another.
func (t *trial) reads(got, local any, others ...any) {
	t.Helper()
	if t.local {
		require.Equal(t, local, got)
		return
	}
	require.Contains(t, append(others, local), got)
}

// isSession expects a whole session object.
func (t *trial) isSession(s object) {
	t.Helper()
	id, _ := s["session_id"].(string)
	require.NoError(t, uuid.Validate(id), s)
	require.IsType(t, "", s["agent_name"])
	require.NotEmpty(t, s["agent_name"])
	require.Contains(t, []any{"initializing", "ready", "running", "paused", "completed", "error", "terminated", "waiting_for_input", "finished"}, s["status"])
	t.isTime(s["created_at"])
	if url, there := s["vnc_url"]; there && url != nil {
		require.Regexp(t, `^https?://`, url)
	}
}

func (t *trial) isTime(v any) {
	t.Helper()
	text, _ := v.(string)
	_, err := time.Parse(time.RFC3339Nano, text)
	require.NoError(t, err, v)
}

// isFieldError expects a 422 that names the field.
func (t *trial) isFieldError(a answer, field string) {
	t.Helper()
	require.Equal(t, http.StatusUnprocessableEntity, a.code, a.body)
	require.Contains(t, a.body, field)
	if !t.local {
		return
	}
	for _, problem := range objects(a.object()["detail"]) {
		require.Contains(t, problem["loc"], field)
		require.NotEmpty(t, problem["msg"])
		require.NotEmpty(t, problem["type"])
	}
}

// frame is one event of a stream.
type frame struct {
	id, event string
	data      object
}

// stream reads a session's events until the server ends them, or until enough
// is true of one.
func (t *trial) stream(path string, enough func(frame) bool) []frame {
	t.Helper()
	res := t.request("GET", path, nil, t.key)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.True(t, strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream"))
	var all []frame
	var f frame
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "" && f.event != "":
			all = append(all, f)
			if enough != nil && enough(f) {
				return all
			}
			f = frame{}
		case name == "id":
			f.id = value
		case name == "event":
			f.event = value
		case name == "data":
			require.NoError(t, json.Unmarshal([]byte(value), &f.data), value)
		}
	}
	return all
}

// told gives the names of events, without heartbeats.
func told(frames []frame) []string {
	var names []string
	for _, f := range frames {
		if f.event != "heartbeat" {
			names = append(names, f.event)
		}
	}
	return names
}
