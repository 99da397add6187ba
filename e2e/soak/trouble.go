package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"time"
)

// trouble befalls a stage, lasts a moment, and is mended.
type trouble struct {
	strike func() error
	mend   func(context.Context) error
	lasts  time.Duration // at least
}

// troubled has one trouble after the other, with some calm between them. It
// ends with all mended.
func (s *stage) troubled(ctx context.Context) error {
	random := s.stream(partKills)
	for n := 0; ; n++ {
		calm := time.Duration(random.Int64N(int64(2 * s.calm)))
		trouble := s.next(n, random)
		down := time.Duration(random.IntN(1500)) * time.Millisecond
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(calm):
		}
		if err := trouble.strike(); err != nil {
			return err
		}
		<-time.After(trouble.lasts + down)
		if err := trouble.mend(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
}

// next is the next trouble, the n-th: a part is killed, now and then all of
// them. Every other one is what else the options ask for.
func (s *stage) next(n int, random *rand.Rand) trouble {
	victims := s.parts()
	switch roll := random.IntN(10); {
	case n%2 == 0 && s.powerCuts:
		return s.powerCut(random)
	case n%2 == 0 && s.fullDisk:
		return s.fillDisk()
	case n%2 == 0 && s.crash != "":
		return s.crashElsewhere()
	case roll == 0:
		return s.kill(victims)
	}
	i := min(random.IntN(2*len(s.hands)), len(victims)-1)
	return s.kill(victims[i : i+1])
}

// kill kills the parts, as a crash would, and starts them again.
func (s *stage) kill(victims []part) trouble {
	return trouble{
		strike: func() error {
			for _, v := range victims {
				v.server.Kill()
				s.kills[v.name]++
			}
			if len(victims) == len(s.parts()) {
				s.kills["everything at once"]++
			}
			return nil
		},
		mend: func(ctx context.Context) (failed error) {
			for _, v := range slices.Backward(victims) { // the servers first
				failed = errors.Join(failed, v.server.Restart(ctx))
			}
			return failed
		},
	}
}

// crashElsewhere has a command crash what the soak does not know, such as the
// Temporal server's database. It is up again when the command ends.
func (s *stage) crashElsewhere() trouble {
	return trouble{
		strike: func() error {
			s.kills["elsewhere"]++
			if out, err := exec.Command("sh", "-c", s.crash).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", s.crash, err, out)
			}
			return nil
		},
		mend: func(context.Context) error { return nil },
	}
}
