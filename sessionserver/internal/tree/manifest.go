package tree

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// mark tells whether a file was touched: a write, a truncation, a change of
// its mode, owner or name, and another file in its place all change it. The
// change time does most of that, because nobody can set it.
type mark struct {
	Inode  uint64 `json:"inode"`
	Size   int64  `json:"size"`
	Mtime  int64  `json:"mtime"`  // in Unix nanoseconds
	Change int64  `json:"change"` // in Unix nanoseconds
}

// markOf is ok where the system tells enough about a file.
func markOf(info fs.FileInfo) (m mark, ok bool) {
	facts, ok := factsOf(info)
	return mark{facts.id.inode, info.Size(), info.ModTime().UnixNano(), facts.change}, ok
}

// entry is what a manifest says of one file, in one line.
type entry struct {
	Path   []byte `json:"path"`   // below the tree; no text, since a name may be any bytes
	Origin uint64 `json:"origin"` // inode of the original
	mark
}

// manifest is one that is being written. It gets its name when it is whole.
type manifest struct {
	path string
	file *os.File
	buf  *bufio.Writer
	enc  *json.Encoder
	last int64 // the latest change time in it
}

func newManifest(path string) (*manifest, error) {
	file, err := os.CreateTemp(filepath.Dir(path), hidden)
	if err != nil {
		return nil, err
	}
	buf := bufio.NewWriter(file)
	return &manifest{path: path, file: file, buf: buf, enc: json.NewEncoder(buf)}, nil
}

func (m *manifest) add(path string, origin uint64, made fs.FileInfo) error {
	mark, ok := markOf(made)
	if !ok {
		return nil
	}
	m.last = max(m.last, mark.Change)
	return m.enc.Encode(entry{[]byte(path), origin, mark})
}

func (m *manifest) finish(ctx context.Context) error {
	if err := m.settle(ctx); err != nil {
		return err
	}
	if err := errors.Join(m.buf.Flush(), m.file.Close()); err != nil {
		return err
	}
	return os.Rename(m.file.Name(), m.path)
}

// settle waits until a file that is touched gets a later change time than all
// in the manifest; the clock of a file system may tick every few milliseconds.
func (m *manifest) settle(ctx context.Context) error {
	for m.last != 0 {
		if err := os.Chtimes(m.file.Name(), time.Time{}, time.Now()); err != nil {
			return err
		}
		info, err := m.file.Stat()
		if err != nil {
			return err
		}
		if now, _ := markOf(info); now.Change != m.last {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// discard takes back what was written, finished or not.
func (m *manifest) discard() error {
	err := m.file.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	for _, path := range []string{m.file.Name(), m.path} {
		if gone := os.Remove(path); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// readManifest calls with each entry of a manifest, until that returns false.
// A manifest that is not there has none.
func readManifest(path string, with func(entry) bool) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	for lines := json.NewDecoder(bufio.NewReader(file)); ; {
		var e entry
		switch err := lines.Decode(&e); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case !with(e):
			return nil
		}
	}
}
