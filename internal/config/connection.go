package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/errand-dev/errand/provider"
)

// Connection is one [connections.NAME] of the file.
type Connection struct {
	Name              string
	Provider          string
	BaseURL           string // empty: the vendor's own
	Key               KeyRef
	Organization      string        // at vendors whose keys may reach several; empty: the key's own
	Agent             string        // for tasks that name none; empty: the vendor's default
	MaxSessions       int           // at once, over all workers; 0: no limit
	RequestsPerSecond float64       // over all workers; 0: no limit
	Exclusive         bool          // nobody but Errand, with this Temporal namespace, uses the key
	SettleTime        time.Duration // how long a call without a reply may still take effect; 0: what the vendor's advice says

	// Embedded is the local session server, whose address and key are not
	// known before it runs.
	Embedded bool
}

// Secret reads the key. Without an api_key it is empty.
func (c Connection) Secret() (provider.Secret, error) {
	key, err := c.Key.Read()
	if err != nil {
		return "", fmt.Errorf("connection %q has no key: %w", c.Name, err)
	}
	return key, nil
}

// Open returns the connection with its key, as a provider takes it.
func (c Connection) Open() (provider.Connection, error) {
	key, err := c.Secret()
	return provider.Connection{
		Name:              c.Name,
		Provider:          c.Provider,
		BaseURL:           c.BaseURL,
		APIKey:            key,
		Organization:      c.Organization,
		Agent:             c.Agent,
		RequestsPerSecond: c.RequestsPerSecond,
		MaxSessions:       c.MaxSessions,
		SettleTime:        c.SettleTime,
	}, err
}

// check reports the first thing wrong with the connection, and the key below
// it that is wrong, if it is one.
func (c Connection) check() (key []string, err error) {
	if c.Provider == "" {
		return nil, fmt.Errorf("names no provider: write provider = %q", provider.Names()[0])
	}
	vendor, err := provider.VendorNamed(c.Provider)
	if err != nil {
		return []string{"provider"}, fmt.Errorf("%q is unknown: choose %s", c.Provider, strings.Join(provider.Names(), " or "))
	}
	if c.Organization != "" && vendor.OrgVariable == "" {
		return []string{"organization"}, fmt.Errorf("%s knows none: leave it out", vendor.Title)
	}
	if c.MaxSessions < 0 {
		return []string{"max_sessions"}, fmt.Errorf("%d is negative: write 0 for no limit", c.MaxSessions)
	}
	if !(c.RequestsPerSecond >= 0) { // nor NaN, which TOML can write
		return []string{"requests_per_second"}, fmt.Errorf("%v is not a number of 0 or more: write 0 for no limit", c.RequestsPerSecond)
	}
	if c.SettleTime < 0 {
		return []string{"settle_time"}, fmt.Errorf("%s is negative: leave it out for the vendor's own", c.SettleTime)
	}
	if c.BaseURL != "" {
		u, err := url.Parse(c.BaseURL)
		switch {
		case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
			return []string{"base_url"}, errors.New("must be an absolute http or https URL")
		case u.User != nil:
			return []string{"base_url"}, errors.New("must not hold a user or a password: use api_key")
		}
	}
	return nil, nil
}

// KeyRef says where an API key is. The zero value is nowhere: no key is sent.
type KeyRef struct {
	kind keyKind
	at   string // name of a variable, or path of a file
	env  Environment
}

type keyKind string

const (
	keyFromEnv  keyKind = "env"
	keyFromFile keyKind = "file"
)

// errLiteralKey never quotes what was written, which may be a key.
var errLiteralKey = errors.New(`must say where the key is, not what it is: write "env:NAME" for an environment variable or "file:PATH"`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ParseKeyRef reads "env:NAME" or "file:PATH", with relative paths below dir.
// Its error does not repeat the text.
func ParseKeyRef(text, dir string, env Environment) (KeyRef, error) {
	kind, at, _ := strings.Cut(text, ":")
	switch r := (KeyRef{kind: keyKind(kind), at: at, env: env}); {
	case r.kind == keyFromEnv && variableName.MatchString(at):
		return r, nil
	case r.kind == keyFromFile && at != "":
		if !filepath.IsAbs(at) {
			r.at = filepath.Join(dir, at)
		}
		return r, nil
	default:
		return KeyRef{}, errLiteralKey
	}
}

// Read fetches the key.
func (r KeyRef) Read() (provider.Secret, error) {
	switch r.kind {
	case keyFromEnv:
		if key := strings.TrimSpace(r.env.Get(r.at)); key != "" {
			return provider.Secret(key), nil
		}
		return "", fmt.Errorf("the environment variable %s is not set", r.at)
	case keyFromFile:
		data, err := os.ReadFile(r.at)
		if err != nil {
			return "", err
		}
		if key := strings.TrimSpace(string(data)); key != "" {
			return provider.Secret(key), nil
		}
		return "", fmt.Errorf("the file %s is empty", r.at)
	default:
		return "", nil
	}
}

// String is the reference as it is written in the file.
func (r KeyRef) String() string {
	if r.kind == "" {
		return "none"
	}
	return string(r.kind) + ":" + r.at
}

// GoString is String: a %#v would print the environment, keys and all.
func (r KeyRef) GoString() string { return r.String() }
