package tree

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// restored is a snapshot, and a working directory that was cloned from it by
// content, as on a file system without reflinks.
type restored struct {
	folder, base, work, next string
	origin                   Origin
}

func restore(t testing.TB, base string) restored {
	t.Helper()
	folder := filepath.Dir(base)
	r := restored{folder: folder, base: base, work: filepath.Join(folder, "work"), next: filepath.Join(folder, "next")}
	r.origin = Origin{Snapshot: base, Manifest: r.work + ".manifest"}
	_, err := clone(t.Context(), base, r.work, r.origin.Manifest, nil)
	require.NoError(t, err)
	return r
}

func sameFile(t testing.TB, a, b string) bool {
	t.Helper()
	one, err := os.Lstat(a)
	require.NoError(t, err)
	other, err := os.Lstat(b)
	if err != nil {
		require.ErrorIs(t, err, fs.ErrNotExist)
		return false
	}
	return os.SameFile(one, other)
}

func several(t testing.TB, path string) bool {
	t.Helper()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	facts, ok := factsOf(info)
	require.True(t, ok)
	return facts.several
}

func TestSaveSharesExactlyWhatDidNotChange(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			base := filepath.Join(newFolder(t), "base")
			grow(t, seed, base, 200)
			was := look(t, base)
			alone := map[string]bool{}
			for _, rel := range regular(t, base) {
				alone[rel] = !several(t, filepath.Join(base, rel))
			}
			r := restore(t, base)
			damaged := damage(t, seed, r.work)
			want := look(t, r.work)

			stats, err := Save(r.work, r.next, r.origin)
			require.NoError(t, err)
			require.Equal(t, want, look(t, r.next))
			require.Equal(t, was, look(t, base))
			requireNames(t, r.folder, "base", "next", "work.manifest")

			shared := 0
			for _, rel := range regular(t, r.next) {
				same := sameFile(t, filepath.Join(r.next, rel), filepath.Join(base, rel))
				require.Equal(t, alone[rel] && !damaged[rel], same, rel)
				if same {
					shared++
				}
			}
			require.Equal(t, shared, stats.Shared)
			require.Positive(t, shared)
			require.Less(t, shared, len(regular(t, r.next)))
		})
	}
}

func TestTenSnapshotsOfAnUnchangedTreeAreOne(t *testing.T) {
	folder := newFolder(t)
	base := filepath.Join(folder, "0")
	for i := range 30 {
		write(t, filepath.Join(base, "dir", fmt.Sprint(i)), strings.Repeat("x", i))
	}
	want := look(t, base)
	for i := range 9 {
		r := restore(t, filepath.Join(folder, fmt.Sprint(i)))
		stats, err := Save(r.work, filepath.Join(folder, fmt.Sprint(i+1)), r.origin)
		require.NoError(t, err)
		require.Equal(t, Stats{Shared: 30, SharedBytes: 29 * 30 / 2}, stats)
	}
	require.Equal(t, want, look(t, filepath.Join(folder, "9")))
	for i := range 30 {
		file := filepath.Join("dir", fmt.Sprint(i))
		require.True(t, sameFile(t, filepath.Join(base, file), filepath.Join(folder, "9", file)))
	}

	t.Run("and a tree restored of the last is its own", func(t *testing.T) {
		r := restore(t, filepath.Join(folder, "9"))
		damage(t, 1, r.work)
		for i := range 10 {
			require.Equal(t, want, look(t, filepath.Join(folder, fmt.Sprint(i))))
		}
	})
	t.Run("and the others outlive any of them", func(t *testing.T) {
		require.NoError(t, Remove(base))
		require.Equal(t, want, look(t, filepath.Join(folder, "5")))
	})
}

