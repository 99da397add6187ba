package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// MaxValue bounds a value, in bytes of JSON: it travels from tick to tick.
const MaxValue = 8 << 10

// Verdict is what one result means beside the last good value.
type Verdict string

// The verdicts.
const (
	First   Verdict = "first"   // the first good value: nothing to compare it with
	Same    Verdict = "same"    // equal, however it is written
	Differs Verdict = "changed" // another value
	Bad     Verdict = "bad"     // no good value: the last one stands
)

// Memory is what is remembered of the last good value. The zero Memory is that
// before the first.
type Memory struct {
	Type     Type            `json:"type,omitempty"`     // as which it was read; empty before the first
	Value    json.RawMessage `json:"value,omitempty"`    // a number, a text, a sorted list of texts, or null where the field was not there
	Currency []string        `json:"currency,omitempty"` // that its sign may mean
	Holds    bool            `json:"holds,omitempty"`    // the condition did
}

// Judgement is what came of one result.
type Judgement struct {
	Verdict Verdict         `json:"verdict"`
	Value   json.RawMessage `json:"value,omitempty"`  // that was read, as in Memory
	Reason  string          `json:"reason,omitempty"` // why it is bad
	Alert   bool            `json:"alert,omitempty"`  // the condition has come to hold
	Memory  Memory          `json:"memory"`           // of the last good value, this one if it is good
}

// Judge compares a result, which is JSON, with the last good value. It alerts
// at the edge alone: when a condition holds that did not before, never at the
// first good value. A bad result leaves the memory as it was.
func Judge(r Rule, last Memory, result json.RawMessage) Judgement {
	c, err := r.When.parse()
	if err != nil {
		return bad(last, err)
	}
	now, err := read(r, c, last, result)
	if err != nil {
		return bad(last, err)
	}
	j := Judgement{Value: now.Value, Memory: now}
	switch {
	case last.Value == nil:
		j.Verdict = First
	case bytes.Equal(last.Value, now.Value):
		j.Verdict = Same
	default:
		j.Verdict = Differs
	}
	if c.kind == Changed {
		j.Alert = j.Verdict == Differs
	} else {
		j.Alert = j.Verdict != First && now.Holds && !last.Holds
	}
	return j
}

func bad(last Memory, why error) Judgement {
	return Judgement{Verdict: Bad, Reason: why.Error(), Memory: last}
}

// null is the value of a field that is not there.
var null = json.RawMessage("null")

// read finds the value in a result. Its error says why there is no good one.
func read(r Rule, c condition, last Memory, result json.RawMessage) (Memory, error) {
	whole, err := decode(result)
	if err != nil {
		return Memory{}, err
	}
	if reason := noPage(whole); reason != "" {
		return Memory{}, errors.New(reason)
	}
	path, err := parsePath(r.Field)
	if err != nil {
		return Memory{}, err
	}
	value, where, found := find(whole, path)
	switch {
	case c.presence() && ((!found && !where.shape) || saysAbsent(value) && found):
		if _, ok := whole.(map[string]any); !ok {
			return Memory{}, fmt.Errorf("the result is %s, so it does not tell whether there is %s", kindOf(whole), r.Field)
		}
		return Memory{Type: last.Type, Value: null, Holds: c.kind == Disappears}, nil
	case !found:
		return Memory{}, fmt.Errorf("the result has no field %s: %s", r.Field, contents(where.at))
	case value == nil:
		return Memory{}, fmt.Errorf("%s is null", r.Field)
	case hollow(value):
		return Memory{}, fmt.Errorf("%s is empty", r.Field)
	}
	now := Memory{Type: typeFor(r, c, last, value)}
	if err := now.fill(value, sibling(whole, path)); err != nil {
		return Memory{}, fmt.Errorf("%s: %w", r.Field, err)
	}
	if len(now.Value) > MaxValue {
		return Memory{}, fmt.Errorf("%s has %d bytes; at most %d can be watched: watch a smaller part", r.Field, len(now.Value), MaxValue)
	}
	if last.Type == Number && now.Type == Number {
		both, ok := sameCurrency(last.Currency, now.Currency)
		if !ok {
			return Memory{}, fmt.Errorf("%s: the currency is another than before (%s, not %s)", r.Field, now.Currency[0], last.Currency[0])
		}
		now.Currency = both
	}
	now.Holds = now.holds(c)
	return now, nil
}

