package exec

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	ps "github.com/shirou/gopsutil/v4/process"
)

const sessionVariable = "ERRAND_SESSION_ID"

// record tells the server's next life about a process.
type record struct {
	PID     int    `json:"pid"`
	Started int64  `json:"started"` // Unix milliseconds, as the system tells it
	Session string `json:"session"`
}

func (a *Agent) recordPath(pid int) string {
	return filepath.Join(a.RunDir, strconv.Itoa(pid)+".json")
}

// note records a process that has just started.
func (a *Agent) note(pid int, session string) error {
	p := ps.Process{Pid: int32(pid)}
	started, err := p.CreateTime()
	if err != nil {
		return fmt.Errorf("read the start time of the agent's process: %w", err)
	}
	data, err := json.Marshal(record{pid, started, session})
	if err != nil {
		return err
	}
	return os.WriteFile(a.recordPath(pid), data, 0o600)
}

func (a *Agent) unnote(pid int) {
	if err := os.Remove(a.recordPath(pid)); err != nil && !errors.Is(err, os.ErrNotExist) {
		a.Logger.Warn("record of an ended process not removed", "pid", pid, "error", err)
	}
}

// sweep ends the groups that a server which was killed has left behind.
func (a *Agent) sweep() error {
	paths, err := filepath.Glob(filepath.Join(a.RunDir, "*.json"))
	if err != nil {
		return fmt.Errorf("list records of processes: %w", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read record of a process: %w", err)
		}
		var r record
		// A record cut off by a crash names no process for sure.
		if json.Unmarshal(data, &r) == nil && r.PID > 1 && a.owns(r) {
			a.Logger.Info("agent's process of a former server ended", "pid", r.PID, "session_id", r.Session)
			if err := signal(r.PID, destroy); err != nil {
				a.Logger.Warn("agent's process of a former server cannot be ended", "pid", r.PID, "error", err)
			}
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove record of a process: %w", err)
		}
	}
	return nil
}

// owns tells whether a recorded group is still the one that was recorded: the
// system may have given its number to another program.
func (a *Agent) owns(r record) bool {
	leader := ps.Process{Pid: int32(r.PID)}
	if started, err := leader.CreateTime(); err == nil && started == r.Started && groupOf(r.PID) == r.PID {
		return true
	}
	return slices.ContainsFunc(a.census.members(r.PID), func(pid int32) bool {
		p := ps.Process{Pid: pid}
		env, err := p.Environ()
		return err == nil && r.Session != "" && slices.Contains(env, sessionVariable+"="+r.Session)
	})
}