func TestAChangeRightAfterTheCloneIsSeen(t *testing.T) {
	folder := newFolder(t)
	base := filepath.Join(folder, "base")
	write(t, filepath.Join(base, "file"), "original")
	info, err := os.Lstat(filepath.Join(base, "file"))
	require.NoError(t, err)
	for i := range 50 {
		r := restore(t, base)
		require.NoError(t, damages["flips bytes and puts the time back"](filepath.Join(r.work, "file"), info))
		next := filepath.Join(folder, fmt.Sprint(i))
		stats, err := Save(r.work, next, r.origin)
		require.NoError(t, err)
		require.Zero(t, stats.Shared)
	}
	requireContent(t, "original", filepath.Join(base, "file"))
}

func TestAFileThatMovedAwayAndBackIsNotShared(t *testing.T) {
	base := filepath.Join(newFolder(t), "base")
	write(t, filepath.Join(base, "file"), "content")
	r := restore(t, base)
	require.NoError(t, os.Rename(filepath.Join(r.work, "file"), filepath.Join(r.work, "away")))
	require.NoError(t, os.Rename(filepath.Join(r.work, "away"), filepath.Join(r.work, "file")))
	stats, err := Save(r.work, r.next, r.origin)
	require.NoError(t, err)
	require.Zero(t, stats.Shared)
}

func TestShareKeepsToTheSnapshot(t *testing.T) {
	folder := newFolder(t)
	base := filepath.Join(folder, "base")
	write(t, filepath.Join(base, "dir", "file"), "content")
	r := restore(t, base)
	// The same file, still to be found by its old path, is elsewhere now.
	outside := filepath.Join(newFolder(t), "outside")
	require.NoError(t, os.Rename(filepath.Join(r.work, "dir"), outside))
	require.NoError(t, os.Symlink(outside, filepath.Join(r.work, "dir")))
	before := look(t, outside)

	stats, err := Save(r.work, r.next, r.origin)
	require.NoError(t, err)
	require.Zero(t, stats.Shared)
	require.Equal(t, before, look(t, outside))
	require.False(t, sameFile(t, filepath.Join(outside, "file"), filepath.Join(base, "dir", "file")))
}

func TestShareNeedsTheSnapshotThatWasCloned(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, r *restored){
		"it is gone":        func(t *testing.T, r *restored) { require.NoError(t, Remove(r.base)) },
		"there was none":    func(_ *testing.T, r *restored) { r.origin = Origin{} },
		"there is no list":  func(t *testing.T, r *restored) { require.NoError(t, os.Remove(r.origin.Manifest)) },
		"the list is empty": func(t *testing.T, r *restored) { require.NoError(t, os.Truncate(r.origin.Manifest, 0)) },
		"the list is torn":  func(t *testing.T, r *restored) { require.NoError(t, os.Truncate(r.origin.Manifest, 20)) },
		"it is another one": func(t *testing.T, r *restored) {
			// It even has a file of that size and time.
			r.origin.Snapshot = filepath.Join(r.folder, "other")
			write(t, filepath.Join(r.origin.Snapshot, "file"), "CONTENT")
			info, err := os.Lstat(filepath.Join(r.base, "file"))
			require.NoError(t, err)
			require.NoError(t, os.Chtimes(filepath.Join(r.origin.Snapshot, "file"), info.ModTime(), info.ModTime()))
		},
	} {
		t.Run(what, func(t *testing.T) {
			base := filepath.Join(newFolder(t), "base")
			write(t, filepath.Join(base, "file"), "content")
			r := restore(t, base)
			spoil(t, &r)
			stats, err := Save(r.work, r.next, r.origin)
			require.NoError(t, err)
			require.Zero(t, stats)
			requireContent(t, "content", filepath.Join(r.next, "file"))
		})
	}
}

