package workflows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/errand-dev/errand/watch"
)

// Series is the record of ticks, oldest first. It travels through the history
// of each tick, and most ticks are like the one before, so its JSON is short: a
// tick whole, or [seconds, times] for so many ticks that are like the one before
// and so many seconds apart.
type Series []Tick

// MarshalJSON implements [json.Marshaler].
func (s Series) MarshalJSON() ([]byte, error) {
	entries := make([]any, 0, 16)
	for i, t := range s {
		if i > 0 && reflect.DeepEqual(s[i-1].again(t.At), t) {
			after := int64(t.At.Sub(s[i-1].At) / time.Second)
			if last, ok := entries[len(entries)-1].(*repeat); ok && last[0] == after {
				last[1]++
			} else {
				entries = append(entries, &repeat{after, 1})
			}
			continue
		}
		entries = append(entries, t)
	}
	return json.Marshal(entries)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Series) UnmarshalJSON(data []byte) error {
	var entries []json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil {
		return err
	}
	all := Series{}
	for _, entry := range entries {
		if !bytes.HasPrefix(entry, []byte("[")) {
			var t Tick
			if err := json.Unmarshal(entry, &t); err != nil {
				return err
			}
			all = append(all, t)
			continue
		}
		var r repeat
		if err := json.Unmarshal(entry, &r); err != nil {
			return err
		}
		if len(all) == 0 || r[1] < 0 || r[1] > mostTicks {
			return errors.New("the record of ticks makes no sense")
		}
		for range r[1] {
			last := all[len(all)-1]
			all = append(all, last.again(last.At.Add(time.Duration(r[0])*time.Second)))
		}
	}
	*s = all
	return nil
}

// repeat is how many seconds apart how many ticks are that are alike.
type repeat [2]int64

// again is a tick that finds what this one found.
func (t Tick) again(at time.Time) Tick {
	t.At, t.Alerted, t.TaskID = at, nil, ""
	if t.Verdict == watch.First || t.Verdict == watch.Differs {
		t.Verdict = watch.Same
	}
	return t
}

// bounded drops the oldest ticks of a record that has grown too long.
func (s Series) bounded() Series {
	s = s[max(0, len(s)-mostTicks):]
	for len(s) > 1 {
		text, err := json.Marshal(s)
		if err == nil && len(text) <= mostTickBytes {
			break
		}
		s = s[1+len(s)/16:]
	}
	return slices.Clone(s)
}

// String keeps a record out of logs.
func (s Series) String() string { return fmt.Sprintf("%d ticks", len(s)) }
