package watch

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// step is one step of a path: into a field, an element, or all elements.
type step struct {
	name  string // of a field, if index is noIndex
	index int
}

const (
	noIndex  = -1
	allIndex = -2 // [*]
)

// maxPath bounds a path, in bytes.
const maxPath = 200

// parsePath reads a path such as offers.price, items[0].name, items[*].name or
// ["a.b"]. A dot alone is the whole result.
func parsePath(path string) ([]step, error) {
	wrong := fmt.Errorf("%q is no path into a result: write it as price, offers.price, items[0].name or items[*].name", path)
	if path == "" || len(path) > maxPath || !utf8.ValidString(path) {
		return nil, wrong
	}
	if path == "." {
		return nil, nil
	}
	var steps []step
	for rest := path; rest != ""; {
		if rest[0] == '[' {
			s, after, ok := bracket(rest[1:])
			if !ok {
				return nil, wrong
			}
			steps, rest = append(steps, s), after
			continue
		}
		if len(steps) > 0 {
			if rest[0] != '.' {
				return nil, wrong
			}
			rest = rest[1:]
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return nil, wrong
		}
		steps, rest = append(steps, step{name: rest[:end], index: noIndex}), rest[end:]
	}
	return steps, nil
}

// bracket reads what follows an opening bracket, and returns what follows the
// closing one.
func bracket(s string) (step, string, bool) {
	if strings.HasPrefix(s, `"`) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return step{}, "", false
		}
		name, err := strconv.Unquote(quoted)
		rest, closed := strings.CutPrefix(s[len(quoted):], "]")
		return step{name: name, index: noIndex}, rest, err == nil && closed
	}
	inside, rest, closed := strings.Cut(s, "]")
	if !closed {
		return step{}, "", false
	}
	if inside == "*" {
		return step{index: allIndex}, rest, true
	}
	n, err := strconv.Atoi(inside)
	return step{index: n}, rest, err == nil && n >= 0
}

// miss is where a path ended.
type miss struct {
	at    any  // the value in which the step that failed was taken
	shape bool // no value of that kind has such steps
}

// find follows a path.
func find(value any, steps []step) (found any, where miss, ok bool) {
	for i, s := range steps {
		switch v := value.(type) {
		case map[string]any:
			next, there := v[s.name]
			if s.index != noIndex || !there {
				return nil, miss{value, s.index != noIndex}, false
			}
			value = next
		case []any:
			if s.index == allIndex {
				all := []any{}
				for _, element := range v {
					if one, _, ok := find(element, steps[i+1:]); ok {
						all = append(all, one)
					}
				}
				return all, miss{}, true
			}
			if s.index < 0 || s.index >= len(v) {
				return nil, miss{value, s.index < 0}, false
			}
			value = v[s.index]
		default:
			return nil, miss{value, value != nil}, false
		}
	}
	return value, miss{}, true
}

// contents says what a value has, for someone who looked for something else in
// it.
func contents(value any) string {
	switch v := value.(type) {
	case map[string]any:
		const most = 20
		names := slices.Sorted(maps.Keys(v))
		if len(names) == 0 {
			return "it is empty"
		}
		for i, name := range names {
			names[i] = cut(name, 40)
		}
		if len(names) > most {
			names = append(names[:most], "…")
		}
		return "there is " + strings.Join(names, ", ")
	case []any:
		return fmt.Sprintf("there is a list of %d", len(v))
	default:
		return "there is " + kindOf(value)
	}
}

// kindOf names the kind of a JSON value.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// cut shortens a text to at most n characters.
func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}
