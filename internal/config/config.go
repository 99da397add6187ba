// Package config brings flags, environment and errand.toml to one validated
// struct. No key is ever part of it: a connection holds the name of the place
// where its key is, and hands the key out when asked.
package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/sessionserver"
)

// Local is the name of the connection to the local session server. It needs no
// configuration, and the file may give the name to another.
const Local = "local"

// Sources are what settings come from, besides errand.toml.
type Sources struct {
	File     string // --config; empty: where errand.toml is looked for
	DataDir  string // --data-dir
	Temporal TemporalFlags
	Env      Environment
}

// Config is what a command works with.
type Config struct {
	File        string // the errand.toml that was read; empty: there is none
	Default     string // connection for tasks that name none; may be empty
	Connections map[string]Connection
	DataDir     string // absolute; not made yet
	Ledger      string // folder, absolute, or bucket URL of the record of sessions
	Batches     string // folder, absolute, or bucket URL of what batches are made of and have come to
	// SessionServer is how the local session server serves, without its folder,
	// keys and secrets.
	SessionServer sessionserver.Config
	WebhookSecret KeyRef // signs the webhooks of the local session server
	Monitors      Monitors
	Temporal      Temporal
}

// Load reads the file and the environment and checks all of it.
func Load(s Sources) (*Config, error) {
	c := &Config{Connections: map[string]Connection{}}
	path, err := findFile(s)
	if err != nil {
		return nil, err
	}
	if path != "" {
		if err := c.readFile(path, s.Env); err != nil {
			return nil, err
		}
	}
	if len(c.Connections) == 0 {
		if err := c.connectByEnvironment(s.Env); err != nil {
			return nil, err
		}
	}
	if c.DataDir, err = dataDir(s); err != nil {
		return nil, err
	}
	if c.Ledger == "" {
		c.Ledger = filepath.Join(c.DataDir, "ledger")
	}
	if c.Batches == "" {
		c.Batches = filepath.Join(c.DataDir, "batches")
	}
	c.Temporal, err = loadTemporal(s.Temporal, s.Env)
	return c, err
}

// connectByEnvironment makes a connection of each vendor whose key is in the
// environment, under the vendor's name.
func (c *Config) connectByEnvironment(env Environment) error {
	for _, v := range provider.Vendors() {
		if env.Get(v.KeyVariable) == "" {
			continue
		}
		connection := Connection{Name: v.Name, Provider: v.Name, Key: KeyRef{kind: keyFromEnv, at: v.KeyVariable, env: env}}
		if v.URLVariable != "" {
			connection.BaseURL = env.Get(v.URLVariable)
		}
		if v.OrgVariable != "" {
			connection.Organization = env.Get(v.OrgVariable)
		}
		if key, err := connection.check(); err != nil {
			return fmt.Errorf("connection %s of the environment: %s %w", v.Name, strings.Join(key, "."), err)
		}
		c.Connections[v.Name] = connection
	}
	// Of several, the vendor to begin with is for tasks that name none.
	if usual := provider.Names()[0]; c.Default == "" && c.Connections[usual].Name != "" {
		c.Default = usual
	}
	return nil
}

// Choose returns the connection of that name, or for no name the one that a
// task gets which names none. Its key is there to be had. A name that nothing
// has is a [*provider.UnknownConnectionError].
func (c *Config) Choose(name string) (Connection, error) {
	if name == "" {
		var err error
		if name, err = c.DefaultName(); err != nil {
			return Connection{}, err
		}
	}
	connection, ok := c.Connections[name]
	switch {
	case ok:
	case name == Local:
		return Connection{Name: Local, Provider: "agi", Embedded: true}, nil
	default:
		return Connection{}, &provider.UnknownConnectionError{Name: name, Known: c.Names()}
	}
	if _, err := connection.Secret(); err != nil {
		return Connection{}, err
	}
	return connection, nil
}

// DefaultName is the connection for tasks that name none.
func (c *Config) DefaultName() (string, error) {
	switch {
	case c.Default != "":
		return c.Default, nil
	case len(c.Connections) == 0:
		return Local, nil
	case len(c.Connections) == 1:
		return slices.Collect(maps.Keys(c.Connections))[0], nil
	default:
		return "", fmt.Errorf("there are several connections (%s): choose one with --connection, or write default = \"NAME\" in %s",
			strings.Join(c.Names(), ", "), c.File)
	}
}

// Names are all connections that a task can name, sorted.
func (c *Config) Names() []string {
	names := slices.Collect(maps.Keys(c.Connections))
	if !slices.Contains(names, Local) {
		names = append(names, Local)
	}
	slices.Sort(names)
	return names
}

// Environment is the environment as os.Environ has it, "NAME=value" each. A
// later entry of a name wins.
type Environment []string

var _ envconfig.EnvLookup = Environment(nil)

// Get returns the value of a variable, empty if it is not set.
func (e Environment) Get(name string) string {
	value, _ := e.LookupEnv(name)
	return value
}

// LookupEnv is as os.LookupEnv.
func (e Environment) LookupEnv(name string) (string, bool) {
	for _, entry := range slices.Backward(e) {
		if n, value, ok := strings.Cut(entry, "="); ok && n == name {
			return value, true
		}
	}
	return "", false
}

// Environ is as os.Environ.
func (e Environment) Environ() []string { return e }

// dataDir finds the data directory: flag, then environment, then the user's
// state folder as the XDG base directory specification has it.
func dataDir(s Sources) (string, error) {
	for _, dir := range []string{s.DataDir, s.Env.Get("ERRAND_DATA_DIR")} {
		if dir != "" {
			return filepath.Abs(dir)
		}
	}
	if state := s.Env.Get("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "errand"), nil
	}
	home := s.Env.Get("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", fmt.Errorf("no home folder to keep data in (%w): set --data-dir or ERRAND_DATA_DIR", err)
		}
	}
	return filepath.Join(home, ".local", "state", "errand"), nil
}
