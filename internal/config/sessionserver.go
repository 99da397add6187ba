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
	Boot              time.Duration                 `toml:"boot"`
	TTL               time.Duration                 `toml:"ttl"`
	ListTerminated    bool                          `toml:"list_terminated"`
	SnapshotMaxAge    time.Duration                 `toml:"snapshot_max_age"`
	SnapshotMaxCount  int                           `toml:"snapshot_max_count"`
	RequestsPerSecond float64                       `toml:"requests_per_second"`
	Burst             int                           `toml:"burst"`
	WebhookSecret     string                        `toml:"webhook_secret"`
	Faults            string                        `toml:"faults"`
	Truth             string                        `toml:"truth"`
	AGI               sessionserver.AGIOptions      `toml:"agi"`
	Everruns          sessionserver.EverrunsOptions `toml:"everruns"`
	Agen              sessionserver.AgenOptions     `toml:"agen"`
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
		Everruns:          f.Everruns,
		Agen:              f.Agen,
	}
	if _, err := f.AGI.Filled(); err != nil {
		return c, fmt.Errorf("agi: %w", err)
	}
	if _, err := f.Everruns.Filled(); err != nil {
		return c, fmt.Errorf("everruns: %w", err)
	}
	if _, err := f.Agen.Filled(); err != nil {
		return c, fmt.Errorf("agen: %w", err)
	}
	if f.Faults != "" {
		var err error
		if c.Faults, err = faults.Load(from(dir, f.Faults)); err != nil {
			return c, err
		}
	}
	if f.Truth != "" {
		c.Truth = from(dir, f.Truth)
	}
	return c, nil
}

// from is a path that counts from the folder dir.
func from(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
