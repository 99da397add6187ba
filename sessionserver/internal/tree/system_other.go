//go:build !linux && !darwin

package tree

import (
	"errors"
	"io/fs"
	"os"
)

func reflink(*os.File, *os.Root, string) (*os.File, error) { return nil, errors.ErrUnsupported }

// nextData is for systems where a copy fills the holes.
func nextData(_ *os.File, off, size int64) (from, to int64, err error) { return off, size, nil }

type fileID struct{ inode uint64 }

type facts struct {
	id       fileID
	several  bool
	change   int64
	uid, gid int
}

// factsOf is never ok: files are not shared between snapshots here.
func factsOf(fs.FileInfo) (facts, bool) { return facts{}, false }
