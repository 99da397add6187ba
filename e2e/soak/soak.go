package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/errand-dev/errand/internal/books"
	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
)

// options say how large a run is, and which.
type options struct {
	tasks, atOnce, workers int
	seed                   uint64
	calm, most             time.Duration
	dir                    string

	address, by       string  // a Temporal server that is not ours, and its command
	crash             string  // command that crashes what that server stands on
	persistenceFaults float64 // of calls of the Temporal server to its database
	powerCuts         bool    // on the machine of the Temporal server and the workers
	fullDisk          bool    // there
	from              string  // revision of the workers that begin
}

// validate says what cannot be.
func (o options) validate() error {
	switch own := o.persistenceFaults > 0 || o.powerCuts || o.fullDisk; {
	case o.persistenceFaults < 0 || o.persistenceFaults >= 1:
		return errors.New("-persistence-faults is a probability below 1")
	case o.by != "" && o.address == "":
		return errors.New("-temporal needs an -address")
	case o.address != "" && own:
		return errors.New("-persistence-faults, -power-cuts and -full-disk are for the soak's own Temporal server, not for that at -address")
	}
	return nil
}

// stream gives each part of a run random numbers of its own, so that what one
// draws changes nothing for another.
func (o options) stream(part uint64) *rand.Rand { return rand.New(rand.NewPCG(o.seed, part)) }

// The parts that draw random numbers; tasks draw from firstTask on.
const (
	partKills uint64 = iota
	firstTask
)

// soak does one run and reports whether all promises were kept.
func soak(ctx context.Context, o options) (ok bool, err error) {
	if err := o.validate(); err != nil {
		return false, err
	}
	dir, err := folder(o)
	if err != nil {
		return false, err
	}
	fmt.Printf("seed %d: %d tasks, %d at once, in %s\n", o.seed, o.tasks, o.atOnce, dir)
	ctx, cancel := context.WithTimeout(ctx, o.most)
	defer cancel()
	began := time.Now()
	s, err := newStage(ctx, o, dir)
	if err != nil {
		return false, err
	}
	defer s.close()

	var violations []books.Violation
	play := s.play
	if o.from != "" {
		play = s.upgrade
	}
	tasks, err := play(ctx)
	fmt.Printf("all have ended after %s\n", time.Since(began).Round(time.Second))
	if err == nil {
		err = errors.Join(s.keep(tasks), s.reap(ctx))
	}
	if err == nil {
		violations, err = s.check(ctx, tasks)
	}
	if err != nil {
		return false, fmt.Errorf("%w (what there is stays in %s)", err, dir)
	}
	fmt.Printf("kills: %s\nseed %d, %s: ", s.kills, o.seed, time.Since(began).Round(time.Second))
	if len(violations) > 0 {
		fmt.Printf("%d promises broken\n", len(violations))
		for _, v := range violations {
			fmt.Println(" ", v)
		}
		fmt.Println("what there is stays in", dir)
		return false, nil
	}
	fmt.Println("every promise kept")
	if o.dir == "" {
		s.close()
		return true, os.RemoveAll(dir)
	}
	return true, nil
}

func folder(o options) (string, error) {
	if o.dir == "" {
		return os.MkdirTemp("", "errand-soak-")
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// play starts the tasks, with so many open at once, kills meanwhile, and
// returns their accounts when all have ended.
func (s *stage) play(ctx context.Context) ([]starter.AgentTask, error) {
	if err := s.hire(ctx, s.command, settleTime); err != nil {
		return nil, err
	}
	for i := range s.tasks {
		s.errands = append(s.errands, newErrand(s.options, i))
	}
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	killCtx, calm := context.WithCancel(ctx)
	killing := make(chan error, 1)
	go func() {
		err := s.troubled(killCtx)
		if err != nil {
			giveUp() // something is down and stays so
		}
		killing <- err
	}()

	accounts := make([]starter.AgentTask, s.tasks)
	errs := make(chan error, s.tasks)
	slots := make(chan struct{}, s.atOnce)
	for i := range s.tasks {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			var err error
			accounts[i], err = s.run(ctx, s.errands[i])
			errs <- err
		}()
		if (i+1)%max(1, s.tasks/10) == 0 {
			fmt.Printf("  %d tasks started\n", i+1)
		}
	}
	var failed error
	for range s.tasks {
		failed = errors.Join(failed, <-errs)
	}
	calm()
	if err := <-killing; err != nil {
		return nil, err // and so all else failed
	}
	if failed == nil && s.powerCuts {
		return s.again(ctx)
	}
	return accounts, failed
}

// keep writes the accounts beside the truth, for who looks into a broken promise.
func (s *stage) keep(tasks []starter.AgentTask) error {
	f, err := os.Create(filepath.Join(s.dir, "tasks.jsonl"))
	if err != nil {
		return err
	}
	e := json.NewEncoder(f)
	for _, t := range tasks {
		err = errors.Join(err, e.Encode(t))
	}
	return errors.Join(err, f.Close())
}

// check compares what the tasks say with the truth. Reapers are killed too,
// between a delete and the report of it, so what they say is not all they did:
// nobody else deletes sessions here.
func (s *stage) check(ctx context.Context, tasks []starter.AgentTask) ([]books.Violation, error) {
	log, err := truth.Read(s.truth)
	if err != nil {
		return nil, err
	}
	run := books.Run{Log: log, Tasks: tasks, Scripts: map[string]books.Script{}, Faults: s.required()}
	for _, e := range s.errands {
		run.Scripts[e.input.TaskID] = e.script()
	}
	counts, violations := run.Check()
	counts.Sessions[books.Reaped] = counts.Sessions[books.ByOthers]
	delete(counts.Sessions, books.ByOthers)
	fmt.Print(counts)
	if s.kills.total() == 0 && s.from == "" {
		violations = append(violations, books.Violation{Promise: books.SomethingToSee, Text: "nothing was killed"})
	}
	stuck, err := s.checkHistories(ctx)
	if err != nil {
		return nil, err
	}
	violations = append(violations, stuck...)
	calm, err := s.checkShaky()
	if err != nil {
		return nil, err
	}
	violations = append(violations, calm...)
	violations = append(violations, s.checkDisk()...)
	if s.powerCuts {
		violations = s.forgive(run, violations)
	}
	slices.SortFunc(violations, func(x, y books.Violation) int { return len(x.Promise) - len(y.Promise) })
	return violations, nil
}
