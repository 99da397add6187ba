// Package exec is an agent that is a program of its own: the session server
// starts it in the session's working directory and speaks with it in lines of
// JSON, over its stdin and stdout. docs/agent-protocol.md describes the lines.
//
// One process serves one session over all its turns, in a process group of its
// own, so that it can be paused, measured and ended with all it started.
package exec

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// Config tells which program to run and within which limits. Zero limits stand
// for the defaults.
type Config struct {
	// Name is what clients call the agent.
	Name string
	// Command is the program and its arguments. A program without a slash is
	// looked for in PATH, a relative one in the server's working directory.
	Command []string
	// Env names the variables of the server that the program gets besides the
	// usual ones (PATH, HOME, USER, LOGNAME, SHELL, LANG, TZ, TMPDIR, LC_*, XDG_*).
	Env []string
	// Memory bounds the resident memory of the process group in bytes; 2 GiB.
	Memory int64
	// TaskTime bounds one task, without pauses and open questions; 1 hour.
	TaskTime time.Duration
	// Grace is how long a cancelled agent has to say so; 5 seconds.
	Grace time.Duration
	// MaxLine bounds one line of output, MaxOutput that of one task and
	// MaxMessage the content of one message or state, in bytes; 8 MiB, 64 MiB
	// and 1 MiB.
	MaxLine, MaxOutput, MaxMessage int
	// RunDir is the folder for the records of running processes. It belongs to
	// one running server alone and lies outside the sessions' directories.
	RunDir string
	// Logger takes what is for the server's operator; slog.Default() if nil.
	Logger *slog.Logger
}

// Agent starts a program for each session.
type Agent struct {
	Config
	readTime  time.Duration // for an agent whose input is full
	readyTime time.Duration // for a program to say what it can do
	census    *census
}

// New makes an agent. It first ends the processes that a server which used the
// same RunDir has left behind. It fails if the configuration lacks its name,
// command or RunDir, and on systems that are not Unix. A program that cannot be
// started is an error of the tasks instead.
func New(c Config) (*Agent, error) {
	switch {
	case !supported:
		return nil, errors.New("programs as agents need a Unix system")
	case c.Name == "":
		return nil, errors.New("the agent has no name")
	case len(c.Command) == 0 || c.Command[0] == "":
		return nil, fmt.Errorf("the agent %s has no command", c.Name)
	case c.RunDir == "":
		return nil, fmt.Errorf("the agent %s has no folder for its records", c.Name)
	case c.Memory < 0 || c.TaskTime < 0 || c.Grace < 0 || c.MaxLine < 0 || c.MaxOutput < 0 || c.MaxMessage < 0:
		return nil, fmt.Errorf("the agent %s has a negative limit", c.Name)
	}
	orDefault(&c.Memory, 2<<30)
	orDefault(&c.TaskTime, time.Hour)
	orDefault(&c.Grace, 5*time.Second)
	orDefault(&c.MaxLine, 8<<20)
	orDefault(&c.MaxOutput, 64<<20)
	orDefault(&c.MaxMessage, 1<<20)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if program := c.Command[0]; strings.ContainsRune(program, filepath.Separator) {
		abs, err := filepath.Abs(program)
		if err != nil {
			return nil, fmt.Errorf("find the program of the agent %s: %w", c.Name, err)
		}
		c.Command = append([]string{abs}, c.Command[1:]...)
	}
	if err := os.MkdirAll(c.RunDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for records of processes: %w", err)
	}
	a := &Agent{Config: c, readTime: time.Minute, readyTime: 20 * time.Second, census: &census{}}
	if err := a.sweep(); err != nil {
		return nil, err
	}
	return a, nil
}

func orDefault[N int | int64 | time.Duration](value *N, otherwise N) {
	if *value == 0 {
		*value = otherwise
	}
}

// Open implements [agent.Agent]. The program starts with the first turn, or when
// somebody asks for its screen before.
func (a *Agent) Open(s agent.Session) agent.Worker { return &worker{agent: a, session: s} }

// Lost implements [agent.Mortal]: only an agent that gave its state in the task
// itself can go on with it.
func (a *Agent) Lost(s agent.Session, state json.RawMessage) string {
	if unpack(state).during(s.ID) {
		return ""
	}
	return "The agent's process ended with the server in the middle of the task, and it had given no state to go on from."
}

// memory is what the session keeps for the agent: the state that the program
// gave, and the task that it gave it in, if that is not over.
type memory struct {
	State   json.RawMessage `json:"state,omitempty"`
	Session string          `json:"session,omitempty"`
	Task    int             `json:"task,omitempty"` // id of the message it was given at
}

// unpack reads a memory; one that cannot be read is none.
func unpack(data json.RawMessage) memory {
	var m memory
	if len(data) == 0 || json.Unmarshal(data, &m) != nil {
		return memory{}
	}
	return m
}

// during tells whether the state was given in a task of the session that is
// not over.
func (m memory) during(session string) bool {
	return m.State != nil && m.Task != 0 && m.Session == session
}

// past is the memory after the task.
func (m memory) past() memory { return memory{State: m.State} }
