package script

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// word is what a step begins with.
type word string

// The step words.
const (
	think  word = "think"
	log    word = "log"
	write  word = "write"
	wait   word = "wait"
	ask    word = "ask"
	finish word = "finish"
	fail   word = "fail"
)

// step is one step of a script.
type step struct {
	word word
	text string
	wait time.Duration // of a wait
	file string        // of a write
}

// separator is a line break, or a semicolon before a step word.
var separator = regexp.MustCompile(`\n|;\s*(?:think|log|write|wait|ask|finish|fail)\b`)

// parse reads a script. Its error names the first step that is wrong, counted
// from 1.
func parse(script string) ([]step, error) {
	var steps []step
	for _, line := range split(script) {
		line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), ";"))
		if line == "" {
			continue
		}
		s, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", len(steps)+1, err)
		}
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		return nil, errors.New("the script has no steps")
	}
	return steps, nil
}

// split cuts a script at its separators. A step word stays with its step.
func split(script string) []string {
	var parts []string
	start := 0
	for _, at := range separator.FindAllStringIndex(script, -1) {
		parts = append(parts, script[start:at[0]])
		start = at[0] + 1
	}
	return append(parts, script[start:])
}

func parseStep(line string) (step, error) {
	first, text := line, ""
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		first, text = line[:i], strings.TrimSpace(line[i:])
	}
	s := step{word: word(first), text: text}
	switch s.word {
	case think, log, write, ask, finish, fail, wait:
	default:
		return step{}, fmt.Errorf("%q is not a step word, use think, log, write, wait, ask, finish or fail", first)
	}
	if text == "" {
		return step{}, fmt.Errorf("%s needs something after it", first)
	}
	if s.word == write {
		s.file, s.text, _ = strings.Cut(text, " ")
	}
	if s.word == wait {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return step{}, fmt.Errorf("%q is not a duration, use one such as 200ms or 5s", text)
		}
		s.wait = d
	}
	return s, nil
}
