package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/errand-dev/errand/e2e/internal/powercut"
	"github.com/errand-dev/errand/internal/books"
	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// powerCut takes the power from the machine that the Temporal server and the
// workers are on: they die, and the end of the database's log with them. The
// vendor goes on.
func (s *stage) powerCut(random *rand.Rand) trouble {
	cut := s.kill(slices.DeleteFunc(s.parts(), func(p part) bool { return p.server == &s.sessions.Server }))
	return trouble{
		strike: func() error {
			if err := cut.strike(); err != nil {
				return err
			}
			s.kills["power cut"]++
			lost, err := powercut.Cut(filepath.Join(s.temporalDir(), "data", "temporal.db"), random)
			s.lost += lost
			return err
		},
		mend: cut.mend,
	}
}

// glance is how long a follower looks at a task before it looks anew: what it
// has seen last may have been lost since.
const glance = 20 * time.Second

// again sees all tasks through once more: what ended before a power cut may be
// open since, or unknown.
func (s *stage) again(ctx context.Context) ([]starter.AgentTask, error) {
	accounts := make([]starter.AgentTask, len(s.errands))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.atOnce)
	for i, e := range s.errands {
		group.Go(func() (err error) {
			accounts[i], err = s.run(ctx, e)
			return err
		})
	}
	return accounts, group.Wait()
}

// kept are the promises that a power cut leaves standing. Others it may break:
// what Temporal has forgotten is done again.
var kept = []books.Promise{books.NoneLeft, books.AllEnded, books.SomethingToSee, noneStuck, onceDone}

// onceDone is what remains of the promise that a completed task was done: that
// its session has finished with that result, whatever came after.
const onceDone books.Promise = "I6, once"

// forgive tells what the power cuts cost and returns what they do not excuse.
func (s *stage) forgive(run books.Run, violations []books.Violation) []books.Violation {
	cost := tally{}
	violations = slices.DeleteFunc(violations, func(v books.Violation) bool {
		if slices.Contains(kept, v.Promise) {
			return false
		}
		cost[string(v.Promise)]++
		return true
	})
	fmt.Printf("power cuts lost %d KiB of the log, and so: %s\n", s.lost>>10, cost)
	if s.lost == 0 {
		violations = append(violations, books.Violation{Promise: books.SomethingToSee, Text: "no power cut lost anything"})
	}
	done := map[string]bool{} // session and digest of the result
	for _, f := range run.Log.Of(truth.Done) {
		done[f.Session+f.SHA256] = true
	}
	for _, t := range run.Tasks {
		if t.Status != workflows.StatusCompleted {
			continue
		}
		digest, err := truth.Digest(t.Result)
		if err != nil || t.Session == nil || !done[t.Session.ID+digest] {
			violations = append(violations, books.Violation{Promise: onceDone, Text: fmt.Sprintf("task %s is completed with %s, and its session never finished so", t.ID, t.Result)})
		}
	}
	return violations
}

// unknown says that a task was lost in a power cut: whoever wants it starts it
// again.
func (s *stage) unknown(err error) bool { return s.powerCuts && errors.Is(err, starter.ErrUnknownTask) }
