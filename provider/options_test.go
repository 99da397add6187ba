package provider

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatAVendorCannotDoIsRefusedInWords(t *testing.T) {
	coder := Vendor{Title: "Coder", Capabilities: Capabilities{Options: []Option{OptionBranch, OptionModel}}}
	for name, row := range map[string]struct {
		wishes Wishes
		says   string
	}{
		"nothing wished for":         {},
		"no snapshot":                {wishes: Wishes{Snapshot: SnapshotNone}},
		"what it takes":              {wishes: Wishes{Options: SessionOptions{Branch: "fix", Model: "large"}}},
		"a snapshot":                 {Wishes{Snapshot: SnapshotMemory}, "Coder keeps no snapshots: leave out what keeps or restores one"},
		"a snapshot to begin with":   {Wishes{Restore: true}, "Coder keeps no snapshots: leave out what keeps or restores one"},
		"a tag":                      {Wishes{Options: SessionOptions{Tags: []string{"x"}}}, "Coder takes no tag: it takes branch, model"},
		"one it takes and one not":   {Wishes{Options: SessionOptions{Branch: "fix", Title: "x"}}, "Coder takes no title: it takes branch, model"},
		"a commit of its own accord": {Wishes{Options: SessionOptions{AutoCommit: true}}, "Coder takes no auto-commit: it takes branch, model"},
	} {
		t.Run(name, func(t *testing.T) {
			err := coder.Refuse(row.wishes)
			if row.says == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, row.says)
		})
	}
}

func TestOptionsThatNoVendorCanTakeAreRefused(t *testing.T) {
	for says, o := range map[string]SessionOptions{
		`tag " ": it is empty`:                                    {Tags: []string{"fine", " "}},
		`capability "": it is empty`:                              {Capabilities: []SessionCapability{{}}},
		"text without control characters":                         {Title: "two\nlines"},
		"it has 501 bytes, at most 500 are allowed":               {Branch: strings.Repeat("b", maxOption+1)},
		"at most 50 tags and as many capabilities":                {Tags: make([]string, maxOptions+1)},
		`the configuration of capability "shell" has 16386 bytes`: {Capabilities: []SessionCapability{{Ref: "shell", Config: json.RawMessage(`"` + strings.Repeat("x", maxConfig) + `"`)}}},
	} {
		require.ErrorContains(t, o.Validate(), says)
	}
	require.NoError(t, SessionOptions{
		Title: "Weekly check", Model: "m", Tags: []string{"ap"}, Branch: "fix/retry", AutoCommit: true,
		Capabilities: []SessionCapability{{Ref: "shell", Config: json.RawMessage(`{"a":1}`)}, {Ref: "web"}},
	}.Validate())
}
