package provider

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of docs/vendors.md anew")

const (
	manual     = "../docs/vendors.md"
	tableBegin = "<!-- capabilities: go test ./provider -run Manual -update -->\n"
	tableEnd   = "<!-- end of capabilities -->\n"
)

// capabilityTable is the vendors' capabilities in Markdown, out of the flags
// that the code itself goes by.
func capabilityTable() string {
	vendors := Vendors()
	var table strings.Builder
	row := func(what string, cell func(Vendor) string) {
		fmt.Fprintf(&table, "| %s |", what)
		for _, v := range vendors {
			fmt.Fprintf(&table, " %s |", cell(v))
		}
		table.WriteString("\n")
	}
	yes := func(flag func(Capabilities) bool) func(Vendor) string {
		return func(v Vendor) string {
			if flag(v.Capabilities) {
				return "yes"
			}
			return "–"
		}
	}
	row("", func(v Vendor) string { return v.Title })
	row("---", func(Vendor) string { return "---" })
	row("`provider =`", func(v Vendor) string { return "`" + v.Name + "`" })
	row("key in the environment", func(v Vendor) string { return "`" + v.KeyVariable + "`" })
	row("waits by event stream", yes(func(c Capabilities) bool { return c.Stream }))
	row("reads without a stream", func(v Vendor) string {
		if c := v.Capabilities; c.PollAtMost > c.PollInterval {
			return fmt.Sprintf("each %s, growing to %s", c.PollInterval, c.PollAtMost)
		}
		return "each " + v.Capabilities.PollInterval.String()
	})
	row("`pause`, `resume` reach the agent", yes(func(c Capabilities) bool { return c.Pause }))
	row("`cancel` stops the agent", yes(func(c Capabilities) bool { return c.Cancel }))
	row("sessions are deleted", yes(func(c Capabilities) bool { return c.Delete }))
	row("snapshots: `--snapshot`, `--restore-…`", yes(func(c Capabilities) bool { return c.Snapshot }))
	row("a create without a reply is found again", yes(func(c Capabilities) bool { return c.ClientRef }))
	row("`agent` must be named", yes(func(c Capabilities) bool { return c.NeedsAgent }))
	row("`--url` goes", func(v Vendor) string {
		if v.Capabilities.StartURL {
			return "as start_url"
		}
		return "with the prompt"
	})
	for _, o := range []Option{OptionTitle, OptionModel, OptionTag, OptionCapability, OptionBranch, OptionAutoCommit} {
		row("`--"+string(o)+"`", func(v Vendor) string {
			if v.Takes(o) {
				return "yes"
			}
			return "refused"
		})
	}
	return table.String()
}

func TestTheManualsTableIsWhatTheCodeGoesBy(t *testing.T) {
	text, err := os.ReadFile(manual)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), tableBegin)
	require.True(t, found, "%s has no line %q", manual, tableBegin)
	table, after, found := strings.Cut(rest, tableEnd)
	require.True(t, found, "%s has no line %q", manual, tableEnd)
	if *update {
		require.NoError(t, os.WriteFile(manual, []byte(before+tableBegin+capabilityTable()+tableEnd+after), 0o644))
		return
	}
	require.Equal(t, capabilityTable(), table, "write it anew: go test ./provider -run Manual -update")
}
