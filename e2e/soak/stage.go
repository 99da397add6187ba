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

	// settleTime is short, so that a message whose reply was lost is soon sent
	// again where that is right.
	settleTime = `settle_time = "2s"`

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
	command   rig.Command
	errands   []errand // what its tasks are to do
	kills     tally

	lost       int64 // bytes, in power cuts
	disk       bool  // is mounted
	complaints int   // of processes about a full one
}

// The folders of a stage: the vendor's, and of the one machine on which the
// Temporal server and the workers run.
func (s *stage) vendorDir() string   { return filepath.Join(s.dir, "vendor") }
func (s *stage) machineDir() string  { return filepath.Join(s.dir, "machine") }
func (s *stage) temporalDir() string { return filepath.Join(s.machineDir(), "temporal") }
func (s *stage) workerDir() string   { return filepath.Join(s.machineDir(), "worker") }

func newStage(ctx context.Context, o options, dir string) (_ *stage, err error) {
	s := &stage{options: o, dir: dir, truth: filepath.Join(dir, "truth.jsonl"), kills: tally{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.command, err = rig.Build(ctx, dir); err != nil {
		return nil, err
	}
	plan := filepath.Join(dir, "faults.toml")
	if err := os.WriteFile(plan, []byte(o.faultPlan()), 0o600); err != nil {
		return nil, err
	}
	if o.fullDisk {
		if err := s.mountDisk(ctx); err != nil {
			return nil, err
		}
	}
	for _, d := range []string{s.vendorDir(), s.temporalDir(), s.workerDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if s.sessions, err = s.command.Sessions(ctx, s.vendorDir(), "--truth", s.truth, "--faults", plan); err != nil {
		return nil, err
	}
	if s.temporal, err = s.startTemporal(ctx); err != nil {
		return nil, err
	}
	// A server that was there may have had runs of the same seed.
	s.namespace = fmt.Sprintf("soak-%d-%d", o.seed, time.Now().Unix())
	if s.sdk, err = s.temporal.Namespace(ctx, s.namespace); err != nil {
		return nil, err
	}
	s.client = starter.New(s.sdk, starter.Options{Namespace: s.namespace})
	if o.powerCuts { // a start flushes the log, with the namespace in it
		s.temporal.Kill()
		return s, s.temporal.Restart(ctx)
	}
	return s, nil
}

// hire starts the workers, with more settings of their connection.
func (s *stage) hire(ctx context.Context, command rig.Command, settings string) error {
	config := fmt.Sprintf("[connections.%s]\nprovider = \"agi\"\nbase_url = %q\n%s\n", connection, s.sessions.URL(), settings)
	if err := os.WriteFile(filepath.Join(s.workerDir(), "errand.toml"), []byte(config), 0o600); err != nil {
		return err
	}
	for range s.workers {
		w, err := command.Worker(ctx, s.workerDir(), s.temporal.Address, s.namespace)
		if err != nil {
			return err
		}
		s.hands = append(s.hands, w)
	}
	return nil
}

// startTemporal starts the Temporal server that the options ask for.
func (s *stage) startTemporal(ctx context.Context) (*rig.Temporal, error) {
	switch {
	case s.by != "":
		return rig.TemporalBy(ctx, s.by, s.address)
	case s.address != "":
		return rig.TemporalAt(s.address), nil
	case s.persistenceFaults > 0:
		return s.startShaky(ctx)
	}
	return s.command.Temporal(ctx, s.temporalDir())
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
	s.unmountDisk()
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
