package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

const fileName = "errand.toml"

// findFile finds errand.toml: flag, environment, working directory, then the
// user's configuration folder. Only a file that was asked for has to be there.
func findFile(s Sources) (string, error) {
	for _, named := range []struct{ by, path string }{{"--config", s.File}, {"ERRAND_CONFIG", s.Env.Get("ERRAND_CONFIG")}} {
		if named.path == "" {
			continue
		}
		if _, err := os.Stat(named.path); err != nil {
			return "", fmt.Errorf("%s: %w", named.by, err)
		}
		return filepath.Abs(named.path)
	}
	places := []string{"."}
	if dir := userConfigDir(s.Env); dir != "" {
		places = append(places, filepath.Join(dir, "errand"))
	}
	for _, dir := range places {
		path := filepath.Join(dir, fileName)
		switch _, err := os.Stat(path); {
		case err == nil:
			return filepath.Abs(path)
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
	}
	return "", nil
}

// userConfigDir is os.UserConfigDir in that environment, empty if there is none.
func userConfigDir(env Environment) string {
	if dir := env.Get("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	if dir, err := os.UserConfigDir(); err == nil {
		return dir
	}
	return ""
}

// fileContent is errand.toml.
type fileContent struct {
	Default     string                    `toml:"default"`
	Ledger      string                    `toml:"ledger"`
	Batches     string                    `toml:"batches"`
	Connections map[string]fileConnection `toml:"connections"`
	Agents      map[string]fileAgent      `toml:"agents"`

	SessionServer fileSessionServer `toml:"session_server"`
	Monitors      fileMonitors      `toml:"monitors"`
}

type fileConnection struct {
	Provider          string  `toml:"provider"`
	BaseURL           string  `toml:"base_url"`
	APIKey            string  `toml:"api_key"`
	Organization      string  `toml:"organization"`
	Agent             string  `toml:"agent"`
	MaxSessions       int     `toml:"max_sessions"`
	RequestsPerSecond float64 `toml:"requests_per_second"`
	Exclusive         bool    `toml:"exclusive"`

	SettleTime time.Duration `toml:"settle_time"`
}

// readFile reads and checks errand.toml. Errors name the file and the line.
func (c *Config) readFile(path string, env Environment) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	c.File = path
	text := string(data)
	var content fileContent
	meta, err := toml.Decode(text, &content)
	if err != nil {
		return fmt.Errorf("%s: %w", path, withoutValue(err))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return c.wrong(text, unknown[0], errors.New("is not a setting of errand"))
	}
	for name, f := range content.Connections {
		at := func(key ...string) toml.Key { return append(toml.Key{"connections", name}, key...) }
		connection := Connection{
			Name:              name,
			Provider:          f.Provider,
			BaseURL:           f.BaseURL,
			Organization:      f.Organization,
			Agent:             f.Agent,
			MaxSessions:       f.MaxSessions,
			RequestsPerSecond: f.RequestsPerSecond,
			Exclusive:         f.Exclusive,
			SettleTime:        f.SettleTime,
		}
		if !connectionName.MatchString(name) {
			return c.wrong(text, at(), errors.New("is no name for a connection: use letters, digits, - and _, 64 at most"))
		}
		if meta.IsDefined("connections", name, "api_key") {
			if connection.Key, err = ParseKeyRef(f.APIKey, filepath.Dir(path), env); err != nil {
				return c.wrong(text, at("api_key"), err)
			}
		}
		if key, err := connection.check(); err != nil {
			return c.wrong(text, at(key...), err)
		}
		c.Connections[name] = connection
	}
	if c.SessionServer, err = content.SessionServer.config(filepath.Dir(path)); err != nil {
		return c.wrong(text, toml.Key{"session_server"}, err)
	}
	if meta.IsDefined("session_server", "webhook_secret") {
		if c.WebhookSecret, err = ParseKeyRef(content.SessionServer.WebhookSecret, filepath.Dir(path), env); err != nil {
			return c.wrong(text, toml.Key{"session_server", "webhook_secret"}, err)
		}
	}
	monitors, key, err := readMonitors(content.Monitors, meta, filepath.Dir(path), env)
	if err != nil {
		return c.wrong(text, key, err)
	}
	c.Monitors = monitors
	for name, f := range content.Agents {
		at := func(key ...string) toml.Key { return append(toml.Key{"agents", name}, key...) }
		if !agentName.MatchString(name) {
			return c.wrong(text, at(), errors.New("is no name for an agent: use letters, digits, dots, - and _, 64 at most"))
		}
		program, key, err := f.program(filepath.Dir(path))
		if err != nil {
			return c.wrong(text, at(key), err)
		}
		c.SessionServer.Programs[name] = program
	}
	c.Ledger, c.Batches = place(path, content.Ledger), place(path, content.Batches)
	c.Default = content.Default
	if _, ok := c.Connections[c.Default]; !ok && c.Default != "" && c.Default != Local {
		return c.wrong(text, toml.Key{"default"}, fmt.Errorf("there is no connection %q, there is %s", c.Default, strings.Join(c.Names(), ", ")))
	}
	return nil
}

// place is a folder, which may be written as seen from the file, or a bucket.
func place(path, text string) string {
	if text == "" || strings.Contains(text, "://") || filepath.IsAbs(text) {
		return text
	}
	return filepath.Join(filepath.Dir(path), text)
}

// connectionName keeps names fit for search attributes, tables and shells.
var connectionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// wrong says what is wrong with a key of the file, and in which line.
func (c *Config) wrong(text string, key toml.Key, err error) error {
	if line := lineOf(text, key); line > 0 {
		return fmt.Errorf("%s line %d: %s: %w", c.File, line, key, err)
	}
	return fmt.Errorf("%s: %s: %w", c.File, key, err)
}

// lineOf finds the line of a key, which the decoder does not tell. It knows
// tables and plain keys; for any other spelling it returns 0.
func lineOf(text string, key toml.Key) int {
	table, last := key[:len(key)-1].String(), key[len(key)-1]
	current := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if header, ok := strings.CutPrefix(line, "["); ok {
			current, _, _ = strings.Cut(strings.TrimLeft(header, "["), "]")
			if current = strings.TrimSpace(current); current == key.String() {
				return i + 1
			}
			continue
		}
		name, _, found := strings.Cut(line, "=")
		if found && current == table && strings.Trim(strings.TrimSpace(name), `"'`) == last {
			return i + 1
		}
	}
	return 0
}

// withoutValue is a parse error that does not repeat what the file says, where
// that may be a key without its quotes.
func withoutValue(err error) error {
	if parse, ok := errors.AsType[toml.ParseError](err); ok {
		line := fmt.Sprintf("line %d", parse.Position.Line)
		if parse.LastKey != "" {
			line += fmt.Sprintf(", at or after %s", parse.LastKey)
		}
		return fmt.Errorf("%s: not valid TOML, or a value of the wrong type", line)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "toml: "))
}
