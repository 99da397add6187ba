package config

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Agent is a program that the local session server runs as an agent.
type Agent struct {
	// Command is the program and its arguments.
	Command []string
	// Env names the variables that are passed on to it.
	Env []string
	// Memory bounds its processes, in bytes, and TaskTime one task; 0 is the
	// session server's own limit.
	Memory   int64
	TaskTime time.Duration
}

type fileAgent struct {
	Command   []string      `toml:"command"`
	Env       []string      `toml:"env"`
	MemoryMiB int64         `toml:"memory_mib"`
	TaskTime  time.Duration `toml:"task_time"`
}

var agentName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// agent checks what the file says, and names the key that is wrong. The agent
// works in the directory of its session, so the parts of its command that begin
// with ./ or ../ count from dir, the file's own folder.
func (f fileAgent) agent(dir string) (a Agent, key string, err error) {
	switch {
	case len(f.Command) == 0 || f.Command[0] == "":
		return Agent{}, "command", errors.New("must name the program and its arguments, such as [\"python3\", \"./agent.py\"]")
	case f.MemoryMiB < 0 || f.MemoryMiB > math.MaxInt64>>20:
		return Agent{}, "memory_mib", errors.New("must be a number of MiB, or 0 for the usual limit")
	case f.TaskTime < 0:
		return Agent{}, "task_time", errors.New("must be a time such as 30m, or 0 for the usual limit")
	}
	for _, name := range f.Env {
		if !variableName.MatchString(name) {
			return Agent{}, "env", fmt.Errorf("has names of environment variables, not %d characters that are none: write [\"NAME\"]", len(name))
		}
	}
	a = Agent{Env: f.Env, Memory: f.MemoryMiB << 20, TaskTime: f.TaskTime}
	for _, part := range f.Command {
		if strings.HasPrefix(part, "./") || strings.HasPrefix(part, "../") {
			part = filepath.Join(dir, part)
		}
		a.Command = append(a.Command, part)
	}
	return a, "", nil
}
