// Package tree copies, keeps and removes directory trees: the working
// directories of sessions and the snapshots made of them.
//
// A copy never shares a file that somebody may write to: [Clone] copies by
// reference where the file system can (reflinks), and by content elsewhere.
// Only what nobody writes any more is shared: [Share] makes the files of two
// snapshots one where they are known to be the same.
//
// Whatever is made or removed appears or vanishes with one rename, so that a
// process killed at any time leaves a whole tree or none. What else it leaves
// has a hidden name, and [Sweep] removes it. Nothing is flushed to the disk: a
// power cut may take what was written last, as with any other file.
package tree

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// hidden begins the names of what is being made or removed.
const hidden = ".tree-"

// hiddenName is a name that nothing else has.
func hiddenName() string { return hidden + rand.Text() }

// Stats is what a call did.
type Stats struct {
	// Of Clone: regular files made, and their size in bytes.
	Files int
	Bytes int64
	// Of Files: copied by reference, or a further name of one made before.
	Reflinked, Linked int
	// Of Clone: sockets, pipes and devices, which are left out.
	Left int
	// Of Share and Save: files made one with those of the origin, and their
	// size in bytes.
	Shared      int
	SharedBytes int64
}

// Remove removes a tree or a file, at once for all who look, whatever
// permissions its directories have lost. Nothing at path is no error. After
// an error the tree may be out of sight already; [Sweep] then has the rest.
func Remove(path string) error {
	away := filepath.Join(filepath.Dir(path), hiddenName())
	switch err := os.Rename(path, away); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("remove tree: %w", err)
	}
	if err := removeAll(away); err != nil {
		return fmt.Errorf("remove tree: %w", err)
	}
	return nil
}

// Sweep removes from a folder what a killed process left behind there. Nobody
// may be at work in the folder.
func Sweep(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), hidden) {
			if err := removeAll(filepath.Join(folder, entry.Name())); err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
		}
	}
	return nil
}

// removeAll is os.RemoveAll for trees that may forbid it.
func removeAll(path string) error {
	if err := os.RemoveAll(path); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(p, 0o700) // comes before the directory is read
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(path))
}

// absent is an error if there is something at path.
func absent(path string) error {
	switch _, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return &fs.PathError{Op: "make", Path: path, Err: fs.ErrExist}
}
