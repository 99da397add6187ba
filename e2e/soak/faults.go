package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// rules are what the vendor does wrong, and how often.
var rules = []struct {
	on          string
	fault       string
	probability float64
	more        string
}{
	{"create", "lost-after", 0.04, ""},
	{"create", "lost-before", 0.02, ""},
	{"create", "500", 0.03, ""},
	{"create", "cut", 0.02, ""},
	{"message", "lost-after", 0.04, ""},
	{"message", "lost-before", 0.04, ""},
	{"message", "500", 0.03, ""},
	{"message", "502", 0.02, ""},
	{"message", "429", 0.02, `retry_after = "1s"`},
	{"message", "slow", 0.02, `delay = "1500ms"`},
	{"messages", "500", 0.02, ""},
	{"messages", "cut", 0.01, ""},
	{"messages", "vanish", 0.001, ""},
	{"events", "drop-stream", 0.05, "after_events = 1"},
	{"delete", "lost-after", 0.04, ""},
	{"delete", "500", 0.04, ""},
	{"list", "cut", 0.1, ""},
	{"turn", "stuck", 0.005, ""},
}

// faultPlan is the session server's plan.
func (o options) faultPlan() string {
	var plan strings.Builder
	fmt.Fprintf(&plan, "seed = %d\n", o.seed)
	if o.from != "" {
		return plan.String() // what older code makes of faults is not the question
	}
	for _, r := range rules {
		fmt.Fprintf(&plan, "\n[[rules]]\non = [%q]\nfault = %q\nprobability = %v\n%s\n", r.on, r.fault, r.probability, r.more)
	}
	return plan.String()
}

// required are the faults that must have fired for a run to prove anything: of
// these a run of any size has some.
func (s *stage) required() []string {
	switch {
	case s.from != "":
		return nil
	case s.tasks < 100:
		return []string{"lost-after", "lost-before"}
	}
	return []string{"lost-after", "lost-before", "500", "cut", "drop-stream"}
}

// tally counts by name.
type tally map[string]int

func (t tally) total() int {
	n := 0
	for _, count := range t {
		n += count
	}
	return n
}

func (t tally) String() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(t)) {
		words = append(words, fmt.Sprintf("%d × %s", t[name], name))
	}
	return strings.Join(words, ", ")
}
