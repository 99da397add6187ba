//go:build unix

package exec_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/agent/exec"
)

// story is a session with an agent, and the session's side of its turns.
type story struct {
	t       *testing.T
	agent   *exec.Agent
	worker  agent.Worker
	session agent.Session
	history []agent.Message

	mu    sync.Mutex
	said  []string
	state json.RawMessage // what a crash would find
	next  json.RawMessage
	gone  []string
	slow  chan struct{} // if set, all that is said waits for it
	shots []agent.Screenshot
}

func config(t *testing.T, traits ...string) exec.Config {
	binary, err := os.Executable()
	require.NoError(t, err)
	t.Setenv("GOCOVERDIR", t.TempDir()) // else the program speaks of it when it is measured
	return exec.Config{
		Name:    "tester",
		Command: []string{binary, strings.Join(traits, ",")},
		Env:     []string{"GORACE", "GOCOVERDIR"},
		RunDir:  filepath.Join(t.TempDir(), "run"),
		Logger:  slog.New(slog.DiscardHandler),
	}
}

func tell(t *testing.T, c exec.Config) *story {
	a, err := exec.New(c)
	require.NoError(t, err)
	s := &story{t: t, agent: a, session: agent.Session{ID: "0f0e-" + t.Name(), Dir: filepath.Join(t.TempDir(), "work"), Goal: "a goal", MaxSteps: 7}}
	s.session.Gone = func(reason string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gone = append(s.gone, reason)
	}
	s.session.Past = func() ([]agent.Message, json.RawMessage) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.history, s.state
	}
	s.session.Amend = func(change func(json.RawMessage) (any, error)) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		changed, err := change(s.state)
		if err == nil {
			s.state, err = json.Marshal(changed)
		}
		return err
	}
	s.open()
	t.Cleanup(func() { s.worker.Close() })
	return s
}

// open begins a new life of the server.
func (s *story) open() { s.worker = s.agent.Open(s.session) }

func (s *story) turn(text string, answering bool) *agent.Turn {
	content, err := json.Marshal(text)
	require.NoError(s.t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := agent.Message{ID: len(s.history) + 1, Type: agent.User, Content: content}
	turn := &agent.Turn{Host: s, Session: s.session, Message: m, Answering: answering, History: s.history, State: s.state}
	s.history = append(slices.Clip(s.history), m)
	return turn
}

func (s *story) run(ctx context.Context, turn *agent.Turn) agent.Outcome {
	outcome := s.worker.Run(ctx, turn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		s.keep()
		content, err := json.Marshal(outcome.Content)
		require.NoError(s.t, err)
		s.history = append(s.history, agent.Message{ID: len(s.history) + 1, Type: outcome.Type, Content: content})
	}
	return outcome
}

func (s *story) send(lines ...string) agent.Outcome {
	return s.run(s.t.Context(), s.turn(strings.Join(lines, "\n"), false))
}

func (s *story) answer(text string) agent.Outcome {
	return s.run(s.t.Context(), s.turn(text, true))
}

// begin starts a turn. It is over when the channel gives its outcome.
func (s *story) begin(lines ...string) (cancel func(), over <-chan agent.Outcome) {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.t.Cleanup(cancel)
	outcome, turn := make(chan agent.Outcome, 1), s.turn(strings.Join(lines, "\n"), false)
	go func() { outcome <- s.run(ctx, turn) }()
	return cancel, outcome
}

func (s *story) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.said...)
}

// until waits until the agent has said that.
func (s *story) until(line string) {
	s.t.Helper()
	eventually(s.t, func() bool { return slices.Contains(s.heard(), line) }, "the agent says "+line)
}

// pid is that of the agent that works now.
func (s *story) pid() int {
	outcome := s.send("!pid")
	require.Equal(s.t, agent.Done, outcome.Type, "%s", outcome.Content)
	var pid int
	require.NoError(s.t, json.Unmarshal(outcome.Content.(json.RawMessage), &pid))
	return pid
}

func eventually(t *testing.T, holds func() bool, what string) {
	t.Helper()
	require.Eventually(t, holds, 30*time.Second, 5*time.Millisecond, what)
}

func living(pid int) bool { return syscall.Kill(pid, 0) == nil && status(pid) != ps.Zombie }

func status(pid int) string {
	p := ps.Process{Pid: int32(pid)}
	all, err := p.Status()
	if err != nil {
		return ""
	}
	return all[0]
}

func text(o agent.Outcome) string {
	if raw, ok := o.Content.(json.RawMessage); ok {
		return string(raw)
	}
	return fmt.Sprint(o.Content)
}

// keep is called with the lock.
func (s *story) keep() {
	if s.next != nil {
		s.state, s.next = s.next, nil
	}
}

func (s *story) add(ctx context.Context, line string) error {
	if s.slow != nil {
		select {
		case <-s.slow:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		s.keep()
		s.said = append(s.said, line)
	}
	return ctx.Err()
}

func (s *story) Think(ctx context.Context, text string) error { return s.add(ctx, "thought: "+text) }
func (s *story) Log(ctx context.Context, text string) error   { return s.add(ctx, "log: "+text) }
func (s *story) Step(ctx context.Context, text string) error  { return s.add(ctx, "step: "+text) }

func (s *story) Say(ctx context.Context, m agent.Saying) error {
	content, err := json.Marshal(m.Content)
	if err != nil {
		return err
	}
	line := fmt.Sprintf("%s: %s", m.Type, agent.Message{Content: content}.Text())
	if m.Hidden {
		line = "hidden " + line
	}
	return s.add(ctx, line)
}

func (s *story) Wait(ctx context.Context, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep()
	return ctx.Err()
}

func (s *story) Save(state any) error {
	data, err := json.Marshal(state)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = data
	return err
}

func (s *story) Show(shot agent.Screenshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shots = append(s.shots, shot)
}