func TestShareTellsOfATornManifestAndSharesWhatItHasRead(t *testing.T) {
	base := filepath.Join(newFolder(t), "base")
	write(t, filepath.Join(base, "one"), "content")
	write(t, filepath.Join(base, "two"), "content")
	r := restore(t, base)
	_, err := Save(r.work, r.next, Origin{})
	require.NoError(t, err)
	info, err := os.Stat(r.origin.Manifest)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(r.origin.Manifest, info.Size()-10))
	want := look(t, base)

	stats, err := Share(r.next, r.origin)
	require.ErrorContains(t, err, "share tree: unexpected EOF")
	require.Equal(t, 1, stats.Shared)
	require.Equal(t, want, look(t, r.next))
}

func TestShareReachesFilesInDirectoriesThatTheirOwnerMayNotWriteTo(t *testing.T) {
	base := filepath.Join(newFolder(t), "base")
	write(t, filepath.Join(base, "dir", "file"), "content")
	for _, dir := range []string{"dir", "."} {
		require.NoError(t, os.Chmod(filepath.Join(base, dir), 0o500))
	}
	want := look(t, base)
	r := restore(t, base)
	stats, err := Save(r.work, r.next, r.origin)
	require.NoError(t, err)
	require.Equal(t, 1, stats.Shared)
	require.Equal(t, want, look(t, r.next))
}

func TestShareDoneTwiceIsDone(t *testing.T) {
	base := filepath.Join(newFolder(t), "base")
	write(t, filepath.Join(base, "file"), "content")
	r := restore(t, base)
	_, err := Save(r.work, r.next, Origin{})
	require.NoError(t, err)
	for _, shared := range []int{1, 0} {
		stats, err := Share(r.next, r.origin)
		require.NoError(t, err)
		require.Equal(t, shared, stats.Shared)
	}
	requireNames(t, r.folder, "base", "next", "work.manifest")
}

func TestATreeSavedWithoutAnOriginCanBeTakenBack(t *testing.T) {
	base := filepath.Join(newFolder(t), "base")
	grow(t, 1, base, 100)
	was := look(t, base)
	r := restore(t, base)
	stats, err := Save(r.work, r.next, Origin{})
	require.NoError(t, err)
	require.Zero(t, stats)
	require.NoError(t, os.Chmod(r.next, 0o700))
	require.NoError(t, os.Rename(r.next, r.work))
	damage(t, 1, r.work)
	require.Equal(t, was, look(t, base))
}

func TestSaveThatFailsLeavesTheTreeWhereItIs(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, r *restored){
		"something is there":   func(t *testing.T, r *restored) { require.NoError(t, os.Mkdir(r.next, 0o700)) },
		"there is no place":    func(_ *testing.T, r *restored) { r.next = filepath.Join(r.folder, "nowhere", "next") },
		"a file is in the way": func(_ *testing.T, r *restored) { r.next = filepath.Join(r.base, "file", "next") },
	} {
		t.Run(what, func(t *testing.T) {
			base := filepath.Join(newFolder(t), "base")
			write(t, filepath.Join(base, "file"), "content")
			require.NoError(t, os.Chmod(base, 0o500))
			r := restore(t, base)
			want := look(t, r.work)
			spoil(t, &r)
			_, err := Save(r.work, r.next, r.origin)
			require.Error(t, err)
			require.Equal(t, want, look(t, r.work))
			require.False(t, sameFile(t, filepath.Join(r.work, "file"), filepath.Join(base, "file")))
		})
	}
}

func TestSaveMovesATreeThatItsOwnerMayNotWriteTo(t *testing.T) {
	folder := newFolder(t)
	dir, dst := filepath.Join(folder, "work", "tree"), filepath.Join(folder, "snapshots", "tree")
	write(t, filepath.Join(dir, "file"), "content")
	require.NoError(t, os.Mkdir(filepath.Join(folder, "snapshots"), 0o700))
	require.NoError(t, os.Chmod(dir, 0o500))
	want := look(t, dir)
	_, err := Save(dir, dst, Origin{})
	require.NoError(t, err)
	require.Equal(t, want, look(t, dst))
}
