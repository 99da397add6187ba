package tree

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tree to measure with: 1,000 files, 64 MiB.
const (
	benchFiles = 1000
	benchSize  = 64 << 20 / benchFiles
)

func growBench(b *testing.B, dir string) {
	b.Helper()
	content := rand.NewChaCha8([32]byte{})
	data := make([]byte, benchSize)
	for i := range benchFiles {
		_, err := content.Read(data)
		require.NoError(b, err)
		write(b, filepath.Join(dir, fmt.Sprint("dir", i/50), fmt.Sprint(i)), string(data))
	}
}

func BenchmarkClone(b *testing.B) {
	for how, link := range linkers {
		b.Run(how, func(b *testing.B) {
			folder := newFolder(b)
			src, dst := filepath.Join(folder, "src"), filepath.Join(folder, "dst")
			growBench(b, src)
			b.SetBytes(benchFiles * benchSize)
			b.ReportAllocs()
			var reflinked int
			for b.Loop() {
				stats, err := clone(b.Context(), src, dst, dst+".manifest", link)
				require.NoError(b, err)
				reflinked = stats.Reflinked
				b.StopTimer()
				require.NoError(b, Remove(dst))
				b.StartTimer()
			}
			b.ReportMetric(float64(reflinked), "reflinked")
		})
	}
}

// BenchmarkSave saves a tree of which one file has changed.
func BenchmarkSave(b *testing.B) {
	for how, link := range linkers {
		b.Run(how, func(b *testing.B) {
			folder := newFolder(b)
			base, work, next := filepath.Join(folder, "base"), filepath.Join(folder, "work"), filepath.Join(folder, "next")
			growBench(b, base)
			from := Origin{Snapshot: base, Manifest: work + ".manifest"}
			b.ReportAllocs()
			var shared int
			for b.Loop() {
				b.StopTimer()
				_, err := clone(b.Context(), base, work, from.Manifest, link)
				require.NoError(b, err)
				require.NoError(b, os.WriteFile(filepath.Join(work, "dir0", "0"), []byte("changed"), 0o600))
				b.StartTimer()
				stats, err := Save(work, next, from)
				require.NoError(b, err)
				shared = stats.Shared
				b.StopTimer()
				require.NoError(b, Remove(next))
				b.StartTimer()
			}
			b.ReportMetric(float64(shared), "shared")
		})
	}
}
