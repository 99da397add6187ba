package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/workflows"
)

// What an agent or a page has written steers no terminal.
func requireHarmless(t *testing.T, shown string) {
	t.Helper()
	for _, r := range shown {
		harmless := r == '\n' || r == '\t' || (!unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r))
		require.True(t, harmless, "%q in %q", r, shown)
	}
}

func FuzzResultAsText(f *testing.F) {
	f.Fuzz(func(t *testing.T, result string) {
		if !json.Valid([]byte(result)) {
			return // a task has none that is not JSON
		}
		var out strings.Builder
		require.NoError(t, printResult(&out, json.RawMessage(result)))
		requireHarmless(t, out.String())
		require.True(t, out.Len() == 0 || strings.HasSuffix(out.String(), "\n"))
	})
}

func FuzzCell(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		const most = 20
		shown := cell(text, most)
		requireHarmless(t, shown)
		require.NotContains(t, shown, "\n")
		require.NotContains(t, shown, "\t", "a column of its own")
		require.LessOrEqual(t, utf8.RuneCountInString(shown), most)
	})
}

func FuzzLabels(f *testing.F) {
	f.Fuzz(func(t *testing.T, one, two string) {
		labels, err := parseLabels([]string{one, two})
		if err != nil {
			requireHarmless(t, err.Error())
			return
		}
		require.Len(t, labels, 2)
		var words []string
		for key, value := range labels {
			words = append(words, key+"="+value)
		}
		require.ElementsMatch(t, []string{one, two}, words)
		if err := workflows.CheckLabels(labels); err == nil {
			for key, value := range labels {
				requireHarmless(t, key+value)
			}
		}
	})
}
