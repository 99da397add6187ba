package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// linkers are the ways to copy: that of the system, and by content anywhere.
var linkers = map[string]linker{"by what the file system can": reflink, "by content": nil}

func TestCloneEqualsItsSource(t *testing.T) {
	for how, link := range linkers {
		for seed := range uint64(6) {
			t.Run(fmt.Sprintf("%s, seed %d", how, seed), func(t *testing.T) {
				folder := newFolder(t)
				src, dst := filepath.Join(folder, "src"), filepath.Join(folder, "dst")
				grow(t, seed, src, 200)
				before := look(t, src)

				stats, err := clone(t.Context(), src, dst, dst+".manifest", link)
				require.NoError(t, err)
				require.Equal(t, before, look(t, dst))
				require.Equal(t, before, look(t, src), "the source is as before")
				requireNames(t, folder, "src", "dst", "dst.manifest")

				files := regular(t, src)
				require.Len(t, files, stats.Files)
				require.Zero(t, stats.Left)
				require.Contains(t, []int{0, stats.Files - stats.Linked}, stats.Reflinked, "none, or all that are a file of their own")
			})
		}
	}
}

func TestNothingDoneInACloneReachesItsSource(t *testing.T) {
	for how, link := range linkers {
		for seed := range uint64(6) {
			t.Run(fmt.Sprintf("%s, seed %d", how, seed), func(t *testing.T) {
				folder := newFolder(t)
				src, dst := filepath.Join(folder, "src"), filepath.Join(folder, "dst")
				grow(t, seed, src, 200)
				before := look(t, src)

				_, err := clone(t.Context(), src, dst, dst+".manifest", link)
				require.NoError(t, err)
				require.NotEmpty(t, damage(t, seed, dst))
				require.NotEqual(t, before, look(t, dst))
				require.Equal(t, before, look(t, src))
			})
		}
	}
}

func TestTwoClonesOfOneSnapshotAreIndependent(t *testing.T) {
	folder := newFolder(t)
	src, one, two := filepath.Join(folder, "src"), filepath.Join(folder, "one"), filepath.Join(folder, "two")
	grow(t, 1, src, 200)
	before := look(t, src)
	for _, dst := range []string{one, two} {
		_, err := Clone(t.Context(), src, dst, dst+".manifest")
		require.NoError(t, err)
	}
	damage(t, 1, one)
	require.Equal(t, before, look(t, two))
	require.Equal(t, before, look(t, src))
}

func TestCloneOfALargeFlatDirectoryHasEachFileOnce(t *testing.T) {
	folder := newFolder(t)
	src, dst := filepath.Join(folder, "src"), filepath.Join(folder, "dst")
	const many = 3*batch + 1
	for i := range many {
		write(t, filepath.Join(src, fmt.Sprint(i)), fmt.Sprint(i))
	}
	stats, err := Clone(t.Context(), src, dst, dst+".manifest")
	require.NoError(t, err)
	require.Equal(t, many, stats.Files)
	require.Equal(t, look(t, src), look(t, dst))
}

func TestLinksThatLeadOutAreCopiedAndNotFollowed(t *testing.T) {
	folder := newFolder(t)
	src, dst, outside := filepath.Join(folder, "src"), filepath.Join(folder, "dst"), filepath.Join(folder, "outside")
	write(t, filepath.Join(outside, "secret"), "secret")
	require.NoError(t, os.Mkdir(src, 0o700))
	links := map[string]string{
		"absolute": outside,
		"relative": "../outside",
		"file":     filepath.Join(outside, "secret"),
		"itself":   "itself",
		"up":       "..",
	}
	for name, target := range links {
		require.NoError(t, os.Symlink(target, filepath.Join(src, name)))
	}
	stats, err := Clone(t.Context(), src, dst, dst+".manifest")
	require.NoError(t, err)
	require.Equal(t, Stats{}, stats)
	for name, target := range links {
		got, err := os.Readlink(filepath.Join(dst, name))
		require.NoError(t, err)
		require.Equal(t, target, got)
	}
}

func TestALinkToATreeIsNoTree(t *testing.T) {
	folder := newFolder(t)
	write(t, filepath.Join(folder, "src", "file"), "content")
	require.NoError(t, os.Symlink("src", filepath.Join(folder, "link")))
	_, err := Clone(t.Context(), filepath.Join(folder, "link"), filepath.Join(folder, "dst"), filepath.Join(folder, "manifest"))
	require.ErrorIs(t, err, syscall.ENOTDIR)
	requireNames(t, folder, "src", "link")
}

func TestSocketsAreLeftOutAndCounted(t *testing.T) {
	folder := newFolder(t)
	t.Chdir(folder) // the path of a socket has to be short
	write(t, "src/file", "content")
	l, err := net.Listen("unix", "src/socket")
	require.NoError(t, err)
	defer l.Close()

	stats, err := Clone(t.Context(), filepath.Join(folder, "src"), filepath.Join(folder, "dst"), filepath.Join(folder, "manifest"))
	require.NoError(t, err)
	require.Equal(t, 1, stats.Left)
	requireNames(t, "dst", "file")
}

