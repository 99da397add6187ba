package engine

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A record that makes no sense is none: it is found out again, and written.
func FuzzRecord(f *testing.F) {
	path := filepath.Join(f.TempDir(), "temporal.json")
	f.Fuzz(func(t *testing.T, file []byte) {
		require.NoError(t, os.WriteFile(path, file, 0o600))
		r, err := readRecord(path)
		require.NoError(t, err)
		p := port(r.Address)
		require.True(t, p >= 0 && p <= math.MaxUint16, "%d", p)
		require.NoError(t, r.write(path))
		again, err := readRecord(path)
		require.NoError(t, err)
		require.Equal(t, r, again)
	})
}
