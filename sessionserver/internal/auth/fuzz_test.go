package auth

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzParseKeys(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := Parse(text)
		if err != nil {
			for word := range strings.FieldsSeq(text) {
				if len(word) > 7 { // longer than any word of an error
					require.NotContains(t, err.Error(), word)
				}
			}
			return
		}
		require.NotEmpty(t, keys)
		set, err := NewKeys(keys)
		if err != nil {
			require.ErrorContains(t, err, "twice")
			return
		}
		for _, key := range keys {
			user, verdict := set.Check(key.Value)
			require.Equal(t, key.Revoked, verdict == Revoked)
			require.NotEqual(t, Unknown, verdict)
			if key.User != "" {
				require.Equal(t, key.User, user)
			}
		}
	})
}