// holds reports whether the condition holds for a value that is there.
func (m Memory) holds(c condition) bool {
	switch c.kind {
	case Appears:
		return true
	case below:
		return decimal(m.Value).compare(c.limit) < 0
	case above:
		return decimal(m.Value).compare(c.limit) > 0
	}
	return false
}

// decode reads a result. A text that is a JSON object or list stands for that:
// so do agents report that know texts alone.
func decode(result json.RawMessage) (any, error) {
	whole, err := decodeOne(result)
	if err != nil {
		return nil, errors.New("the result is not JSON")
	}
	if text, ok := whole.(string); ok {
		if inner, err := decodeOne([]byte(text)); err == nil {
			switch inner.(type) {
			case map[string]any, []any:
				return inner, nil
			}
		}
	}
	return whole, nil
}

func decodeOne(data []byte) (value any, err error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	return value, nil
}

// typeFor is the type as which a value is read: the rule's, else that of the
// values before, else what the value looks like.
func typeFor(r Rule, c condition, last Memory, value any) Type {
	_, list := value.([]any)
	switch {
	case r.Type != "":
		return r.Type
	case c.numeric():
		return Number
	case c.presence() && list: // whatever it is, it is there
		return Set
	case c.presence():
		return Text
	case last.Type != "":
		return last.Type
	case list:
		return Set
	}
	if text, ok := value.(string); ok {
		if a, err := parseAmount(text); err != nil || (a.currency == nil && hasLetter(text)) {
			return Text
		}
		return Number
	}
	if _, ok := value.(json.Number); ok {
		return Number
	}
	return Text
}

// sibling is what a field currency beside the value says.
func sibling(whole any, path []step) string {
	if len(path) == 0 || path[len(path)-1].index != noIndex {
		return ""
	}
	parent, _, _ := find(whole, path[:len(path)-1])
	object, _ := parent.(map[string]any)
	for _, name := range []string{"currency", "priceCurrency", "price_currency"} {
		if text, ok := object[name].(string); ok {
			return squeeze(text)
		}
	}
	return ""
}

// fill reads a value as the memory's type.
func (m *Memory) fill(value any, currency string) error {
	switch m.Type {
	case Number:
		return m.fillNumber(value, currency)
	case Set:
		list, ok := value.([]any)
		if !ok {
			return fmt.Errorf("%s, not a list", kindOf(value))
		}
		texts := make([]string, len(list))
		for i, e := range list {
			texts[i] = plainText(e)
		}
		slices.Sort(texts)
		return m.set(slices.Compact(texts))
	default:
		return m.set(plainText(value))
	}
}

func (m *Memory) fillNumber(value any, currency string) error {
	switch v := value.(type) {
	case json.Number:
		n, err := parseDecimal(v.String())
		if err != nil {
			return err
		}
		m.Value = json.RawMessage(n)
	case string:
		a, err := parseAmount(squeeze(v))
		if err != nil {
			return err
		}
		m.Value, m.Currency = json.RawMessage(a.number), a.currency
	default:
		return fmt.Errorf("%s, not a number", kindOf(value))
	}
	if m.Currency == nil {
		m.Currency = currenciesOf(currency)
	}
	return nil
}

// set stores a value as the JSON that it has once it has been in a payload, so
// that equal values are equal bytes.
func (m *Memory) set(value any) (err error) {
	m.Value, err = json.Marshal(value)
	return err
}
