package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.temporal.io/sdk/client"

	rig "github.com/errand-dev/errand/e2e/internal/errand"
	"github.com/errand-dev/errand/starter"
)

const (
	connection = "shop"
	namespace  = "soak"

	// heartbeat is short, so that what a killed worker did is taken up soon.
	heartbeat = 3 * time.Second
)

// stage is all that a run takes place on: a vendor, a Temporal server, workers,
// and a client that outlives them.
type stage struct {
	options
	dir      string
	truth    string
	sessions *rig.Sessions
	temporal *rig.Temporal
	hands    []*rig.Server // workers
	sdk      client.Client
	client   *starter.Client
	kills    tally
}

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
	vendor := filepath.Join(dir, "vendor")
	server := filepath.Join(dir, "temporal")
	work := filepath.Join(dir, "worker")
	for _, d := range []string{vendor, server, work} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if s.sessions, err = command.Sessions(ctx, vendor, "--truth", s.truth, "--faults", plan); err != nil {
		return nil, err
	}
	if s.temporal, err = command.Temporal(ctx, server); err != nil {
		return nil, err
	}
	if s.sdk, err = s.temporal.Namespace(ctx, namespace); err != nil {
		return nil, err
	}
	s.client = starter.New(s.sdk, starter.Options{Namespace: namespace})
	config := fmt.Sprintf("[connections.%s]\nprovider = \"agi\"\nbase_url = %q\nsettle_time = \"2s\"\n", connection, s.sessions.URL())
	if err := os.WriteFile(filepath.Join(work, "errand.toml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	for range o.workers {
		w, err := command.Worker(ctx, work, s.temporal.Address, namespace)
		if err != nil {
			return nil, err
		}
		s.hands = append(s.hands, w)
	}
	return s, nil
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
	if s.temporal != nil {
		all = append(all, part{"temporal", &s.temporal.Server})
	}
	return all
}

// killAround kills a part at random, now and then all of them at once, and
// brings them back a moment later. It ends with all of them up.
func (s *stage) killAround(ctx context.Context) error {
	random := s.stream(partKills)
	for {
		calm := time.Duration(random.Int64N(int64(2 * s.calm)))
		victims := s.parts()
		if roll := random.IntN(10); roll > 0 {
			i := min(random.IntN(2*len(s.hands)), len(victims)-1)
			victims = victims[i : i+1]
		}
		down := time.Duration(random.IntN(1500)) * time.Millisecond
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(calm):
		}
		for _, v := range victims {
			v.server.Kill()
			s.kills[v.name]++
		}
		if len(victims) > 1 {
			s.kills["everything at once"]++
		}
		<-time.After(down)
		var failed error
		for _, v := range slices.Backward(victims) { // the servers first
			failed = errors.Join(failed, v.server.Restart(context.WithoutCancel(ctx)))
		}
		if failed != nil {
			return failed
		}
	}
}
