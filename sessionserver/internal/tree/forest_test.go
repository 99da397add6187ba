package tree

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newFolder is an empty folder, which goes when the test ends, whatever
// permissions the trees in it have lost.
func newFolder(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	t.Cleanup(func() { require.NoError(t, removeAll(folder)) })
	return folder
}

// grow plants a random tree of about n things, in which all files and
// directories are older than the test. A seed always gives the same tree.
func grow(t testing.TB, seed uint64, dir string, n int) {
	t.Helper()
	content := rand.NewChaCha8([32]byte{byte(seed)})
	rng := rand.New(content)
	require.NoError(t, os.Mkdir(dir, 0o700))
	dirs, files := []string{dir}, []string{}
	pick := func(of []string) string { return of[rng.IntN(len(of))] }
	old := func() time.Time {
		return time.Date(2024, 1, 1, 0, 0, rng.IntN(1e7), rng.IntN(1e9), time.UTC)
	}
	for i := range n {
		path := filepath.Join(pick(dirs), fmt.Sprintf("%c %d é", 'a'+rune(rng.IntN(26)), i))
		switch kind := rng.IntN(100); {
		case kind < 20:
			require.NoError(t, os.Mkdir(path, 0o700))
			dirs = append(dirs, path)
		case kind < 30:
			target := []string{"nowhere", "/etc/passwd", "../..", ".", filepath.Base(pick(dirs))}
			require.NoError(t, os.Symlink(pick(target), path))
		case kind < 40 && len(files) > 0:
			require.NoError(t, os.Link(pick(files), path))
		default:
			data := make([]byte, rng.IntN(3)*rng.IntN(40_000))
			_, err := content.Read(data)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, data, 0o600))
			if kind > 95 {
				require.NoError(t, os.Truncate(path, int64(len(data)+rng.IntN(1<<20)))) // ends in a hole
			}
			mode := []fs.FileMode{0o600, 0o644, 0o755, 0o400, 0o444, 0o755 | fs.ModeSetuid}
			require.NoError(t, os.Chmod(path, mode[rng.IntN(len(mode))]))
			require.NoError(t, os.Chtimes(path, old(), old()))
			files = append(files, path)
		}
	}
	for _, d := range slices.Backward(dirs) { // the inner ones first
		mode := []fs.FileMode{0o700, 0o755, 0o555, 0o500, 0o750 | fs.ModeSetgid, 0o777 | fs.ModeSticky}
		require.NoError(t, os.Chmod(d, mode[rng.IntN(len(mode))]))
		require.NoError(t, os.Chtimes(d, old(), old()))
	}
}

// look describes all that is in a tree, by path: kind and mode, time, content,
// and which names are one file.
func look(t testing.TB, dir string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	first := map[fileID]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		rel, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		is := info.Mode().String()
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			require.NoError(t, err)
			is += " to " + target
		case d.IsDir():
			is += " of " + info.ModTime().UTC().Format(time.RFC3339Nano)
		case d.Type().IsRegular():
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			is += fmt.Sprintf(" of %s, %d bytes %x", info.ModTime().UTC().Format(time.RFC3339Nano), len(data), sha256.Sum256(data))
			facts, _ := factsOf(info)
			if _, ok := first[facts.id]; !ok {
				first[facts.id] = rel
			}
			is += ", one with " + first[facts.id]
		}
		seen[rel] = is
		return nil
	}))
	return seen
}

// regular gives the paths of the regular files of a tree, sorted.
func regular(t testing.TB, dir string) []string {
	t.Helper()
	var paths []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if d.Type().IsRegular() {
			rel, err := filepath.Rel(dir, path)
			require.NoError(t, err)
			paths = append(paths, rel)
		}
		return nil
	}))
	return paths
}

// damages are the ways in which an agent changes a file. None makes the change
// easier to see than it has to be.
var damages = map[string]func(path string, info fs.FileInfo) error{
	"overwrites its first bytes": func(path string, _ fs.FileInfo) error { return writeAt(path, 0, "damaged") },
	"appends":                    func(path string, i fs.FileInfo) error { return writeAt(path, i.Size(), "damaged") },
	"changes the size":           func(path string, i fs.FileInfo) error { return os.Truncate(path, i.Size()^1) },
	"changes the mode":           func(path string, i fs.FileInfo) error { return os.Chmod(path, i.Mode().Perm()^0o011) },
	"changes the time":           func(path string, _ fs.FileInfo) error { return os.Chtimes(path, time.Time{}, time.Now()) },
	"deletes":                    func(path string, _ fs.FileInfo) error { return os.Remove(path) },
	"renames":                    func(path string, _ fs.FileInfo) error { return os.Rename(path, path+" renamed") },
	"replaces": func(path string, _ fs.FileInfo) error {
		if err := os.WriteFile(path+" new", []byte("damaged"), 0o600); err != nil {
			return err
		}
		return os.Rename(path+" new", path)
	},
	"replaces by the same": func(path string, i fs.FileInfo) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path+" new", data, i.Mode().Perm()); err != nil {
			return err
		}
		if err := os.Chtimes(path+" new", time.Time{}, i.ModTime()); err != nil {
			return err
		}
		return os.Rename(path+" new", path)
	},
	"writes through a new name": func(path string, _ fs.FileInfo) error {
		if err := os.Link(path, path+" linked"); err != nil {
			return err
		}
		return writeAt(path+" linked", 0, "damaged")
	},
	"flips bytes and puts the time back": func(path string, i fs.FileInfo) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for j := range data {
			data[j] ^= 0xff
		}
		if err := writeAt(path, 0, string(data)); err != nil {
			return err
		}
		return os.Chtimes(path, time.Time{}, i.ModTime())
	},
}

// damage has an agent change about one file in two, in all ways by turns, and
// gives the paths of those.
func damage(t testing.TB, seed uint64, dir string) map[string]bool {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	loosen(t, dir)
	names := make([]string, 0, len(damages))
	for name := range damages {
		names = append(names, name)
	}
	slices.Sort(names)
	damaged := map[string]bool{}
	for i, rel := range regular(t, dir) {
		if rng.IntN(2) == 0 {
			continue
		}
		path, how := filepath.Join(dir, rel), names[i%len(names)]
		info, err := os.Lstat(path)
		require.NoError(t, err)
		if os.Geteuid() != 0 {
			require.NoError(t, os.Chmod(path, 0o600)) // root needs no permission
		}
		require.NoError(t, damages[how](path, info), how)
		damaged[rel] = true
	}
	return damaged
}

// loosen lets the owner do what he likes with the directories of a tree.
func loosen(t testing.TB, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	}))
}

func writeAt(path string, off int64, data string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte(data), off)
	return err
}

// write makes a file, and its directory.
func write(t testing.TB, path, data string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
}

func requireContent(t testing.TB, want, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(data))
}

// requireNames checks what a folder holds.
func requireNames(t testing.TB, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	require.ElementsMatch(t, want, names)
}
