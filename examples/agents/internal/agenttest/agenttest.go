// Package agenttest runs a program as a session server runs an agent, so that
// a test can talk to it: in its own folder and process group, one JSON object
// per line.
package agenttest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long an agent may take to say what a test waits for.
const patience = 60 * time.Second

// Line is one line, in either direction.
type Line map[string]any

// Type is the type of the line.
func (l Line) Type() string { return l.Text("type") }

// Text is a field that holds a text, empty if it does not.
func (l Line) Text(field string) string {
	text, _ := l[field].(string)
	return text
}

// Agent is a running agent.
type Agent struct {
	// Dir is its working directory.
	Dir string
	// Said is all it has said so far, as far as the test has waited for it.
	Said []Line

	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan Line // closed when its stdout is
	ended chan error
}

// Start starts the program in dir, with env added to the test's own variables.
// The test's end kills what is left of it.
func Start(t *testing.T, dir string, env []string, program string, args ...string) *Agent {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// A child that outlives the agent must not keep Wait from returning.
	cmd.WaitDelay = 5 * time.Second
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, ours := io.Pipe()
	cmd.Stdout = ours
	require.NoError(t, cmd.Start())
	a := &Agent{Dir: dir, t: t, cmd: cmd, stdin: stdin, lines: make(chan Line, 1000), ended: make(chan error, 1)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(a.lines)
		for out := bufio.NewReader(stdout); ; {
			text, err := out.ReadString('\n')
			if err != nil {
				return
			}
			var line Line
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				line = Line{"type": "not JSON", "text": text}
			}
			a.lines <- line
		}
	}()
	go func() {
		err := cmd.Wait()
		ours.Close()
		a.ended <- err
	}()
	t.Cleanup(func() {
		a.Signal(syscall.SIGKILL)
		<-read
		if t.Failed() {
			t.Logf("the agent said %v and wrote to stderr:\n%s", kinds(a.Said), stderr.String())
		}
	})
	return a
}

// Send sends one line.
func (a *Agent) Send(line Line) {
	a.t.Helper()
	data, err := json.Marshal(line)
	require.NoError(a.t, err)
	_, err = a.stdin.Write(append(data, '\n'))
	require.NoError(a.t, err)
}

// Wait waits for the next line of one of the types, and steps over others. A
// task that fails instead fails the test.
func (a *Agent) Wait(types ...string) Line {
	a.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case line, ok := <-a.lines:
			require.True(a.t, ok, "the agent ended before it said %v", types)
			a.Said = append(a.Said, line)
			for _, t := range types {
				if line.Type() == t {
					return line
				}
			}
			require.NotContains(a.t, []string{"error", "failed", "not JSON"}, line.Type(), "%v", line)
		case <-late.C:
			require.Fail(a.t, "the agent is silent", "waiting for %v", types)
		}
	}
}

// Heard tells whether a line of that type with that text in it was said.
func (a *Agent) Heard(kind, text string) bool {
	for _, l := range a.Said {
		if l.Type() == kind && strings.Contains(l.Text("text"), text) {
			return true
		}
	}
	return false
}

// Group is the id of the agent's process group.
func (a *Agent) Group() int { return a.cmd.Process.Pid }

// Signal sends a signal to all of the agent's process group.
func (a *Agent) Signal(s syscall.Signal) { _ = syscall.Kill(-a.Group(), s) }

// End closes stdin, as the server does, and waits for the agent's exit.
func (a *Agent) End() error {
	a.t.Helper()
	require.NoError(a.t, a.stdin.Close())
	select {
	case err := <-a.ended:
		return err
	case <-time.After(patience):
		require.Fail(a.t, "the agent does not end")
		return nil
	}
}

func kinds(lines []Line) []string {
	var kinds []string
	for _, l := range lines {
		kinds = append(kinds, strings.TrimSpace(l.Type()+" "+l.Text("text")))
	}
	return kinds
}
