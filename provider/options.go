package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SessionOptions are what some vendors take with a new session and others do
// not know.
type SessionOptions struct {
	Title        string              `json:"title,omitempty"`
	Model        string              `json:"model,omitempty"` // that the agent runs on
	Tags         []string            `json:"tags,omitempty"`
	Capabilities []SessionCapability `json:"capabilities,omitempty"` // beside the agent's own
	Branch       string              `json:"branch,omitempty"`       // of the repository; empty: the vendor's choice
	AutoCommit   bool                `json:"auto_commit,omitempty"`
}

// SessionCapability is something that the agent may do in a session, in the
// vendor's words.
type SessionCapability struct {
	Ref    string          `json:"ref"`
	Config json.RawMessage `json:"config,omitempty"`
}

// Option names one of the SessionOptions, as the command's flags do.
type Option string

// The options.
const (
	OptionTitle      Option = "title"
	OptionModel      Option = "model"
	OptionTag        Option = "tag"
	OptionCapability Option = "capability"
	OptionBranch     Option = "branch"
	OptionAutoCommit Option = "auto-commit"
)

// Given are the options that are not left out.
func (o SessionOptions) Given() []Option {
	var given []Option
	for _, option := range []struct {
		name  Option
		given bool
	}{
		{OptionTitle, o.Title != ""},
		{OptionModel, o.Model != ""},
		{OptionTag, len(o.Tags) > 0},
		{OptionCapability, len(o.Capabilities) > 0},
		{OptionBranch, o.Branch != ""},
		{OptionAutoCommit, o.AutoCommit},
	} {
		if option.given {
			given = append(given, option.name)
		}
	}
	return given
}

// Bounds of options. They travel in payloads; what a vendor allows may be less.
const (
	maxOption  = 500 // bytes of a title, a model, a tag, a branch or a capability's ref
	maxOptions = 50  // tags, and capabilities
	maxConfig  = 16 << 10
)

// Validate reports the first thing wrong with the options at any vendor.
func (o SessionOptions) Validate() error {
	if len(o.Tags) > maxOptions || len(o.Capabilities) > maxOptions {
		return fmt.Errorf("a session takes at most %d tags and as many capabilities", maxOptions)
	}
	words := map[Option][]string{OptionTitle: {o.Title}, OptionModel: {o.Model}, OptionBranch: {o.Branch}, OptionTag: o.Tags}
	for _, c := range o.Capabilities {
		if len(c.Config) > maxConfig { // what is no JSON does not come this far: it makes no payload
			return fmt.Errorf("the configuration of capability %q has %d bytes, at most %d are allowed", c.Ref, len(c.Config), maxConfig)
		}
		words[OptionCapability] = append(words[OptionCapability], c.Ref)
	}
	for _, option := range []Option{OptionTitle, OptionModel, OptionBranch, OptionTag, OptionCapability} {
		for _, word := range words[option] {
			if err := checkOption(word, option == OptionTag || option == OptionCapability); err != nil {
				return fmt.Errorf("%s %q: %w", option, word, err)
			}
		}
	}
	return nil
}

func checkOption(word string, needed bool) error {
	switch {
	case needed && strings.TrimSpace(word) == "":
		return errors.New("it is empty")
	case len(word) > maxOption:
		return fmt.Errorf("it has %d bytes, at most %d are allowed", len(word), maxOption)
	case !utf8.ValidString(word) || strings.ContainsFunc(word, unicode.IsControl):
		return errors.New("it must be text without control characters")
	}
	return nil
}

// Wishes are what a task wants of its vendor besides a session and its turns.
type Wishes struct {
	Options  SessionOptions
	Snapshot SnapshotMode // to keep in the end
	Restore  bool         // of a snapshot
}

// Refuse says what of the wishes the vendor cannot do, nil if it can do all.
func (v Vendor) Refuse(w Wishes) error { return v.Capabilities.refuse(v.Title, w) }

// Refuse says what of the wishes the connection of that name cannot do.
func Refuse(p Provider, connection string, w Wishes) error {
	return p.Capabilities().refuse(fmt.Sprintf("the vendor of connection %q", connection), w)
}

func (c Capabilities) refuse(vendor string, w Wishes) error {
	if (w.Restore || (w.Snapshot != "" && w.Snapshot != SnapshotNone)) && !c.Snapshot {
		return fmt.Errorf("%s keeps no snapshots: leave out what keeps or restores one", vendor)
	}
	for _, option := range w.Options.Given() {
		if !slices.Contains(c.Options, option) {
			return fmt.Errorf("%s takes no %s: %s", vendor, option, c.optionsInWords())
		}
	}
	return nil
}

func (c Capabilities) optionsInWords() string {
	if len(c.Options) == 0 {
		return "leave it out"
	}
	words := make([]string, len(c.Options))
	for i, option := range c.Options {
		words[i] = string(option)
	}
	return "it takes " + strings.Join(words, ", ")
}
