package sessions

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// SnapshotMode is what is kept of a session that is deleted.
type SnapshotMode string

// The snapshot modes.
const (
	SnapshotNone       SnapshotMode = "none"
	SnapshotMemory     SnapshotMode = "memory"
	SnapshotFilesystem SnapshotMode = "filesystem"
)

// SnapshotOptions say what to keep when a session is deleted.
type SnapshotOptions struct {
	Mode SnapshotMode
	// Default makes the snapshot the one that a new session can ask for without
	// an id. It has no meaning with SnapshotNone.
	Default bool
}

// Snapshot is what is kept of a deleted session: enough to carry its
// environment and its agent's state into a new one.
type Snapshot struct {
	SessionID     string          `json:"session_id"`
	Mode          SnapshotMode    `json:"mode"`
	EnvironmentID string          `json:"environment_id"`
	Agent         string          `json:"agent"`
	CreatedAt     time.Time       `json:"created_at"`
	AgentState    json.RawMessage `json:"agent_state,omitempty"`
}

// Restore names the snapshot that a new session begins with. The first of its
// fields that is set counts. A snapshot that does not exist is no error: the
// session then begins with nothing.
type Restore struct {
	SessionID     string
	Default       bool
	EnvironmentID string
}

const defaultSnapshot = "default.json"

// snapshots are the snapshots of one folder, also held in memory. Engine.mu
// guards them.
type snapshots struct {
	dir           string
	bySession     map[string]Snapshot
	byEnvironment map[string]Snapshot // the newest
	byDefault     string              // session id
}

func (ss *snapshots) load(dir string, logger *slog.Logger) error {
	*ss = snapshots{dir: dir, bySession: map[string]Snapshot{}, byEnvironment: map[string]Snapshot{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read snapshot folder: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".json") {
			continue
		}
		var snap Snapshot
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = json.Unmarshal(data, &snap)
		}
		switch {
		case err != nil:
			logger.Warn("snapshot skipped", "file", name, "error", err)
		case name == defaultSnapshot:
			ss.byDefault = snap.SessionID
		default:
			ss.add(snap)
		}
	}
	return nil
}

func (ss *snapshots) add(s Snapshot) {
	ss.bySession[s.SessionID] = s
	if s.CreatedAt.After(ss.byEnvironment[s.EnvironmentID].CreatedAt) {
		ss.byEnvironment[s.EnvironmentID] = s
	}
}

func (s *Session) snapshot(mode SnapshotMode) Snapshot {
	return Snapshot{
		SessionID:     s.ID,
		Mode:          mode,
		EnvironmentID: s.EnvironmentID,
		Agent:         s.Agent,
		CreatedAt:     time.Now().UTC(),
		AgentState:    s.agentState,
	}
}

// keep writes a snapshot, and the note that it is the default one if it is.
func (e *Engine) keep(s Snapshot, byDefault bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := writeFile(filepath.Join(e.snapshots.dir, s.SessionID+".json"), s)
	if err == nil && byDefault {
		err = writeFile(filepath.Join(e.snapshots.dir, defaultSnapshot), Snapshot{SessionID: s.SessionID})
	}
	if err != nil {
		return errors.Join(errors.New("snapshot not written, session kept"), err)
	}
	e.snapshots.add(s)
	if byDefault {
		e.snapshots.byDefault = s.SessionID
	}
	return nil
}

// snapshot finds the snapshot that r names.
func (e *Engine) snapshot(r Restore) (Snapshot, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var s Snapshot
	switch {
	case r.SessionID != "":
		s = e.snapshots.bySession[r.SessionID]
	case r.Default:
		s = e.snapshots.bySession[e.snapshots.byDefault]
	case r.EnvironmentID != "":
		s = e.snapshots.byEnvironment[r.EnvironmentID]
	}
	return s, s.SessionID != ""
}
