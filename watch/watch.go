// Package watch compares what an errand reports now with what it reported last.
// It knows numbers as shops write them, and which answers are no answer: a
// missing field, an error, a page that asks whether its visitor is human. Such
// an answer never counts as a change.
//
// Nothing here knows Temporal, the time or the network.
package watch

import (
	"errors"
	"fmt"
	"strings"
)

// Rule says which field of a result is watched, and when it is worth an alert.
type Rule struct {
	Field string `json:"field"`          // path into the result, such as offers.price or items[0].name
	Type  Type   `json:"type,omitempty"` // empty: that of the first good value
	When  When   `json:"when"`           // empty: changed
}

// Type is how values are read and compared.
type Type string

// The types of values.
const (
	Number Type = "number" // 24.5, "1.299,00 €" and "EUR 1,299.00"
	Text   Type = "text"   // whitespace does not count
	Set    Type = "set"    // a list whose order does not count
)

// When is the condition of an alert: changed, below:N, above:N, appears or
// disappears.
type When string

// The conditions that take no number.
const (
	Changed    When = "changed"
	Appears    When = "appears"    // the field comes to be there, or in stock again
	Disappears When = "disappears" // the field is null, missing or out of stock in a good result
)

const (
	below = "below"
	above = "above"
)

// condition is a When that has been read.
type condition struct {
	kind  When
	limit decimal // of below and above
}

func (w When) parse() (condition, error) {
	kind, limit, numeric := strings.Cut(string(w), ":")
	switch {
	case w == "":
		return condition{kind: Changed}, nil
	case !numeric && (w == Changed || w == Appears || w == Disappears):
		return condition{kind: w}, nil
	case kind == below || kind == above:
		n, err := parseDecimal(limit)
		if err != nil {
			return condition{}, fmt.Errorf("%q needs a plain number, such as %s:19.99", w, kind)
		}
		return condition{kind: When(kind), limit: n}, nil
	default:
		return condition{}, fmt.Errorf("%q is no condition: choose changed, below:N, above:N, appears or disappears", w)
	}
}

// presence reports whether a field that is not there is a value like any other.
func (c condition) presence() bool { return c.kind == Appears || c.kind == Disappears }

func (c condition) numeric() bool { return c.kind == below || c.kind == above }

// Validate reports the first thing wrong with the rule, in words for the person
// who wrote it.
func (r Rule) Validate() error {
	if _, err := parsePath(r.Field); err != nil {
		return err
	}
	switch r.Type {
	case "", Number, Text, Set:
	default:
		return fmt.Errorf("%q is no type: choose number, text or set", r.Type)
	}
	c, err := r.When.parse()
	if err != nil {
		return err
	}
	if c.numeric() && r.Type != "" && r.Type != Number {
		return errors.New("below and above compare numbers: leave the type out, or choose number")
	}
	return nil
}
