package tree

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRemoveTakesAwayWhateverIsThere(t *testing.T) {
	for what, make := range map[string]func(t *testing.T, path string){
		"a tree": func(t *testing.T, path string) { grow(t, 1, path, 100) },
		"a file": func(t *testing.T, path string) { write(t, path, "content") },
		"nothing": func(*testing.T, string) {
		},
		"a link, not what it leads to": func(t *testing.T, path string) {
			require.NoError(t, os.Symlink("beside", path))
		},
		"a tree of locked directories": func(t *testing.T, path string) {
			write(t, filepath.Join(path, "a", "b", "file"), "content")
			write(t, filepath.Join(path, "c", "file"), "content")
			require.NoError(t, os.Symlink("../beside", filepath.Join(path, "link")))
			for _, dir := range []string{"a/b", "a", "c", "."} {
				require.NoError(t, os.Chmod(filepath.Join(path, dir), 0))
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			folder := newFolder(t)
			write(t, filepath.Join(folder, "beside", "file"), "content")
			require.NoError(t, os.Chmod(filepath.Join(folder, "beside"), 0o500))
			before := look(t, filepath.Join(folder, "beside"))
			make(t, filepath.Join(folder, "it"))
			require.NoError(t, Remove(filepath.Join(folder, "it")))
			requireNames(t, folder, "beside")
			require.Equal(t, before, look(t, filepath.Join(folder, "beside")))
		})
	}
}

func TestRemoveOfASnapshotLeavesTheFilesThatItShares(t *testing.T) {
	base := filepath.Join(newFolder(t), "base")
	grow(t, 1, base, 100)
	r := restore(t, base)
	_, err := Save(r.work, r.next, r.origin)
	require.NoError(t, err)
	want := look(t, r.next)
	require.NoError(t, Remove(base))
	require.Equal(t, want, look(t, r.next))
}

func TestSweepRemovesLeftoversAndNothingElse(t *testing.T) {
	folder := newFolder(t)
	write(t, filepath.Join(folder, "tree", hidden+"inside"), "an agent's own")
	write(t, filepath.Join(folder, ".other"), "content")
	write(t, filepath.Join(folder, hiddenName()), "a link on its way")
	grow(t, 1, filepath.Join(folder, hiddenName()), 100)
	locked := filepath.Join(folder, hiddenName())
	write(t, filepath.Join(locked, "file"), "content")
	require.NoError(t, os.Chmod(locked, 0))

	require.NoError(t, Sweep(folder))
	requireNames(t, folder, "tree", ".other")
	requireContent(t, "an agent's own", filepath.Join(folder, "tree", hidden+"inside"))
	require.ErrorIs(t, Sweep(filepath.Join(folder, "nowhere")), os.ErrNotExist)
}
