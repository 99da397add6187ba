package sessionserver

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/agent/exec"
	"github.com/errand-dev/errand/sessionserver/faults"
	"github.com/errand-dev/errand/sessionserver/internal/agen"
	"github.com/errand-dev/errand/sessionserver/internal/agi"
	"github.com/errand-dev/errand/sessionserver/internal/auth"
	"github.com/errand-dev/errand/sessionserver/internal/everruns"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// Config says where a server keeps its state, whom it serves, and how.
type Config struct {
	// Dir is the folder of all state, made when missing. It must belong to one
	// server at a time.
	Dir string
	// Keys are the API keys that are accepted. Without any no key is asked for,
	// and Serve takes a loopback listener only.
	Keys []Key
	// RequestsPerSecond is what each user may ask for; more is answered with 429
	// and Retry-After. 0 is no limit. Burst is how many may come at once, 0 for
	// one second's worth.
	RequestsPerSecond float64
	Burst             int

	// Programs are agents that are programs of their own, by the agent_name that
	// a client gives. Their Name, RunDir and Logger are set by the server.
	Programs map[string]exec.Config
	// Agents are further agents by name. They and Programs stand beside the
	// built-in ones, or replace those of the same name.
	Agents map[string]agent.Agent

	// Boot is how long a new session is initializing.
	Boot time.Duration
	// TTL is how long a session lives after the last that was said or done in
	// it; 0 is for ever.
	TTL time.Duration
	// ListTerminated keeps deleted sessions in the list, as terminated.
	ListTerminated bool
	// Snapshots says how long snapshots are kept; the zero value is for ever.
	Snapshots Retention
	// WebhookSecret signs webhooks if it is set; the vendor signs nothing.
	WebhookSecret string
	// AGI says how the AGI API behaves where the vendor is silent.
	AGI AGIOptions
	// Everruns says the same of the Everruns API.
	Everruns EverrunsOptions
	// Agen says the same of the Agen API.
	Agen AgenOptions
	// Faults makes the server fail on purpose; nil does not.
	Faults *faults.Plan
	// Truth is the file to which the server adds what really happens, see
	// package truth; none if empty. It belongs to one server at a time.
	Truth string

	// Logger is slog.Default() if nil.
	Logger *slog.Logger
}

// fill checks the options of the APIs and puts their defaults in.
func (c *Config) fill() (err error) {
	if c.AGI, err = c.AGI.Filled(); err != nil {
		return fmt.Errorf("AGI options of the session server: %w", err)
	}
	if c.Everruns, err = c.Everruns.Filled(); err != nil {
		return fmt.Errorf("session server's Everruns options: %w", err)
	}
	if c.Agen, err = c.Agen.Filled(); err != nil {
		return fmt.Errorf("session server's Agen options: %w", err)
	}
	return nil
}

// Key is an API key and whose it is.
type Key = auth.Key

// ParseKeys reads keys from lines such as KEY, USER KEY or revoked KEY. Errors
// name the line and not what is in it.
func ParseKeys(text string) ([]Key, error) { return auth.Parse(text) }

// Retention says how long snapshots are kept. Those that an owner's new
// sessions begin with by default are kept for ever.
type Retention = sessions.Retention

// AGIOptions say how the AGI API behaves where the vendor is silent.
type AGIOptions = agi.Options

// EverrunsOptions say how the Everruns API behaves where the vendor is silent.
type EverrunsOptions = everruns.Options

// EverrunsProfile is the state of the Everruns API that the server shows:
// current or given.
type EverrunsProfile = everruns.Profile

// EverrunsAsking is how an agent asks by the Everruns API: tool, task or message.
type EverrunsAsking = everruns.Asking

// EverrunsBusy is what becomes of a message while a turn is active: queue,
// steer or refuse.
type EverrunsBusy = everruns.Busy

// AgenOptions say how the Agen API behaves where the vendor is silent.
type AgenOptions = agen.Options
