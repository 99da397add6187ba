package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"

	rig "github.com/errand-dev/errand/e2e/internal/errand"
	"github.com/errand-dev/errand/starter"
)

const (
	connection = "shop"

	// heartbeat is short, so that what a killed worker did is taken up soon.
	heartbeat = 3 * time.Second
)

// stage is all that a run takes place on: a vendor, a Temporal server, workers,
// and a client that outlives them.
type stage struct {
	options
	dir       string
	truth     string
	namespace string
	sessions  *rig.Sessions
	temporal  *rig.Temporal
	hands     []*rig.Server // workers
	sdk       client.Client
	client    *starter.Client
	kills     tally
}

// The folders of a stage: the vendor's, and of the one machine on which the
// Temporal server and the workers run.
func (s *stage) vendorDir() string   { return filepath.Join(s.dir, "vendor") }
func (s *stage) temporalDir() string { return filepath.Join(s.dir, "machine", "temporal") }
func (s *stage) workerDir() string   { return filepath.Join(s.dir, "machine", "worker") }

func newStage(ctx context.Context, o options, dir string) (_ *stage, err error) {
	s := &stage{options: o, dir: dir, truth: filepath.Join(dir, "truth.jsonl"), kills: tally{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	command, err := rig.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	plan := filepath.Join(dir, "faults.toml")
	if err := os.WriteFile(plan, []byte(faultPlan(o.seed)), 0o600); err != nil {
		return nil, err
	}
	for _, d := range []string{s.vendorDir(), s.temporalDir(), s.workerDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if s.sessions, err = command.Sessions(ctx, s.vendorDir(), "--truth", s.truth, "--faults", plan); err != nil {
		return nil, err
	}
	if s.temporal, err = s.startTemporal(ctx, command); err != nil {
		return nil, err
	}
	// A server that was there may have had runs of the same seed.
	s.namespace = fmt.Sprintf("soak-%d-%d", o.seed, time.Now().Unix())
	if s.sdk, err = s.temporal.Namespace(ctx, s.namespace); err != nil {
		return nil, err
	}
	s.client = starter.New(s.sdk, starter.Options{Namespace: s.namespace})
	config := fmt.Sprintf("[connections.%s]\nprovider = \"agi\"\nbase_url = %q\nsettle_time = \"2s\"\n", connection, s.sessions.URL())
	if err := os.WriteFile(filepath.Join(s.workerDir(), "errand.toml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	for range o.workers {
		w, err := command.Worker(ctx, s.workerDir(), s.temporal.Address, s.namespace)
		if err != nil {
			return nil, err
		}
		s.hands = append(s.hands, w)
	}
	return s, nil
}

// startTemporal starts the Temporal server that the options ask for.
func (s *stage) startTemporal(ctx context.Context, command rig.Command) (*rig.Temporal, error) {
	switch {
	case s.command != "":
		return rig.TemporalBy(ctx, s.command, s.address)
	case s.address != "":
		return rig.TemporalAt(s.address), nil
	case s.persistenceFaults > 0:
		return s.startShaky(ctx)
	}
	return command.Temporal(ctx, s.temporalDir())
}

func (s *stage) close() {
	if s.sdk != nil {
		s.sdk.Close()
		s.sdk = nil
	}
	for _, part := range s.parts() {
		part.server.Kill()
	}
	s.hands, s.sessions, s.temporal = nil, nil, nil
}

// part is a process that can be killed.
type part struct {
	name   string
	server *rig.Server
}

func (s *stage) parts() []part {
	var all []part
	for _, w := range s.hands {
		all = append(all, part{"worker", w})
	}
	if s.sessions != nil {
		all = append(all, part{"session server", &s.sessions.Server})
	}
	if s.temporal != nil && s.temporal.Ours() {
		all = append(all, part{"temporal", &s.temporal.Server})
	}
	return all
}
