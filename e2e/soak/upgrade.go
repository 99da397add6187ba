package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	rig "github.com/errand-dev/errand/e2e/internal/errand"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// ways are those in which a task is open while the workers change.
var ways = []struct {
	name  string
	steps string // of the agent, before it finishes
	open  func(starter.AgentTask) bool
}{
	{"working", "wait 45s", func(t starter.AgentTask) bool { return t.Turns == 1 }},
	{"asking", "ask %s question 0?", func(t starter.AgentTask) bool { return t.Question != nil }},
	{"paused", "wait 45s", func(t starter.AgentTask) bool { return t.Turns == 1 }},
	{"outage", "wait 1s", func(starter.AgentTask) bool { return true }},
}

// openErrand is the i-th task that is open while the workers change, and how.
func openErrand(i int) errand {
	id, steps := fmt.Sprintf("t-%d", i), ways[i%len(ways)].steps
	answer := ""
	if ways[i%len(ways)].name == "asking" {
		steps = fmt.Sprintf(steps, id)
		answer = answerTo(id, 0)
	}
	return errand{
		status: workflows.StatusCompleted,
		result: fmt.Sprintf(`{"task":%q,"answer":%q}`, id, answer),
		input: workflows.AgentTaskInput{
			TaskID: id, Prompt: fmt.Sprintf(`%s; finish {"task":%q,"answer":"{{answer}}"}`, steps, id),
		},
	}
}

// upgrade has workers of an older revision begin the first half of the tasks,
// and workers of this one finish them. Then these begin the other half, older
// workers get hold of it for a while, as when an upgrade is rolled back, and
// these finish it as well.
func (s *stage) upgrade(ctx context.Context) ([]starter.AgentTask, error) {
	old, err := rig.BuildRevision(ctx, s.dir, s.from)
	if err != nil {
		return nil, err
	}
	fmt.Println("workers of", s.from, "begin")
	if err := s.hire(ctx, old, ""); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, old, s.tasks/2, false); err != nil {
		return nil, err
	}
	fmt.Println("workers of this revision finish")
	if err := errors.Join(s.change(ctx, s.command, settleTime), s.sessions.Restart(ctx)); err != nil {
		return nil, err
	}
	accounts, err := s.finish(ctx, s.errands)
	if err != nil {
		return nil, err
	}

	fmt.Println("workers of this revision begin")
	if err := s.begin(ctx, s.command, s.tasks-s.tasks/2, true); err != nil {
		return nil, err
	}
	fmt.Println("workers of", s.from, "have a look")
	if err := errors.Join(s.change(ctx, old, ""), s.sessions.Restart(ctx)); err != nil {
		return nil, err
	}
	later := s.errands[s.tasks/2:]
	if err := s.look(ctx, later); err != nil {
		return nil, err
	}
	fmt.Println("workers of this revision finish")
	if err := s.change(ctx, s.command, settleTime); err != nil {
		return nil, err
	}
	more, err := s.finish(ctx, later)
	return append(accounts, more...), err
}

// begin opens so many more tasks, as the command does it, and then the vendor
// goes away.
func (s *stage) begin(ctx context.Context, command rig.Command, n int, sticks bool) error {
	first := len(s.errands)
	for i := range n {
		e := openErrand(first + i)
		e.sticks = sticks
		s.errands = append(s.errands, e)
	}
	for w, way := range ways {
		if way.name == "outage" {
			s.sessions.Kill()
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(4)
		for i := first; i < len(s.errands); i++ {
			if i%len(ways) == w {
				group.Go(func() error { return s.open(ctx, command, i) })
			}
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// open starts a task and sees it get where it shall be.
func (s *stage) open(ctx context.Context, command rig.Command, i int) error {
	in, way := s.errands[i].input, ways[i%len(ways)]
	do := func(args ...string) error {
		return command.Do(ctx, s.workerDir(), append(args, "--address", s.temporal.Address, "--namespace", s.namespace)...)
	}
	if err := do("run", "--detach", "--id", in.TaskID, "--connection", connection, "--agent", "script", in.Prompt); err != nil {
		return err
	}
	err := eventually(ctx, func() (bool, error) {
		now, err := s.client.AgentTask(ctx, in.TaskID)
		return err == nil && way.open(now), err
	})
	switch {
	case err != nil:
		return fmt.Errorf("task %s is not %s: %w", in.TaskID, way.name, err)
	case way.name == "paused":
		return do("pause", in.TaskID)
	}
	return nil
}

// change sends the workers home and hires others.
func (s *stage) change(ctx context.Context, command rig.Command, settings string) error {
	for _, w := range s.hands {
		if err := w.Stop(ctx); err != nil {
			return err
		}
	}
	s.hands = nil
	return s.hire(ctx, command, settings)
}

// finish sees the tasks through.
func (s *stage) finish(ctx context.Context, errands []errand) ([]starter.AgentTask, error) {
	accounts := make([]starter.AgentTask, len(errands))
	group, ctx := errgroup.WithContext(ctx)
	for i, e := range errands {
		group.Go(func() (err error) {
			err = patiently(ctx, func() error { // refused by those that go on anyway
				_, err := s.client.Resume(ctx, e.input.TaskID)
				return err
			})
			if _, refused := errors.AsType[*starter.RefusedError](err); err != nil && !refused {
				return err
			}
			accounts[i], err = s.follow(ctx, e.input.TaskID)
			return err
		})
	}
	return accounts, group.Wait()
}

// lookTime is how long older workers get hold of newer tasks: all of these have
// something to do for them by then.
const lookTime = 90 * time.Second

// look waits while older workers do what they can with the tasks, whose people
// do their part, and tells how many are stuck.
func (s *stage) look(ctx context.Context, errands []errand) error {
	looking, enough := context.WithTimeout(ctx, lookTime)
	defer enough()
	_, err := s.finish(looking, errands)
	if err != nil && looking.Err() == nil {
		return err
	}
	stuck := 0
	for _, e := range errands {
		failed, err := s.stuck(ctx, e.input.TaskID)
		if err != nil {
			return err
		}
		if len(failed) > 0 {
			stuck++
		}
	}
	fmt.Printf("%d of %d tasks were stuck meanwhile\n", stuck, len(errands))
	return nil
}

// eventually looks until it is so.
func eventually(ctx context.Context, so func() (bool, error)) error {
	for {
		ok, err := so()
		if ok && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
