package truth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Log is what a file holds.
type Log struct {
	Facts []Fact
}

// Session is what the log tells of one session.
type Session struct {
	ID    string
	Facts []Fact
}

// Read reads a log, which a server may be writing meanwhile.
func Read(path string) (*Log, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read truth log: %w", err)
	}
	log, _, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("truth log %s: %w", path, err)
	}
	return log, nil
}

// Of gives the facts of some kinds.
func (l *Log) Of(kinds ...Kind) []Fact { return of(l.Facts, kinds) }

// Sessions gives what there is about each session, in the order of their first
// facts. Faults are no facts about a session: they happen to a request.
func (l *Log) Sessions() []*Session {
	var all []*Session
	byID := map[string]*Session{}
	for _, f := range l.Facts {
		if f.Session == "" || f.Kind == Fault || f.Kind == Missed {
			continue
		}
		s := byID[f.Session]
		if s == nil {
			s = &Session{ID: f.Session}
			byID[f.Session] = s
			all = append(all, s)
		}
		s.Facts = append(s.Facts, f)
	}
	return all
}

// Of gives the facts of some kinds.
func (s *Session) Of(kinds ...Kind) []Fact { return of(s.Facts, kinds) }

func of(facts []Fact, kinds []Kind) []Fact {
	var some []Fact
	for _, f := range facts {
		if slices.Contains(kinds, f.Kind) {
			some = append(some, f)
		}
	}
	return some
}

// beginning is how every line begins.
const beginning = `{"at":"`

// parse reads the complete lines and tells how many bytes they have. What
// follows them was cut off while it was written.
func parse(data []byte) (log *Log, whole int, err error) {
	log = &Log{}
	for whole < len(data) {
		line, rest, complete := bytes.Cut(data[whole:], []byte{'\n'})
		var f Fact
		err := json.Unmarshal(line, &f)
		if err == nil && f.Kind == "" {
			err = errors.New("a line that says no fact")
		}
		if (!complete || err != nil) && len(rest) == 0 && begins(line) {
			return log, whole, nil
		}
		if err == nil && !complete {
			err = errors.New("a line without an end")
		}
		if err != nil {
			return nil, 0, fmt.Errorf("line %d is none of such a log: %w", len(log.Facts)+1, err)
		}
		log.Facts = append(log.Facts, f)
		whole += len(line) + 1
	}
	return log, whole, nil
}

// begins says whether a line could be the beginning of one of ours. A file of
// another kind is not to be cut as if it were torn.
func begins(line []byte) bool {
	n := min(len(line), len(beginning))
	return string(line[:n]) == beginning[:n]
}
