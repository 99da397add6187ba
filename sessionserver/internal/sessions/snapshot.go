package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/errand-dev/errand/sessionserver/internal/tree"
)

// SnapshotMode is what is kept of a session that is deleted.
type SnapshotMode string

// The snapshot modes.
const (
	SnapshotNone       SnapshotMode = "none"
	SnapshotMemory     SnapshotMode = "memory"     // its working directory and its agent's state
	SnapshotFilesystem SnapshotMode = "filesystem" // its working directory
)

// SnapshotOptions say what to keep when a session is deleted.
type SnapshotOptions struct {
	Mode SnapshotMode
	// Default makes the snapshot the one that a new session of the same owner
	// can ask for without an id. It has no meaning with SnapshotNone.
	Default bool
}

// Retention says how long snapshots are kept. Those that an owner's new
// sessions begin with by default are kept for ever.
type Retention struct {
	MaxAge   time.Duration // 0: any age
	MaxCount int           // 0: any number
}

// Snapshot is what is kept of a deleted session, besides its directory.
type Snapshot struct {
	SessionID     string          `json:"session_id"`
	Owner         string          `json:"owner,omitempty"`
	Mode          SnapshotMode    `json:"mode"`
	EnvironmentID string          `json:"environment_id"`
	Agent         string          `json:"agent"`
	CreatedAt     time.Time       `json:"created_at"`
	AgentState    json.RawMessage `json:"agent_state,omitempty"`
	// Tree says that there is a directory.
	Tree bool `json:"tree,omitempty"`
}

// Restore names the snapshot that a new session begins with. The first of its
// fields that is set counts. A snapshot that does not exist is no error: the
// session then begins with nothing.
type Restore struct {
	SessionID     string
	EnvironmentID string
	Default       bool // the owner's default
	// FilesOnly leaves out the agent's state.
	FilesOnly bool
}

// defaultsFile tells which snapshot is each owner's default.
const defaultsFile = "defaults.json"

// snapshots are the snapshots of one folder: SESSION.json tells of one, and
// the directory SESSION is its files. A directory without its file is a
// snapshot that was not finished, or is being removed.
type snapshots struct {
	dir string

	// files is read-locked while a directory is copied out of a snapshot, and
	// locked while the files of one are replaced or removed.
	files sync.RWMutex

	mu            sync.Mutex
	bySession     map[string]Snapshot
	byEnvironment map[string]string // session id of the newest
	defaults      map[string]string // session id by owner
}

func (ss *snapshots) load(dir string, logger *slog.Logger) error {
	ss.dir = dir
	ss.bySession, ss.byEnvironment, ss.defaults = map[string]Snapshot{}, map[string]string{}, map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read snapshot folder: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".json") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		var snap Snapshot
		switch {
		case err != nil:
		case name == defaultsFile:
			err = json.Unmarshal(data, &ss.defaults)
		default:
			err = json.Unmarshal(data, &snap)
		}
		switch {
		case err != nil:
			logger.Warn("snapshot skipped", "file", name, "error", err)
		case snap.SessionID+".json" == name:
			ss.add(snap)
		}
	}
	return nil
}

