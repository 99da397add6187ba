package script

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// place is where a step is done: what its text can speak of.
type place struct {
	session agent.Session
	answer  string
}

var placeholder = regexp.MustCompile(`\{\{(answer|now|file ([^{}]+))\}\}`)

// plain leaves a text as it is.
func plain(text string) string { return text }

// quoted makes a text fit for the inside of a JSON string.
func quoted(text string) string {
	q, err := json.Marshal(text)
	if err != nil {
		return ""
	}
	return string(q[1 : len(q)-1])
}

// fill puts values in for the placeholders of a text.
func (p place) fill(text string, escape func(string) string) (string, error) {
	var failed error
	filled := placeholder.ReplaceAllStringFunc(text, func(match string) string {
		groups := placeholder.FindStringSubmatch(match)
		switch groups[1] {
		case "answer":
			return escape(p.answer)
		case "now":
			return time.Now().UTC().Format(time.RFC3339Nano)
		}
		content, err := p.read(groups[2])
		failed = errors.Join(failed, err)
		return escape(content)
	})
	return filled, failed
}

// result is the result that a finish gives.
func (p place) result(text string) (any, error) {
	if !json.Valid([]byte(text)) {
		return p.fill(text, plain)
	}
	filled, err := p.fill(text, quoted)
	return json.RawMessage(filled), err
}

// read gives what is in a file of the working directory, nothing if there is
// no such file. A root keeps names such as ../x inside.
func (p place) read(name string) (string, error) {
	root, err := os.OpenRoot(p.session.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer root.Close()
	content, err := root.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the file %s of the session: %w", name, err)
	}
	return string(content), nil
}

func (p place) write(name, text string) error {
	dir, err := p.session.MakeDir()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.WriteFile(name, []byte(text), 0o600); err != nil {
		return fmt.Errorf("cannot write the file %s of the session: %w", name, err)
	}
	return nil
}
