package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
)

// Load reads a plan from a file, TOML if its name ends in .toml and JSON
// otherwise. A plan with any mistake is not loaded at all.
func Load(path string) (*Plan, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read fault plan: %w", err)
	}
	if filepath.Ext(path) == ".toml" {
		var table map[string]any
		if err := toml.Unmarshal(data, &table); err != nil {
			return nil, fmt.Errorf("fault plan %s: %w", path, err)
		}
		if data, err = json.Marshal(table); err != nil {
			return nil, fmt.Errorf("fault plan %s: %w", path, err)
		}
	}
	p, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("fault plan %s: %w", path, err)
	}
	return p, nil
}

func parse(data []byte) (*Plan, error) {
	var file struct {
		Seed  uint64            `json:"seed"`
		Rules []json.RawMessage `json:"rules"`
	}
	if err := decode(data, &file); err != nil {
		return nil, fmt.Errorf("%w; allowed are seed and rules", err)
	}
	c := Config{Seed: file.Seed, Rules: make([]Rule, len(file.Rules))}
	for i, raw := range file.Rules {
		if err := decode(raw, &c.Rules[i]); err != nil {
			return nil, fmt.Errorf("rule %d: %w; allowed are on, fault, skip, times, probability, delay, retry_after, after_events, session and agent", i+1, err)
		}
	}
	return New(c)
}

// decode reads one JSON value and nothing else.
func decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the end")
	}
	return nil
}
