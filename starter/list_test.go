package starter

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The value of a filter is one string to visibility's SQL, whatever is in it.
func FuzzEqual(f *testing.F) {
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := strings.CutPrefix(equal("Attribute", value), "Attribute = '")
		require.True(t, ok)
		var read strings.Builder
		for escaped := false; ; {
			require.NotEmpty(t, text, "the string has no end")
			c := text[0]
			text = text[1:]
			switch {
			case !escaped && c == '\'':
				require.Empty(t, text, "there is more behind the string")
				require.Equal(t, value, read.String())
				return
			case !escaped && c == '\\':
				escaped = true
			default:
				read.WriteByte(c)
				escaped = false
			}
		}
	})
}
