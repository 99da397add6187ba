package main

import (
	"context"
	"fmt"

	rig "github.com/errand-dev/errand/e2e/internal/errand"
	"github.com/errand-dev/errand/e2e/internal/process"
	"github.com/errand-dev/errand/e2e/internal/shaky"
	"github.com/errand-dev/errand/internal/books"
)

// startShaky starts a Temporal server whose database fails now and then, with
// other faults after each start.
func (s *stage) startShaky(ctx context.Context) (*rig.Temporal, error) {
	config := shaky.Config{Dir: s.temporalDir(), Probability: s.persistenceFaults, Seed: s.seed}
	return rig.NewTemporal(ctx, func(ctx context.Context, before string) (*process.Process, string, error) {
		config.Seed++
		config.Address = before
		return shaky.Start(ctx, config)
	})
}

// checkShaky tells how the database failed: it must have.
func (s *stage) checkShaky() ([]books.Violation, error) {
	if s.persistenceFaults == 0 {
		return nil, nil
	}
	faults, err := shaky.Faults(s.temporalDir())
	if err != nil {
		return nil, err
	}
	fmt.Println("failed calls to the database:", tally(faults))
	if len(faults) == 0 {
		return []books.Violation{{Promise: books.SomethingToSee, Text: "no call to the database failed"}}, nil
	}
	return nil, nil
}
