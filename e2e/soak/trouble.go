package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// trouble befalls a stage, lasts a moment, and is mended.
type trouble struct {
	strike func() error
	mend   func(context.Context) error
}

// troubled has one trouble after the other, with some calm between them. It
// ends with all mended.
func (s *stage) troubled(ctx context.Context) error {
	random := s.stream(partKills)
	for {
		calm := time.Duration(random.Int64N(int64(2 * s.calm)))
		trouble := s.next(random)
		down := time.Duration(random.IntN(1500)) * time.Millisecond
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(calm):
		}
		if err := trouble.strike(); err != nil {
			return err
		}
		<-time.After(down)
		if err := trouble.mend(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
}

// next is the next trouble: a part is killed, or now and then all of them.
func (s *stage) next(random *rand.Rand) trouble {
	victims := s.parts()
	if random.IntN(10) == 0 {
		kill := s.kill(victims)
		return trouble{func() error {
			s.kills["everything at once"]++
			return kill.strike()
		}, kill.mend}
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
