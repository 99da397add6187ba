package rest

import (
	"encoding/json"
	"time"
)

// Timestamp is a time in an answer. It is read leniently, because a date in
// another form is no reason to lose the answer around it: a time without a
// zone is UTC, and what is not a time at all is the zero time.
type Timestamp struct{ time.Time }

var timestampLayouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05",
}

// UnmarshalJSON never fails on valid JSON.
func (t *Timestamp) UnmarshalJSON(raw []byte) error {
	t.Time = time.Time{}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return nil
	}
	for _, layout := range timestampLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			t.Time = at
			return nil
		}
	}
	return nil
}
