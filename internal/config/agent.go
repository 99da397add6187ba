package config

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent/exec"
)

// fileAgent is a program that the local session server runs as an agent.
type fileAgent struct {
	Command   []string      `toml:"command"`
	Env       []string      `toml:"env"`
	MemoryMiB int64         `toml:"memory_mib"`
	TaskTime  time.Duration `toml:"task_time"`
}

var agentName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// program checks what the file says, and names the key that is wrong. The agent
// works in the directory of its session, so the parts of its command that begin
// with ./ or ../ count from dir, the file's own folder.
func (f fileAgent) program(dir string) (p exec.Config, key string, err error) {
	switch {
	case len(f.Command) == 0 || f.Command[0] == "":
		return exec.Config{}, "command", errors.New("must name the program and its arguments, such as [\"python3\", \"./agent.py\"]")
	case f.MemoryMiB < 0 || f.MemoryMiB > math.MaxInt64>>20:
		return exec.Config{}, "memory_mib", errors.New("must be a number of MiB, or 0 for the usual limit")
	case f.TaskTime < 0:
		return exec.Config{}, "task_time", errors.New("must be a time such as 30m, or 0 for the usual limit")
	}
	for _, name := range f.Env {
		if !variableName.MatchString(name) {
			return exec.Config{}, "env", fmt.Errorf("has names of environment variables, not %d characters that are none: write [\"NAME\"]", len(name))
		}
	}
	p = exec.Config{Env: f.Env, Memory: f.MemoryMiB << 20, TaskTime: f.TaskTime}
	for _, part := range f.Command {
		if strings.HasPrefix(part, "./") || strings.HasPrefix(part, "../") {
			part = filepath.Join(dir, part)
		}
		p.Command = append(p.Command, part)
	}
	return p, "", nil
}
