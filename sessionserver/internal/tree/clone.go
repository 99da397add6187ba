package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Clone makes dst, which must not be there, a copy of the tree at src, which
// nobody may write to meanwhile. Modes, times, owners as far as the process
// may set them, and hard links within the tree are kept; symbolic links are
// copied as they are, but for their times, and never followed. Sockets, pipes
// and devices are left out, and so are extended attributes. What its owner may
// not read is made readable to him, in src too, if the process needs that.
//
// A manifest is written of the files copied by content, for [Share]; it
// replaces what was there. Memory grows with the depth of the tree and the
// number of files in it that have several names.
func Clone(ctx context.Context, src, dst, manifest string) (Stats, error) {
	stats, err := clone(ctx, src, dst, manifest, reflink)
	if err != nil {
		return Stats{}, fmt.Errorf("clone tree: %w", err)
	}
	return stats, nil
}

// A linker makes a file with the blocks of in, and opens it.
type linker func(in *os.File, dir *os.Root, name string) (*os.File, error)

func clone(ctx context.Context, src, dst, manifest string, link linker) (_ Stats, err error) {
	if err := absent(dst); err != nil {
		return Stats{}, err
	}
	from, err := os.OpenRoot(filepath.Dir(src))
	if err != nil {
		return Stats{}, err
	}
	defer from.Close()
	to, err := os.OpenRoot(filepath.Dir(dst))
	if err != nil {
		return Stats{}, err
	}
	defer to.Close()
	info, err := from.Lstat(filepath.Base(src))
	if err != nil {
		return Stats{}, err
	}
	if !info.IsDir() {
		return Stats{}, &fs.PathError{Op: "clone", Path: src, Err: syscall.ENOTDIR}
	}
	w, err := newManifest(manifest)
	if err != nil {
		return Stats{}, err
	}
	c := cloner{ctx: ctx, link: link, manifest: w, to: to, tmp: hiddenName(), linked: map[fileID]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.discard(), removeAll(filepath.Join(to.Name(), c.tmp)))
		}
	}()
	if err := c.dir(from, filepath.Base(src), to, c.tmp, c.tmp, info); err != nil {
		return Stats{}, err
	}
	// A tree without its manifest would only share less than it could, so the
	// manifest comes first.
	if err := w.finish(ctx); err != nil {
		return Stats{}, err
	}
	return c.stats, to.Rename(c.tmp, filepath.Base(dst))
}

// cloner is one Clone under way.
type cloner struct {
	ctx      context.Context
	link     linker // nil where the file system cannot do it
	manifest *manifest
	to       *os.Root // has the new tree
	tmp      string   // its name until it is whole
	linked   map[fileID]string
	stats    Stats
}

// batch is how many names are read from a directory at a time.
const batch = 512

// dir copies the directory src/name to dst/as, which is at path below c.to.
func (c *cloner) dir(src *os.Root, name string, dst *os.Root, as, path string, info fs.FileInfo) (err error) {
	mode := readable(src, name, info.Mode(), 0o500)
	if err := dst.Mkdir(as, 0o700); err != nil {
		return err
	}
	from, err := src.OpenRoot(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := dst.OpenRoot(as)
	if err != nil {
		return err
	}
	defer to.Close()
	list, err := from.Open(".")
	if err != nil {
		return err
	}
	defer list.Close()
	for {
		names, err := list.Readdirnames(batch)
		for _, name := range names {
			if err := c.entry(from, to, name, filepath.Join(path, name)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	return dress(dst, as, info, mode) // last, because filling it has set its times
}

func (c *cloner) entry(src, dst *os.Root, name, path string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	info, err := src.Lstat(name)
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return c.dir(src, name, dst, name, path, info)
	case mode.IsRegular():
		return c.file(src, dst, name, path, info)
	case mode&fs.ModeSymlink != 0:
		target, err := src.Readlink(name)
		if err != nil {
			return err
		}
		if err := dst.Symlink(target, name); err != nil {
			return err
		}
		return own(dst, name, info)
	}
	c.stats.Left++
	return nil
}

func (c *cloner) file(src, dst *os.Root, name, path string, info fs.FileInfo) error {
	c.stats.Files++
	c.stats.Bytes += info.Size()
	facts, _ := factsOf(info)
	if facts.several {
		if first, ok := c.linked[facts.id]; ok {
			c.stats.Linked++
			return c.to.Link(first, path)
		}
		c.linked[facts.id] = path
	}
	mode := readable(src, name, info.Mode(), 0o400)
	reflinked, err := c.content(src, dst, name, info.Size())
	if err != nil {
		return err
	}
	if err := dress(dst, name, info, mode); err != nil {
		return err
	}
	if reflinked {
		c.stats.Reflinked++ // it shares its blocks already: no need to know it again
		return nil
	}
	made, err := dst.Lstat(name)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(c.tmp, path)
	if err != nil {
		return err
	}
	return c.manifest.add(rel, facts.id.inode, made)
}

// content makes dst/name a file with what src/name holds.
func (c *cloner) content(src, dst *os.Root, name string, size int64) (reflinked bool, err error) {
	in, err := src.Open(name)
	if err != nil {
		return false, err
	}
	defer in.Close()
	if c.link != nil {
		out, err := c.link(in, dst, name)
		if err == nil {
			return true, out.Close()
		}
		// Of other errors the copy below has its own to tell, or none.
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.ENOTTY) {
			c.link = nil
		}
	}
	out, err := dst.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, err
	}
	return false, errors.Join(c.copy(out, in, size), out.Close())
}

// stretch is how much is copied between two looks at the context.
const stretch = 32 << 20

// copy copies the content, and leaves holes where there are some.
func (c *cloner) copy(out, in *os.File, size int64) error {
	for off := int64(0); off < size; {
		from, to, err := nextData(in, off, size)
		if err != nil {
			return err
		}
		for from < to {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			if _, err := in.Seek(from, io.SeekStart); err != nil {
				return err
			}
			if _, err := out.Seek(from, io.SeekStart); err != nil {
				return err
			}
			n, err := io.CopyN(out, in, min(to-from, stretch))
			if err != nil {
				return err
			}
			from += n
		}
		off = to
	}
	return out.Truncate(size)
}

// readable gives a file's owner a right that the process needs and does not
// have, and gives the mode that the file then has.
func readable(dir *os.Root, name string, mode, right fs.FileMode) fs.FileMode {
	if mode&right == right || os.Geteuid() == 0 {
		return mode
	}
	if dir.Chmod(name, (mode|right)&settable) != nil {
		return mode // somebody else's file: opening it tells whether that matters
	}
	return mode | right
}

// settable are the bits of a mode that chmod sets.
const settable = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// dress gives a copy the owner, mode and time of the original. The owner goes
// first, because a change of it takes away some modes.
func dress(dir *os.Root, name string, info fs.FileInfo, mode fs.FileMode) error {
	if err := own(dir, name, info); err != nil {
		return err
	}
	if err := dir.Chmod(name, mode&settable); err != nil {
		return err
	}
	return dir.Chtimes(name, time.Time{}, info.ModTime())
}

// own gives a copy the owner of the original, if the process may do that.
func own(dir *os.Root, name string, info fs.FileInfo) error {
	facts, ok := factsOf(info)
	if !ok || (facts.uid == os.Geteuid() && facts.gid == os.Getegid()) {
		return nil
	}
	if err := dir.Lchown(name, facts.uid, facts.gid); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
