package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/errand-dev/errand/sessionserver"
	"github.com/errand-dev/errand/sessionserver/agent/exec"
	"github.com/errand-dev/errand/sessionserver/faults"
)

// fileSessionServer is how the local session server serves.
type fileSessionServer struct {
	Boot              time.Duration            `toml:"boot"`
	TTL               time.Duration            `toml:"ttl"`
	ListTerminated    bool                     `toml:"list_terminated"`
	SnapshotMaxAge    time.Duration            `toml:"snapshot_max_age"`
	SnapshotMaxCount  int                      `toml:"snapshot_max_count"`
	RequestsPerSecond float64                  `toml:"requests_per_second"`
	Burst             int                      `toml:"burst"`
	WebhookSecret     string                   `toml:"webhook_secret"`
	Faults            string                   `toml:"faults"`
	AGI               sessionserver.AGIOptions `toml:"agi"`
}

// config checks what the file in the folder dir says.
func (f fileSessionServer) config(dir string) (sessionserver.Config, error) {
	if f.Boot < 0 || f.TTL < 0 || f.SnapshotMaxAge < 0 || f.SnapshotMaxCount < 0 || f.RequestsPerSecond < 0 || f.Burst < 0 {
		return sessionserver.Config{}, errors.New("has a negative number: leave a limit out, or write 0, for none")
	}
	c := sessionserver.Config{
		Programs:          map[string]exec.Config{},
		Boot:              f.Boot,
		TTL:               f.TTL,
		ListTerminated:    f.ListTerminated,
		Snapshots:         sessionserver.Retention{MaxAge: f.SnapshotMaxAge, MaxCount: f.SnapshotMaxCount},
		RequestsPerSecond: f.RequestsPerSecond,
		Burst:             f.Burst,
		AGI:               f.AGI,
	}
	if _, err := f.AGI.Filled(); err != nil {
		return c, fmt.Errorf("agi: %w", err)
	}
	if f.Faults != "" {
		path := f.Faults
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		var err error
		if c.Faults, err = faults.Load(path); err != nil {
			return c, err
		}
	}
	return c, nil
}
