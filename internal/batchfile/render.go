package batchfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"github.com/errand-dev/errand/workflows"
)

// Plan says what becomes of each record.
type Plan struct {
	prompt, url *template.Template // url: nil where there is none
	key         string             // field; empty: the key is made of the whole item
}

// NewPlan reads the templates. An empty url means that tasks begin with no
// page, an empty key that items are told apart by all that they have.
func NewPlan(prompt, url, key string) (*Plan, error) {
	p := &Plan{key: key}
	var err error
	if p.prompt, err = parseTemplate("--prompt", prompt); err != nil {
		return nil, err
	}
	if url != "" {
		p.url, err = parseTemplate("--url", url)
	}
	return p, err
}

func parseTemplate(name, text string) (*template.Template, error) {
	t, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s is no template: %s", name, strings.TrimPrefix(err.Error(), "template: "))
	}
	return t, nil
}

// Render makes the item of a record. Its Index is the caller's to set.
func (p *Plan) Render(r Record) (item workflows.BatchItem, err error) {
	item.Item = r.JSON
	if item.Key, err = p.keyOf(r); err != nil {
		return item, err
	}
	item.Name = nameOf(item.Key)
	if item.Prompt, err = execute(p.prompt, r); err != nil {
		return item, err
	}
	if p.url != nil {
		item.URL, err = execute(p.url, r)
	}
	return item, err
}

// keyOf is what tells the item from others.
func (p *Plan) keyOf(r Record) (string, error) {
	if p.key == "" {
		canonical, err := json.Marshal(r.Fields) // sorts the fields
		if err != nil {
			return "", err
		}
		return shortHash(canonical), nil
	}
	value, ok := r.Fields[p.key]
	if !ok {
		return "", fmt.Errorf("the key's field %q is missing (there is %s)", p.key, fieldsOf(r))
	}
	var key string
	switch value := value.(type) {
	case string:
		key = value
	case json.Number:
		key = value.String()
	default:
		return "", fmt.Errorf("the key's field %q is neither a text nor a number", p.key)
	}
	switch {
	case strings.TrimSpace(key) == "":
		return "", fmt.Errorf("the key's field %q is empty", p.key)
	case len(key) > maxKey:
		return "", fmt.Errorf("the key's field %q has %d bytes; at most %d are allowed", p.key, len(key), maxKey)
	case strings.ContainsFunc(key, unicode.IsControl):
		return "", fmt.Errorf("the key's field %q has control characters", p.key)
	}
	return key, nil
}

// maxKey is the longest key, in bytes.
const maxKey = 500

func shortHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// nameOf is a key as the id of a task may have it.
func nameOf(key string) string {
	if plainKey.MatchString(key) {
		return key
	}
	return "h-" + shortHash([]byte(key))
}

// maxRendered bounds a text, in bytes: some times what a prompt may have.
const maxRendered = 4 * 4 * workflows.MaxText

var (
	errRendered = errors.New("the text is far too long")
	missing     = regexp.MustCompile(`map has no entry for key ("[^"]*")`)
	position    = regexp.MustCompile(`^template: (--[a-z]+):\d+:\d+: executing "[^"]*" at `)
)

func execute(t *template.Template, r Record) (string, error) {
	var b bytes.Buffer
	err := t.Execute(&limitedWriter{w: &b, left: maxRendered}, r.Fields)
	switch {
	case errors.Is(err, errRendered):
		return "", fmt.Errorf("%s: %w", t.Name(), errRendered)
	case err != nil:
		if m := missing.FindStringSubmatch(err.Error()); m != nil {
			return "", fmt.Errorf("%s: the item has no field %s (there is %s)", t.Name(), m[1], fieldsOf(r))
		}
		return "", errors.New(position.ReplaceAllString(err.Error(), "$1: "))
	case strings.Contains(b.String(), "<no value>"):
		return "", fmt.Errorf("%s: a field that it names is null", t.Name())
	}
	return b.String(), nil
}

// fieldsOf are the names of some fields, for people.
func fieldsOf(r Record) string {
	const most = 12
	names := slices.Sorted(maps.Keys(r.Fields))
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return strings.Join(names, ", ")
}

type limitedWriter struct {
	w    io.Writer
	left int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errRendered
	}
	return l.w.Write(p)
}
