package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/errand-dev/errand/provider"
)

// fileMonitors is [monitors] of errand.toml.
type fileMonitors struct {
	WebhookSecret string            `toml:"webhook_secret"`
	Targets       map[string]string `toml:"targets"`
}

// Monitors says whom the monitors can tell, beside the URLs that they name
// themselves.
type Monitors struct {
	Secret  KeyRef            // signs alerts; nowhere: they are not signed
	Targets map[string]KeyRef // where the URL of each is, which may hold a secret
}

// readMonitors checks [monitors]. With an error it returns the key that is
// wrong.
func readMonitors(f fileMonitors, meta toml.MetaData, dir string, env Environment) (m Monitors, key toml.Key, err error) {
	m.Targets = map[string]KeyRef{}
	if meta.IsDefined("monitors", "webhook_secret") {
		if m.Secret, err = ParseKeyRef(f.WebhookSecret, dir, env); err != nil {
			return m, toml.Key{"monitors", "webhook_secret"}, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Targets)) {
		at := toml.Key{"monitors", "targets", name}
		if !connectionName.MatchString(name) {
			return m, at, errors.New("is no name for a target: use letters, digits, - and _, 64 at most")
		}
		if m.Targets[name], err = ParseKeyRef(f.Targets[name], dir, env); err != nil {
			return m, at, errors.New(`must say where the URL is, not what it is, as it may hold a secret: write "env:NAME" or "file:PATH"`)
		}
	}
	return m, nil, nil
}

// Target returns where a target of a monitor is, and the secret that signs what
// it is told. It implements what activities ask a worker for.
func (m Monitors) Target(target string) (url string, secret provider.Secret, err error) {
	if secret, err = m.Secret.Read(); err != nil {
		return "", "", fmt.Errorf("monitors.webhook_secret: %w", err)
	}
	if strings.Contains(target, "://") {
		return target, secret, nil
	}
	ref, known := m.Targets[target]
	if !known {
		return "", "", fmt.Errorf("there is no target %q in [monitors.targets] here", target)
	}
	at, err := ref.Read()
	if err != nil {
		return "", "", fmt.Errorf("monitors.targets.%s: %w", target, err)
	}
	return string(at), secret, nil
}