// sweep finishes what a killed process left undone. Home gives the working
// directory of a session that is still there, or nothing.
func (ss *snapshots) sweep(home func(id string) string) error {
	if err := tree.Sweep(ss.dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(ss.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		id := entry.Name()
		if _, whole := ss.bySession[id]; whole || !entry.IsDir() {
			continue
		}
		path := filepath.Join(ss.dir, id)
		if back := home(id); back != "" {
			_, err = tree.Save(path, back, tree.Origin{})
		} else {
			err = tree.Remove(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (ss *snapshots) tree(id string) string { return filepath.Join(ss.dir, id) }

func (ss *snapshots) facts(id string) string { return filepath.Join(ss.dir, id+".json") }

func (ss *snapshots) add(s Snapshot) {
	ss.bySession[s.SessionID] = s
	if s.CreatedAt.After(ss.bySession[ss.byEnvironment[s.EnvironmentID]].CreatedAt) {
		ss.byEnvironment[s.EnvironmentID] = s.SessionID
	}
}

// find gives the snapshot that an owner's r names.
func (ss *snapshots) find(owner string, r Restore) (Snapshot, bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	var s Snapshot
	switch {
	case r.SessionID != "":
		s = ss.bySession[r.SessionID]
	case r.EnvironmentID != "":
		s = ss.bySession[ss.byEnvironment[r.EnvironmentID]]
	case r.Default:
		s = ss.bySession[ss.defaults[owner]]
	}
	return s, s.SessionID != "" && (s.Owner == "" || s.Owner == owner)
}

// put makes a snapshot known, on disk and in memory; its files are in place.
func (ss *snapshots) put(s Snapshot, byDefault bool) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if err := writeFile(ss.facts(s.SessionID), s); err != nil {
		return err
	}
	ss.add(s)
	if !byDefault {
		return nil
	}
	before, had := ss.defaults[s.Owner]
	ss.defaults[s.Owner] = s.SessionID
	err := writeFile(filepath.Join(ss.dir, defaultsFile), ss.defaults)
	if err != nil {
		if ss.defaults[s.Owner] = before; !had {
			delete(ss.defaults, s.Owner)
		}
	}
	return err
}

// all gives the snapshots, the oldest first.
func (ss *snapshots) all() []Snapshot {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return slices.SortedFunc(maps.Values(ss.bySession), func(a, b Snapshot) int { return a.CreatedAt.Compare(b.CreatedAt) })
}

// prune removes the snapshots that have had their time.
func (ss *snapshots) prune(r Retention) error {
	ss.mu.Lock()
	var kept []Snapshot
	wanted := map[string]bool{}
	for _, id := range ss.defaults {
		wanted[id] = true
	}
	for id, s := range ss.bySession {
		if !wanted[id] {
			kept = append(kept, s)
		}
	}
	slices.SortFunc(kept, func(a, b Snapshot) int { return b.CreatedAt.Compare(a.CreatedAt) })
	var old []Snapshot
	for i, s := range kept {
		if (r.MaxCount > 0 && i >= r.MaxCount) || (r.MaxAge > 0 && time.Since(s.CreatedAt) > r.MaxAge) {
			old = append(old, s)
			delete(ss.bySession, s.SessionID)
			if ss.byEnvironment[s.EnvironmentID] == s.SessionID {
				delete(ss.byEnvironment, s.EnvironmentID)
			}
		}
	}
	ss.mu.Unlock()
	for _, s := range old {
		if err := ss.remove(s); err != nil {
			return err
		}
	}
	return nil
}

func (ss *snapshots) remove(s Snapshot) error {
	ss.files.Lock() // waits for copies under way
	defer ss.files.Unlock()
	if err := os.Remove(ss.facts(s.SessionID)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !s.Tree {
		return nil
	}
	return tree.Remove(ss.tree(s.SessionID))
}

// restore gives a session that is being created what its snapshot holds.
func (e *Engine) restore(ctx context.Context, o CreateOptions, r *record) error {
	ss := &e.snapshots
	ss.files.RLock()
	defer ss.files.RUnlock()
	from, ok := ss.find(o.Owner, o.Restore)
	if !ok {
		return nil
	}
	r.Session.EnvironmentID = from.EnvironmentID
	r.Session.RestoredFrom = from.SessionID
	if from.Agent == o.Agent && from.Mode == SnapshotMemory && !o.Restore.FilesOnly {
		r.AgentState = from.AgentState
	}
	if !from.Tree {
		return nil
	}
	dir := e.workDir(r.Session.ID)
	if _, err := tree.Clone(ctx, ss.tree(from.SessionID), dir, dir+manifestSuffix); err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	return nil
}

// keep makes the snapshot that is asked for of a session that is halted. The
// agent's memory is what it gave, or else what it saved last. On an error the
// working directory is where it was.
func (s *Session) keep(o SnapshotOptions, memory json.RawMessage) error {
	if o.Mode == SnapshotNone {
		return nil
	}
	ss, dir := &s.engine.snapshots, s.engine.workDir(s.ID)
	snap := Snapshot{
		SessionID:     s.ID,
		Owner:         s.Owner,
		Mode:          o.Mode,
		EnvironmentID: s.EnvironmentID,
		Agent:         s.Agent,
		CreatedAt:     time.Now().UTC(),
	}
	if o.Mode == SnapshotMemory {
		if snap.AgentState = memory; memory == nil {
			snap.AgentState = s.agentState
		}
	}
	switch _, err := os.Stat(dir); {
	case err == nil:
		snap.Tree = true
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("keep snapshot: %w", err)
	}
	if snap.Tree {
		if _, err := tree.Save(dir, ss.tree(s.ID), tree.Origin{}); err != nil {
			return fmt.Errorf("keep snapshot: %w", err)
		}
	}
	if err := ss.put(snap, o.Default); err != nil {
		if snap.Tree {
			_, back := tree.Save(ss.tree(s.ID), dir, tree.Origin{})
			err = errors.Join(err, back)
		}
		return fmt.Errorf("keep snapshot: %w", err)
	}
	s.engine.Observer.Kept(snap)
	if snap.Tree && s.RestoredFrom != "" {
		s.share()
	}
	return nil
}

// share lets the new snapshot and the one that its session began with hold
// what is the same in both once. It comes last: until the snapshot is made the
// directory may go back to its session, which writes into it.
func (s *Session) share() {
	ss := &s.engine.snapshots
	ss.files.Lock() // nobody copies a tree while its files are replaced
	defer ss.files.Unlock()
	_, err := tree.Share(ss.tree(s.ID), tree.Origin{
		Snapshot: ss.tree(s.RestoredFrom),
		Manifest: s.engine.workDir(s.ID) + manifestSuffix,
	})
	if err != nil {
		s.engine.Logger.Warn("snapshot takes more space than it needs", "session_id", s.ID, "error", err)
	}
}
