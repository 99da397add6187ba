package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Origin is where a tree was cloned from; the zero value is nowhere.
type Origin struct {
	Snapshot string // the src of the Clone
	Manifest string // the manifest of the Clone
}

// Save makes a snapshot at dst, which must not be there, of the tree at dir,
// which nobody uses any more: by one rename, within one file system. After an
// error the tree is still at dir.
//
// With an origin it goes on to [Share] with that, and then the tree must never
// be written to again, nor taken back. Who may still have to take it back
// saves it without an origin, and calls Share when that is past.
func Save(dir, dst string, from Origin) (Stats, error) {
	if err := save(dir, dst); err != nil {
		return Stats{}, fmt.Errorf("save tree: %w", err)
	}
	stats, _ := Share(dst, from) // the snapshot is whole, sharing only saves room
	return stats, nil
}

func save(dir, dst string) error {
	if err := absent(dst); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	// A directory can only move to another if its owner may write to it.
	if mode := info.Mode(); info.IsDir() && mode&0o200 == 0 {
		if err := os.Chmod(dir, (mode|0o200)&settable); err != nil {
			return err
		}
		if err := os.Rename(dir, dst); err != nil {
			return errors.Join(err, os.Chmod(dir, mode&settable))
		}
		_ = os.Chmod(dst, mode&settable) // the tree is saved, its top is only more open than it was
		return nil
	}
	return os.Rename(dir, dst)
}

// Share makes the files of a snapshot that did not change since its tree was
// cloned one with those of its origin, where the two do not share their blocks
// anyway. Neither of them may ever be written to afterwards, and nobody may be
// cloning the snapshot meanwhile.
//
// A file counts as changed if there is any doubt, also when it has several
// names. An origin or a manifest that is gone, and the zero Origin, share
// nothing. After an error the snapshot holds what it held before, and less of
// it is shared than could be; a process killed here may leave one directory
// with a new time and writable.
func Share(snapshot string, from Origin) (stats Stats, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("share tree: %w", err)
		}
	}()
	if from == (Origin{}) {
		return Stats{}, nil
	}
	folder, err := os.OpenRoot(filepath.Dir(snapshot))
	if err != nil {
		return Stats{}, err
	}
	defer folder.Close()
	s := sharer{folder: folder, tree: filepath.Base(snapshot), origin: from.Snapshot, spare: hiddenName()}
	var failed error
	err = readManifest(from.Manifest, func(e entry) bool {
		failed = s.share(e)
		return failed == nil
	})
	return s.stats, errors.Join(err, failed, s.leave())
}

// sharer is one Share under way.
type sharer struct {
	folder *os.Root // has the snapshot
	tree   string   // its name there
	origin string
	spare  string // a name in the folder, for links on their way
	stats  Stats

	// The directory of the last file that was shared, below the folder, and
	// what it was like before.
	dir  string
	info fs.FileInfo
}

// share shares one file, if it is what the manifest says.
func (s *sharer) share(e entry) error {
	path := filepath.Join(s.tree, string(e.Path))
	info, err := s.folder.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if now, ok := markOf(info); !ok || now != e.mark {
		return nil
	}
	original := filepath.Join(s.origin, string(e.Path))
	if info, err = os.Lstat(original); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if was, ok := markOf(info); !ok || was.Inode != e.Origin || was.Size != e.Size || was.Mtime != e.Mtime {
		return nil // another snapshot than the one that was cloned
	}
	if os.Link(original, filepath.Join(s.folder.Name(), s.spare)) != nil {
		return nil // it has as many links as a file may have, or is on another device
	}
	err = s.enter(filepath.Dir(path))
	if err == nil {
		err = s.folder.Rename(s.spare, path)
	}
	if err != nil {
		return errors.Join(err, s.folder.Remove(s.spare))
	}
	s.stats.Shared++
	s.stats.SharedBytes += e.Size
	return nil
}

// enter makes a directory one that files can be replaced in.
func (s *sharer) enter(dir string) error {
	if dir == s.dir {
		return nil
	}
	if err := s.leave(); err != nil {
		return err
	}
	info, err := s.folder.Stat(dir)
	if err != nil {
		return err
	}
	s.dir, s.info = dir, info
	if mode := info.Mode(); mode&0o300 != 0o300 {
		return s.folder.Chmod(dir, (mode|0o300)&settable)
	}
	return nil
}

// leave makes the directory entered last look as it did before.
func (s *sharer) leave() error {
	dir, info := s.dir, s.info
	if dir == "" {
		return nil
	}
	s.dir = ""
	if mode := info.Mode(); mode&0o300 != 0o300 {
		if err := s.folder.Chmod(dir, mode&settable); err != nil {
			return err
		}
	}
	return s.folder.Chtimes(dir, time.Time{}, info.ModTime())
}
