package tree

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// reflink makes a new file with the blocks of in, if the file system can.
func reflink(in *os.File, dir *os.Root, name string) (*os.File, error) {
	path := filepath.Join(dir.Name(), name)
	if err := unix.Clonefile(in.Name(), path, unix.CLONE_NOFOLLOW|unix.CLONE_NOOWNERCOPY); err != nil {
		return nil, &os.LinkError{Op: "clonefile", Old: in.Name(), New: path, Err: err}
	}
	return dir.Open(name)
}

// nextData is for systems where a copy fills the holes.
func nextData(_ *os.File, off, size int64) (from, to int64, err error) { return off, size, nil }

// fileID tells a file from all others of the machine.
type fileID struct {
	device int32
	inode  uint64
}

// facts is what the system tells of a file besides what Go asks for.
type facts struct {
	id       fileID
	several  bool  // it has other names too
	change   int64 // in Unix nanoseconds
	uid, gid int
}

func factsOf(info fs.FileInfo) (facts, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return facts{}, false
	}
	return facts{fileID{s.Dev, s.Ino}, s.Nlink > 1, s.Ctimespec.Nano(), int(s.Uid), int(s.Gid)}, true
}
