package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/workflows"
)

// optionFlags are what only some vendors take with a session.
type optionFlags struct {
	title, model, branch string
	tags, capabilities   []string
	autoCommit           bool
}

// register adds the flags, each with the vendors that take it.
func (f *optionFlags) register(c *cobra.Command) {
	set := c.Flags()
	set.StringVar(&f.title, string(provider.OptionTitle), "", "`TEXT` by which the vendor shows the session"+takenBy(provider.OptionTitle))
	set.StringVar(&f.model, string(provider.OptionModel), "", "`NAME` of the model that the agent runs on"+takenBy(provider.OptionModel))
	set.StringArrayVar(&f.tags, string(provider.OptionTag), nil, "`TAG` of the session at the vendor, repeatable"+takenBy(provider.OptionTag))
	set.StringArrayVar(&f.capabilities, string(provider.OptionCapability), nil,
		"`REF` or REF=JSON of what the agent may do besides its own, repeatable"+takenBy(provider.OptionCapability))
	set.StringVar(&f.branch, string(provider.OptionBranch), "", "`NAME` of the git branch to work in"+takenBy(provider.OptionBranch))
	set.BoolVar(&f.autoCommit, string(provider.OptionAutoCommit), false, "let the agent commit of its own accord"+takenBy(provider.OptionAutoCommit))
}

// takenBy names the vendors that take an option.
func takenBy(option provider.Option) string {
	var titles []string
	for _, v := range provider.Vendors() {
		if v.Takes(option) {
			titles = append(titles, v.Title)
		}
	}
	return " (" + strings.Join(titles, ", ") + ")"
}

// read makes the options of what the flags say.
func (f *optionFlags) read() (provider.SessionOptions, error) {
	o := provider.SessionOptions{Title: f.title, Model: f.model, Tags: f.tags, Branch: f.branch, AutoCommit: f.autoCommit}
	for _, word := range f.capabilities {
		ref, value, configured := strings.Cut(word, "=")
		c := provider.SessionCapability{Ref: ref}
		if configured {
			if !json.Valid([]byte(value)) {
				return o, fmt.Errorf("--capability %s: what follows the = must be JSON, such as '{\"depth\":2}'", ref)
			}
			c.Config = json.RawMessage(value)
		}
		o.Capabilities = append(o.Capabilities, c)
	}
	return o, nil
}

// refuseWishes says what the task wants that the connection's vendor cannot do.
func refuseWishes(c config.Connection, in workflows.AgentTaskInput) error {
	vendor, err := provider.VendorNamed(c.Provider)
	if err == nil {
		err = vendor.Refuse(in.Wishes())
	}
	if err == nil && vendor.Capabilities.NeedsAgent && cmp.Or(in.Agent, c.Agent) == "" {
		err = fmt.Errorf("%s has no agent of its own choice: name one with --agent, or as agent of the connection", vendor.Title)
	}
	if err != nil {
		return fmt.Errorf("connection %s: %w", c.Name, err)
	}
	return nil
}