func TestWhatItsOwnerMayNotReadIsCopied(t *testing.T) {
	for how, link := range linkers {
		t.Run(how, func(t *testing.T) {
			folder := newFolder(t)
			src, dst := filepath.Join(folder, "src"), filepath.Join(folder, "dst")
			write(t, filepath.Join(src, "locked", "file"), "in a locked directory")
			write(t, filepath.Join(src, "unreadable"), "unreadable")
			require.NoError(t, os.Chmod(filepath.Join(src, "unreadable"), 0))
			require.NoError(t, os.Chmod(filepath.Join(src, "locked"), 0))
			require.NoError(t, os.Chmod(src, 0o200))

			_, err := clone(t.Context(), src, dst, dst+".manifest", link)
			require.NoError(t, err)
			for _, path := range []string{".", "locked"} {
				was, err := os.Lstat(filepath.Join(src, path))
				require.NoError(t, err)
				is, err := os.Lstat(filepath.Join(dst, path))
				require.NoError(t, err)
				require.Equal(t, was.Mode(), is.Mode(), path)
				loosen(t, filepath.Join(src, path))
				loosen(t, filepath.Join(dst, path))
			}
			require.NoError(t, os.Chmod(filepath.Join(dst, "unreadable"), 0o600))
			requireContent(t, "unreadable", filepath.Join(dst, "unreadable"))
			requireContent(t, "in a locked directory", filepath.Join(dst, "locked", "file"))
		})
	}
}

// Paths longer than the system takes come about when an agent goes down step
// by step.
func TestTreesDeeperThanAPathMayBeLongAreCopiedAndRemoved(t *testing.T) {
	const depth = 60
	step := strings.Repeat("d", 100)
	folder := newFolder(t)
	src, dst := filepath.Join(folder, "src"), filepath.Join(folder, "dst")
	require.NoError(t, os.Mkdir(src, 0o700))
	require.NoError(t, descend(src, func(r *os.Root) error { return r.Mkdir(step, 0o700) }, step, depth,
		func(r *os.Root) error { return r.WriteFile("bottom", []byte("deep"), 0o600) }))

	_, err := Clone(t.Context(), src, dst, dst+".manifest")
	require.NoError(t, err)
	require.NoError(t, descend(dst, func(*os.Root) error { return nil }, step, depth,
		func(r *os.Root) error {
			data, err := r.ReadFile("bottom")
			require.Equal(t, "deep", string(data))
			return err
		}))
	require.NoError(t, Remove(dst))
	require.NoError(t, Remove(src))
	requireNames(t, folder, "dst.manifest")
}

// descend goes down a tree step by step; each is called before a step, then at
// the bottom.
func descend(dir string, each func(*os.Root) error, step string, depth int, bottom func(*os.Root) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	for range depth {
		if err := each(root); err != nil {
			return errors.Join(err, root.Close())
		}
		next, err := root.OpenRoot(step)
		if err := errors.Join(err, root.Close()); err != nil {
			return err
		}
		root = next
	}
	return errors.Join(bottom(root), root.Close())
}

func TestCloneReplacesNothing(t *testing.T) {
	for what, make := range map[string]func(path string) error{
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"a file":      func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a dead link": func(path string) error { return os.Symlink("nowhere", path) },
	} {
		t.Run(what, func(t *testing.T) {
			folder := newFolder(t)
			src, dst := filepath.Join(folder, "src"), filepath.Join(folder, "dst")
			write(t, filepath.Join(src, "file"), "content")
			require.NoError(t, make(dst))
			_, err := Clone(t.Context(), src, dst, filepath.Join(folder, "manifest"))
			require.ErrorIs(t, err, fs.ErrExist)
			requireNames(t, folder, "src", "dst")
		})
	}
}

func TestACloneThatFailsLeavesNothing(t *testing.T) {
	folder := newFolder(t)
	src, dst := filepath.Join(folder, "src"), filepath.Join(folder, "dst")
	grow(t, 1, src, 100)

	t.Run("without a source", func(t *testing.T) {
		_, err := Clone(t.Context(), src+" that is not there", dst, dst+".manifest")
		require.ErrorIs(t, err, fs.ErrNotExist)
		requireNames(t, folder, "src")
	})
	t.Run("without a place for its manifest", func(t *testing.T) {
		_, err := Clone(t.Context(), src, dst, filepath.Join(folder, "nowhere", "manifest"))
		require.ErrorIs(t, err, fs.ErrNotExist)
		requireNames(t, folder, "src")
	})
	t.Run("with no place for the manifest's name", func(t *testing.T) {
		manifest := filepath.Join(newFolder(t), "manifest")
		write(t, filepath.Join(manifest, "file"), "in the way")
		_, err := Clone(t.Context(), src, dst, manifest)
		require.Error(t, err)
		requireNames(t, folder, "src")
		requireNames(t, filepath.Dir(manifest), "manifest")
	})
	t.Run("cancelled midway", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		_, err := clone(ctx, src, dst, dst+".manifest", func(*os.File, *os.Root, string) (*os.File, error) {
			if calls++; calls == 10 {
				cancel()
			}
			return nil, syscall.EINVAL
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 10, calls)
		requireNames(t, folder, "src")
	})
}

func TestCloneAsksForReflinksOnlyWhileThereIsHope(t *testing.T) {
	for _, c := range []struct {
		err  error
		asks int
	}{
		{syscall.EOPNOTSUPP, 1},
		{syscall.ENOTTY, 1},
		{syscall.EXDEV, 1},
		{syscall.EINVAL, 3}, // of this file, not of others
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			folder := newFolder(t)
			src, dst := filepath.Join(folder, "src"), filepath.Join(folder, "dst")
			for _, name := range []string{"a", "b", "c"} {
				write(t, filepath.Join(src, name), name)
			}
			asked := 0
			stats, err := clone(t.Context(), src, dst, dst+".manifest", func(*os.File, *os.Root, string) (*os.File, error) {
				asked++
				return nil, os.NewSyscallError("ficlone", c.err)
			})
			require.NoError(t, err)
			require.Equal(t, c.asks, asked)
			require.Equal(t, Stats{Files: 3, Bytes: 3}, stats)
			require.Equal(t, look(t, src), look(t, dst))
		})
	}
}
