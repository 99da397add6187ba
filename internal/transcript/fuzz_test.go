package transcript

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/provider"
)

// A transcript may be anything that a disk or a dying process makes of it. It
// can be read, and what is added to it can be read too.
func FuzzTranscript(f *testing.F) {
	d := Dir(f.TempDir())
	f.Fuzz(func(t *testing.T, file []byte) {
		require.NoError(t, os.WriteFile(d.file("t"), file, 0o600))
		before, err := d.Read("t")
		require.NoError(t, err)
		seen := map[string]bool{}
		for _, e := range before {
			require.False(t, seen[e.ID])
			seen[e.ID] = true
		}
		if seen["new"] {
			return
		}
		require.NoError(t, d.Append("t", []provider.Entry{entry("new", "a")}))
		after, err := d.Read("t")
		require.NoError(t, err)
		require.Equal(t, append(before, EntryOf(entry("new", "a"))), after)
	})
}
