package everruns

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// The statuses of agents.
const (
	active   = "active"
	archived = "archived"
)

// epoch is when the agents and models that come with the server were made.
var epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// agentBody is an agent, on the wire and in the file.
type agentBody struct {
	ID             string          `json:"id"`
	Name           string          `json:"name"`
	Description    *string         `json:"description"`
	SystemPrompt   string          `json:"system_prompt"`
	DefaultModelID *string         `json:"default_model_id"`
	Tags           []string        `json:"tags"`
	Capabilities   json.RawMessage `json:"capabilities"`
	Status         string          `json:"status"`
	CreatedAt      string          `json:"created_at"`
	UpdatedAt      string          `json:"updated_at"`
	urls
}

// agents are all agents: the engine's, by ids that follow from their names, and
// those that clients make. What a client made or changed is kept in a file.
type agents struct {
	path  string
	names map[string]string // of the engine's agents, by id

	mu   sync.Mutex
	all  []agentBody // the oldest first
	kept map[string]bool
}

// openAgents reads what clients have made of the agents.
func openAgents(dir string, names []string) (*agents, error) {
	a := &agents{path: filepath.Join(dir, "agents.json"), names: map[string]string{}, kept: map[string]bool{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create folder of agents: %w", err)
	}
	var kept []agentBody
	text, err := os.ReadFile(a.path)
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read agents: %w", err)
	}
	for _, k := range kept {
		a.kept[k.ID] = true
	}
	for _, name := range names {
		id := agentID.named(name)
		a.names[id] = name
		if !a.kept[id] {
			a.all = append(a.all, agentBody{
				ID: id, Name: name, SystemPrompt: "An agent of this server.", Status: active,
				Tags: []string{}, Capabilities: json.RawMessage("[]"), CreatedAt: timestamp(epoch), UpdatedAt: timestamp(epoch),
			})
		}
	}
	a.all = append(a.all, kept...)
	return a, nil
}

// engine is the name of the engine's agent that works for an agent: its own if
// it is one of those, or that of the same name, or else the default.
func (a *agents) engine(b agentBody) string {
	if name, ok := a.names[b.ID]; ok {
		return name
	}
	if _, ok := a.names[agentID.named(b.Name)]; ok {
		return b.Name
	}
	return DefaultAgent
}

// list gives the agents that are not archived.
func (a *agents) list() []agentBody {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(a.all), func(b agentBody) bool { return b.Status == archived })
}

func (a *agents) byID(id string) (agentBody, bool) {
	return a.find(func(b agentBody) bool { return b.ID == id })
}

// byName finds an agent by its name; an archived one only if there is no other.
func (a *agents) byName(name string) (agentBody, bool) {
	b, ok := a.find(func(b agentBody) bool { return b.Name == name && b.Status == active })
	if !ok {
		b, ok = a.find(func(b agentBody) bool { return b.Name == name })
	}
	return b, ok
}

func (a *agents) find(is func(agentBody) bool) (agentBody, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := slices.IndexFunc(a.all, is)
	if at < 0 {
		return agentBody{}, false
	}
	return a.all[at], true
}

// put adds an agent, or changes the one that has its id, and keeps it.
func (a *agents) put(b agentBody) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(a.all), func(other agentBody) bool { return other.ID == b.ID })
	all = append(all, b)
	var kept []agentBody
	for _, other := range all {
		if a.kept[other.ID] || other.ID == b.ID {
			kept = append(kept, other)
		}
	}
	text, err := json.Marshal(kept)
	if err == nil {
		err = os.WriteFile(a.path+".tmp", text, 0o600)
	}
	if err == nil {
		err = os.Rename(a.path+".tmp", a.path)
	}
	if err != nil {
		return fmt.Errorf("keep agents: %w", err)
	}
	a.all, a.kept[b.ID] = all, true
	return nil
}
