package sessions

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// terminatedKept is how many deleted sessions are remembered.
const terminatedKept = 1000

// Terminated is what is remembered of a deleted session.
type Terminated struct {
	Facts
	DeletedAt time.Time `json:"deleted_at"`
}

// Terminated gives the deleted sessions of an owner, the latest last, if they
// are to be remembered at all.
func (e *Engine) Terminated(owner string) []Terminated {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var own []Terminated
	for _, t := range e.terminated {
		if t.BelongsTo(owner) {
			own = append(own, t)
		}
	}
	return own
}

func (e *Engine) loadTerminated() error {
	if !e.ListTerminated {
		return nil
	}
	folder := filepath.Join(e.Dir, terminatedFolder)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("read folder of terminated sessions: %w", err)
	}
	for _, entry := range entries {
		var t Terminated
		data, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err == nil {
			err = json.Unmarshal(data, &t)
		}
		if err != nil {
			e.Logger.Warn("note of terminated session skipped", "file", entry.Name(), "error", err)
			continue
		}
		e.terminated = append(e.terminated, t)
	}
	slices.SortFunc(e.terminated, func(a, b Terminated) int { return a.DeletedAt.Compare(b.DeletedAt) })
	for len(e.terminated) > terminatedKept {
		if err := os.Remove(e.terminatedPath(e.terminated[0].ID)); err != nil {
			return fmt.Errorf("remove note of terminated session: %w", err)
		}
		e.terminated = e.terminated[1:]
	}
	return nil
}
