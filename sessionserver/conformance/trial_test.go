package conformance

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

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

func (t *trial) request(method, path string, body any, key string, header http.Header) *http.Response {
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
	maps.Copy(req.Header, header)
	if key != "" {
		req.Header.Set("Authorization", t.scheme+key)
	}
	res, err := t.http.Do(req)
	require.NoError(t, err)
	return res
}

func (t *trial) callAs(key, method, path string, body any) answer {
	t.Helper()
	res := t.request(method, path, body, key, nil)
	defer res.Body.Close()
	return t.read(res)
}

// callWith calls with a header besides those of every call.
func (t *trial) callWith(header http.Header, method, path string, body any) answer {
	t.Helper()
	res := t.request(method, path, body, t.key, header)
	defer res.Body.Close()
	return t.read(res)
}

func (t *trial) read(res *http.Response) answer {
	t.Helper()
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

func (t *trial) isTime(v any) {
	t.Helper()
	text, _ := v.(string)
	_, err := time.Parse(time.RFC3339Nano, text)
	require.NoError(t, err, v)
}

// frame is one event of a stream.
type frame struct {
	id, event, retry string
	comment          string // of a line that readers pass over; the rest is empty
	data             object
}

// undo deletes what a row has made when the row is done.
func (t *trial) undo(path string) {
	t.Helper()
	t.Cleanup(func() {
		req, err := http.NewRequest("DELETE", t.base+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", t.scheme+t.key)
		res, err := t.http.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	})
}

// stream reads a session's events until the server ends them, or until enough
// is true of one.
func (t *trial) stream(path string, enough func(frame) bool) []frame {
	t.Helper()
	var all []frame
	t.following(path, nil, func(f frame) bool {
		all = append(all, f)
		return enough != nil && enough(f)
	})
	return all
}

// following reads a stream until the server ends it or enough is true; then is
// called as soon as it is open.
func (t *trial) following(path string, then func(), enough func(frame) bool) {
	t.Helper()
	res := t.request("GET", path, nil, t.key, nil)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.True(t, strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream"))
	if then != nil {
		then()
	}
	var f frame
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "" && f.event != "":
			if enough(f) {
				return
			}
			f = frame{}
		case name == "" && lines.Text() != "":
			if enough(frame{comment: value}) {
				return
			}
		case name == "id":
			f.id = value
		case name == "retry":
			f.retry = value
		case name == "event":
			f.event = value
		case name == "data":
			require.NoError(t, json.Unmarshal([]byte(value), &f.data), value)
		}
	}
}
