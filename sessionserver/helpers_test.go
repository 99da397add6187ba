package sessionserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	patience  = 20 * time.Second
	pollEvery = 5 * time.Millisecond
)

// caller calls the API of one server.
type caller struct {
	t    testing.TB
	base string
	key  string
	http *http.Client
}

func newCaller(t testing.TB, base string) *caller {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{t: t, base: base, http: &http.Client{Transport: transport}}
}

// serve runs a server for the length of a test.
func serve(t testing.TB, c Config) (*Server, *caller) {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := New(c)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, s.Close(ctx))
		require.NoError(t, <-served)
	})
	return s, newCaller(t, "http://"+l.Addr().String())
}

// child runs a server in a process of its own.
func child(t testing.TB, dir string, env ...string) (*exec.Cmd, *caller) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childDir+"="+dir), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	addr, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return cmd, newCaller(t, "http://"+strings.TrimSpace(addr))
}

func (c *caller) request(method, path, body string) *http.Response {
	c.t.Helper()
	req, err := http.NewRequest(method, c.base+path, strings.NewReader(body))
	require.NoError(c.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	require.NoError(c.t, err)
	return res
}

func (c *caller) call(method, path, body string) (int, string) {
	c.t.Helper()
	res := c.request(method, path, body)
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return res.StatusCode, strings.TrimSpace(string(data))
}

// ok calls and expects a 200 with a body like into.
func (c *caller) ok(method, path string, body, into any) {
	c.t.Helper()
	var data []byte
	if body != nil {
		var err error
		data, err = json.Marshal(body)
		require.NoError(c.t, err)
	}
	code, answer := c.call(method, path, string(data))
	require.Equal(c.t, http.StatusOK, code, answer)
	if into != nil {
		require.NoError(c.t, json.Unmarshal([]byte(answer), into), answer)
	}
}

// json calls and reads the answer into a value like into.
func (c *caller) json(method, path, body string, into any) int {
	c.t.Helper()
	code, answer := c.call(method, path, body)
	require.NoError(c.t, json.Unmarshal([]byte(answer), into), answer)
	return code
}

type sessionJSON struct {
	SessionID     string `json:"session_id"`
	VNCURL        string `json:"vnc_url"`
	AgentName     string `json:"agent_name"`
	Status        string `json:"status"`
	CreatedAt     string `json:"created_at"`
	EnvironmentID string `json:"environment_id"`
}

type messagesJSON struct {
	Messages []messageJSON `json:"messages"`
	Status   string        `json:"status"`
	HasAgent bool          `json:"has_agent"`
}

type messageJSON struct {
	ID        int    `json:"id"`
	Type      string `json:"type"`
	Content   any    `json:"content"`
	Timestamp string `json:"timestamp"`
}

func (m messagesJSON) last() messageJSON { return m.Messages[len(m.Messages)-1] }

// lines are the messages as "TYPE content".
func (m messagesJSON) lines() []string {
	lines := make([]string, len(m.Messages))
	for i, msg := range m.Messages {
		lines[i] = fmt.Sprintf("%d %s %v", msg.ID, msg.Type, msg.Content)
	}
	return lines
}

func (c *caller) create(agent string) string {
	c.t.Helper()
	return c.createWith(map[string]any{"agent_name": agent}).SessionID
}

func (c *caller) createWith(body map[string]any) sessionJSON {
	c.t.Helper()
	var s sessionJSON
	c.ok("POST", "/v1/sessions", body, &s)
	return s
}

func (c *caller) send(id, text string) {
	c.t.Helper()
	c.ok("POST", "/v1/sessions/"+id+"/message", map[string]any{"message": text}, nil)
}

func (c *caller) sendURL(id, text, url string) {
	c.t.Helper()
	c.ok("POST", "/v1/sessions/"+id+"/message", map[string]any{"message": text, "start_url": url}, nil)
}

func (c *caller) messages(id string) messagesJSON {
	c.t.Helper()
	var m messagesJSON
	c.ok("GET", "/v1/sessions/"+id+"/messages", nil, &m)
	return m
}

// until waits for an execution status.
func (c *caller) until(id, status string) messagesJSON {
	c.t.Helper()
	var m messagesJSON
	require.Eventually(c.t, func() bool {
		m = c.messages(id)
		return m.Status == status
	}, patience, pollEvery, "status %s", status)
	return m
}

// untilSaid waits for a message of this type and content.
func (c *caller) untilSaid(id, line string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		for _, m := range c.messages(id).Messages {
			if fmt.Sprintf("%s %v", m.Type, m.Content) == line {
				return true
			}
		}
		return false
	}, patience, pollEvery, line)
}

// frame is one server-sent event.
type frame struct{ id, event, data string }

// events follows a session's event stream.
type events struct {
	t    testing.TB
	body io.ReadCloser
	scan *bufio.Scanner
}

func (c *caller) events(path string) *events {
	c.t.Helper()
	res := c.request("GET", path, "")
	require.Equal(c.t, http.StatusOK, res.StatusCode)
	require.Equal(c.t, "text/event-stream", res.Header.Get("Content-Type"))
	c.t.Cleanup(func() { _ = res.Body.Close() })
	return &events{t: c.t, body: res.Body, scan: bufio.NewScanner(res.Body)}
}

// next reads one event; ok is false at the end of the stream.
func (e *events) next() (f frame, ok bool) {
	for e.scan.Scan() {
		line := e.scan.Text()
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "id":
			f.id = value
		case "event":
			f.event = value
		case "data":
			f.data = value
		case "":
			return f, true
		}
	}
	return frame{}, false
}

// rest reads to the end of the stream.
func (e *events) rest() []frame {
	var all []frame
	for f, ok := e.next(); ok; f, ok = e.next() {
		all = append(all, f)
	}
	return all
}

// logged is a logger whose output can be looked at.
func logged() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}

// method and path take a call such as "GET /v1/sessions/{id}" apart.
func method(call string) string {
	m, _, _ := strings.Cut(call, " ")
	return m
}

func path(call, id string) string {
	_, p, _ := strings.Cut(call, " ")
	return strings.ReplaceAll(p, "{id}", id)
}
