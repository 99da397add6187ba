package workflows

import (
	"flag"
	"testing"

	"pgregory.net/rapid"
)

// A model test in parts: a plan (model_plan_test.go) is played against the
// workflow (model_play_test.go) with a vendor that keeps its own truth
// (model_vendor_test.go), and the book of what happened (model_book_test.go) is
// read by a reference of what an agent task promises (model_reference_test.go,
// model_account_test.go).

// checks is how many stories are played; -rapid.checks plays more.
const checks = "200"

func init() {
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(err)
	}
}

func TestWhateverHappensAnAgentTaskKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := plans().Draw(t, "plan")
		newReference(t, p).read(play(t, p))
	})
}
