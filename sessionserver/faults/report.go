package faults

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Report is what a plan has done so far.
type Report struct {
	Rules []RuleReport `json:"rules"`
	// Fired counts by kind, those asked for by a header too.
	Fired map[Kind]int `json:"fired"`
	// Idle are the rules, counted from 1, that never fired: what they rehearse
	// is not shown to work.
	Idle []int `json:"idle"`
}

// RuleReport is what one rule has done: Seen calls that matched it, Fired
// those it spoiled.
type RuleReport struct {
	Rule
	Seen  int `json:"seen"`
	Fired int `json:"fired"`
}

// Report tells what has been done so far.
func (p *Plan) Report() Report {
	out := Report{Rules: []RuleReport{}, Fired: map[Kind]int{}, Idle: []int{}}
	if p == nil {
		return out
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.Copy(out.Fired, p.byHeader)
	for i, s := range p.rules {
		out.Rules = append(out.Rules, RuleReport{s.Rule, s.seen, s.fired})
		if s.fired == 0 {
			out.Idle = append(out.Idle, i+1)
			continue
		}
		out.Fired[s.Fault] += s.fired
	}
	return out
}

// String is the report for people, a line for each rule.
func (r Report) String() string {
	var b strings.Builder
	for i, rule := range r.Rules {
		on := strings.Join(rule.On, " ")
		if on == "" {
			on = anywhere
		}
		fmt.Fprintf(&b, "rule %d: %s on %s: seen %d, fired %d", i+1, rule.Fault, on, rule.Seen, rule.Fired)
		if rule.Fired == 0 {
			b.WriteString(" (never)")
		}
		b.WriteByte('\n')
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Fired)) {
		fmt.Fprintf(&b, "%s: fired %d\n", kind, r.Fired[kind])
	}
	return b.String()
}

// ServeHTTP answers with the report as JSON, for GET /faults.
func (p *Plan) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(p.Report())
}
