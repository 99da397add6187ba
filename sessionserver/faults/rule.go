package faults

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Duration is a time.Duration that is written as in Go: "250ms", "2s".
type Duration time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Rule says which calls go wrong, how, and how often.
type Rule struct {
	// On names operations: create list get update delete delete_all message
	// status messages timeline events answer tasks pause resume cancel navigate
	// screenshot models agents capabilities stats webhook turn, or "*" for all
	// that the fault can hit. It may be empty for a fault that can hit one alone.
	On    []string `json:"on"`
	Fault Kind     `json:"fault"`
	// Skip lets the first matching calls pass; Times bounds how often the rule
	// fires, 0 is no limit.
	Skip  int `json:"skip,omitempty"`
	Times int `json:"times,omitempty"`
	// Probability is 1 if nil.
	Probability *float64 `json:"probability,omitempty"`
	// Delay is that of slow; 0 is 1 s. RetryAfter is that of 429 and rounded up
	// to whole seconds; 0 is 1 s.
	Delay      Duration `json:"delay,omitempty"`
	RetryAfter Duration `json:"retry_after,omitempty"`
	// AfterEvents is how many events a torn stream has given, heartbeats too.
	AfterEvents int `json:"after_events,omitempty"`
	// Session and Agent narrow the rule to one of that id or name. Only a turn
	// knows its agent.
	Session string `json:"session,omitempty"`
	Agent   string `json:"agent,omitempty"`
}

func (r Rule) check() error {
	if err := r.Fault.check(); err != nil {
		return err
	}
	allowed := r.Fault.operations()
	if len(r.On) == 0 && len(allowed) > 1 {
		return fmt.Errorf("%q is missing: name operations (%s) or %q", "on", strings.Join(allowed, ", "), anywhere)
	}
	for _, op := range r.On {
		if op != anywhere && !slices.Contains(allowed, op) {
			return fmt.Errorf("fault %s cannot be on %q, only on %s, or %q", r.Fault, op, strings.Join(allowed, ", "), anywhere)
		}
	}
	for _, field := range []struct {
		name  string
		value int64
	}{
		{"skip", int64(r.Skip)}, {"times", int64(r.Times)}, {"after_events", int64(r.AfterEvents)},
		{"delay", int64(r.Delay)}, {"retry_after", int64(r.RetryAfter)},
	} {
		if field.value < 0 {
			return fmt.Errorf("%s must not be negative", field.name)
		}
	}
	// Written this way round, it also refuses what is not a number.
	if p := r.Probability; p != nil && !(*p >= 0 && *p <= 1) {
		return fmt.Errorf("probability must be between 0 and 1, not %v", *p)
	}
	switch {
	case r.Agent != "" && r.Fault != Stuck:
		return errors.New("agent goes with fault stuck alone")
	case r.Delay != 0 && r.Fault != Slow:
		return errors.New("delay goes with fault slow alone")
	case r.RetryAfter != 0 && r.Fault != TooMany:
		return errors.New("retry_after goes with fault 429 alone")
	case r.AfterEvents != 0 && r.Fault != DropStream:
		return errors.New("after_events goes with fault drop-stream alone")
	}
	return nil
}

// matches says whether the rule is about this call.
func (r Rule) matches(op, session, agent string) bool {
	return slices.Contains(r.Fault.operations(), op) &&
		(len(r.On) == 0 || slices.Contains(r.On, op) || slices.Contains(r.On, anywhere)) &&
		(r.Session == "" || r.Session == session) &&
		(r.Agent == "" || r.Agent == agent)
}
