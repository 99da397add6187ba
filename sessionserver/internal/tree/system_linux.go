package tree

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// reflink makes a new file with the blocks of in, if the file system can.
func reflink(in *os.File, dir *os.Root, name string) (*os.File, error) {
	out, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.IoctlFileClone(int(out.Fd()), int(in.Fd())); err != nil {
		return nil, errors.Join(os.NewSyscallError("ficlone", err), out.Close(), dir.Remove(name))
	}
	return out, nil
}

// nextData gives the first stretch of data at or after off; [size, size) if
// there is but a hole.
func nextData(f *os.File, off, size int64) (from, to int64, err error) {
	from, err = f.Seek(off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, syscall.ENXIO):
		return size, size, nil
	case errors.Is(err, syscall.EINVAL):
		return off, size, nil // the file system knows no holes
	case err != nil:
		return 0, 0, err
	}
	to, err = f.Seek(from, unix.SEEK_HOLE)
	return from, min(to, size), err
}

// fileID tells a file from all others of the machine.
type fileID struct{ device, inode uint64 }

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
	return facts{fileID{s.Dev, s.Ino}, s.Nlink > 1, s.Ctim.Nano(), int(s.Uid), int(s.Gid)}, true
}
