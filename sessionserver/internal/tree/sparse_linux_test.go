package tree

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHolesStayHoles(t *testing.T) {
	const large = 256 << 20
	for name, data := range map[string]map[int64]string{
		"only a hole":            {},
		"data at the beginning":  {0: "data"},
		"data in the middle":     {large / 2: "data"},
		"data at the end":        {large - 4: "data"},
		"data between two holes": {1 << 20: "data", large / 2: "more data"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := newFolder(t)
			src, dst := filepath.Join(folder, "src"), filepath.Join(folder, "dst")
			write(t, filepath.Join(src, "file"), "")
			require.NoError(t, os.Truncate(filepath.Join(src, "file"), large))
			for off, text := range data {
				require.NoError(t, writeAt(filepath.Join(src, "file"), off, text))
			}
			stats, err := clone(t.Context(), src, dst, dst+".manifest", nil)
			require.NoError(t, err)
			require.EqualValues(t, large, stats.Bytes)

			f, err := os.Open(filepath.Join(dst, "file"))
			require.NoError(t, err)
			defer f.Close()
			info, err := f.Stat()
			require.NoError(t, err)
			require.EqualValues(t, large, info.Size())
			require.Less(t, info.Sys().(*syscall.Stat_t).Blocks*512, int64(8<<20))
			for off, text := range data {
				got := make([]byte, len(text))
				_, err := f.ReadAt(got, off)
				require.NoError(t, err)
				require.Equal(t, text, string(got))
			}
		})
	}
}
