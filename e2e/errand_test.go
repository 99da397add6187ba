package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long anything may take that should take a second, on a small
// machine with the race detector on.
const patience = 90 * time.Second

// home is one user's machine: a data directory and an environment.
type home struct {
	t    *testing.T
	dir  string
	data string
	env  []string
}

func newHome(t *testing.T, env ...string) *home {
	t.Helper()
	dir := t.TempDir()
	h := &home{t: t, dir: dir, data: filepath.Join(dir, "data")}
	h.env = append([]string{
		playErrand + "=1",
		"HOME=" + dir,
		"PATH=" + os.Getenv("PATH"),
		"ERRAND_DATA_DIR=" + h.data,
	}, env...)
	return h
}

// process is a running errand.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    *buffer
	errs   *buffer
	exited chan struct{}
}

// start starts errand in a process group of its own, as a shell would.
func (h *home) start(args ...string) *process {
	h.t.Helper()
	self, err := os.Executable()
	require.NoError(h.t, err)
	p := &process{t: h.t, cmd: exec.Command(self, args...), out: &buffer{}, errs: &buffer{}, exited: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = h.dir, h.env
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.errs
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(h.t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.exited)
	}()
	h.t.Cleanup(func() {
		p.kill()
		if h.t.Failed() {
			h.t.Logf("errand %s\nstdout: %s\nstderr: %s", strings.Join(args, " "), p.out, p.errs)
		}
	})
	return p
}

// run runs errand to its end.
func (h *home) run(args ...string) (stdout string, status int) {
	h.t.Helper()
	p := h.start(args...)
	status = p.wait()
	return p.out.String(), status
}

// must runs errand, which must succeed.
func (h *home) must(args ...string) string {
	h.t.Helper()
	p := h.start(args...)
	require.Equal(h.t, 0, p.wait(), "errand %s: %s", strings.Join(args, " "), p.errs)
	return p.out.String()
}

// wait returns the exit status.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		require.FailNow(p.t, "errand does not end", "stdout: %s\nstderr: %s", p.out, p.errs)
	}
	return p.cmd.ProcessState.ExitCode()
}

// kill ends the process as a crash would, if it still runs.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.exited
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// says waits until the process has said those words on stderr or stdout.
func (p *process) says(words string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		return strings.Contains(p.errs.String()+p.out.String(), words)
	}, patience, 20*time.Millisecond, "waiting for %q", words)
}

// task is what `errand show -o json` prints.
type task struct {
	ID              string                     `json:"id"`
	WorkflowID      string                     `json:"workflow_id"`
	RunID           string                     `json:"run_id"`
	Status          string                     `json:"status"`
	Prompt          string                     `json:"prompt"`
	Connection      string                     `json:"connection"`
	Provider        string                     `json:"provider"`
	Labels          map[string]string          `json:"labels"`
	Session         *session                   `json:"session"`
	SessionsCreated int                        `json:"sessions_created"`
	Turns           int                        `json:"turns"`
	Question        *struct{ ID, Text string } `json:"question"`
	Answers         []struct {
		QuestionID string `json:"question_id"`
		Text       string `json:"text"`
		By         string `json:"by"`
	} `json:"answers"`
	Result   json.RawMessage                 `json:"result"`
	Snapshot *struct{ Mode string }          `json:"snapshot"`
	Error    *struct{ Type, Message string } `json:"error"`
	History  struct{ Events, Bytes int64 }   `json:"history"`
}

type session struct {
	ID      string `json:"id"`
	ViewURL string `json:"view_url"`
	Deleted bool   `json:"deleted"`
	Remains bool   `json:"remains"`
}

func parse[T any](t *testing.T, s string) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(s), &v), "%s", s)
	return v
}

// show returns the task as another process sees it.
func (h *home) show(id string) task {
	h.t.Helper()
	return parse[task](h.t, h.must("show", id, "-o", "json"))
}

// buffer is written by a process while a test reads it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// longer is a context for calls of the tests themselves.
func longer(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// listen takes a free port of this machine.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}
