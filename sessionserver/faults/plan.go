// Package faults makes a session server fail on purpose, by a plan that says
// which calls go wrong and how. The same seed gives each rule the same numbers.
package faults

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
)

// Config is a plan before it is checked.
type Config struct {
	Seed  uint64
	Rules []Rule
}

// Plan decides which calls fail, and counts them. A nil Plan fires nothing.
type Plan struct {
	mu       sync.Mutex
	vanish   func(string)
	tell     func(Fired)
	noHeader bool
	rules    []*state
	byHeader map[Kind]int
}

// state is a rule at work.
type state struct {
	Rule
	random      *rand.Rand
	seen, fired int
}

// New checks the rules and makes a plan of them. An error names the rule,
// counted from 1, and what is allowed.
func New(c Config) (*Plan, error) {
	p := &Plan{vanish: func(string) {}, tell: func(Fired) {}, byHeader: map[Kind]int{}}
	same := map[uint64]uint64{}
	for i, r := range c.Rules {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		// The numbers follow from what the rule says, not from where it stands.
		text, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		h := fnv.New64a()
		_, _ = h.Write(text)
		sum := h.Sum64()
		p.rules = append(p.rules, &state{Rule: r, random: rand.New(rand.NewPCG(c.Seed, sum+same[sum]))})
		same[sum]++
	}
	return p, nil
}

// OnVanish sets what removes a session, before the plan is used.
func (p *Plan) OnVanish(vanish func(sessionID string)) {
	if p != nil {
		p.vanish = vanish
	}
}

// Fired is a fault that happens now.
type Fired struct {
	Fault     Kind
	Operation string
	SessionID string // empty if the operation is about no single session
}

// OnFire sets what is told of each fault, before it can be felt; it is set
// before the plan is used.
func (p *Plan) OnFire(tell func(Fired)) {
	if p != nil {
		p.tell = tell
	}
}

// NoHeader refuses faults that requests ask for themselves, before the plan is
// used.
func (p *Plan) NoHeader() {
	if p != nil {
		p.noHeader = true
	}
}

// Turn says whether the agent's turn that now begins is to be stuck.
func (p *Plan) Turn(agent, sessionID string) bool {
	s := p.fire(opTurn, sessionID, agent)
	if s == nil {
		return false
	}
	p.tell(Fired{s.Fault, opTurn, sessionID})
	return true
}

// Webhook says how many times a webhook of the session is to be sent: 1 as
// usual, 0 or 2 by a fault.
func (p *Plan) Webhook(sessionID string) (copies int) {
	s := p.fire(opWebhook, sessionID, "")
	if s == nil {
		return 1
	}
	p.tell(Fired{s.Fault, opWebhook, sessionID})
	if s.Fault == DoubleWebhook {
		return 2
	}
	return 0
}

// fire gives the first rule that fires for a call. Every rule that matches
// draws its number, so that none shifts those of another.
func (p *Plan) fire(op, session, agent string) *state {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var first *state
	for _, s := range p.rules {
		if !s.matches(op, session, agent) {
			continue
		}
		s.seen++
		hit := s.Probability == nil || s.random.Float64() < *s.Probability
		if first == nil && hit && s.seen > s.Skip && (s.Times == 0 || s.fired < s.Times) {
			first = s
		}
	}
	if first != nil {
		first.fired++
	}
	return first
}
