package truth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/gofrs/flock"
)

// Writer adds facts to a log. Its methods may be called from any goroutine.
type Writer struct {
	lock *flock.Flock

	mu   sync.Mutex
	file *os.File
	size int64 // bytes of complete lines
}

// Open opens a log for one server, makes it when missing, and tells what it
// has. A last line that was cut off is taken off the file; a file that is
// anything else than such a log is left alone, with an error.
func Open(path string) (w *Writer, before *Log, err error) {
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, nil, fmt.Errorf("open truth log: %w", err)
	case !locked:
		return nil, nil, fmt.Errorf("open truth log: another session server writes %s", path)
	}
	w = &Writer{lock: lock}
	if before, err = w.open(path); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open truth log %s: %w", path, err), w.Close())
	}
	return w, before, nil
}

func (w *Writer) open(path string) (before *Log, err error) {
	if w.file, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(w.file)
	if err != nil {
		return nil, err
	}
	before, whole, err := parse(data)
	if err != nil {
		return nil, err
	}
	w.size = int64(whole)
	if whole < len(data) {
		err = w.file.Truncate(w.size)
	}
	return before, err
}

// Write adds a fact, as one line in one piece.
func (w *Writer) Write(f Fact) error {
	line, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode fact: %w", err)
	}
	line = append(line, '\n')
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.file.Write(line); err != nil {
		// Half a line would spoil the next one, on a full disk for instance.
		return fmt.Errorf("write truth log: %w", errors.Join(err, w.file.Truncate(w.size)))
	}
	w.size += int64(len(line))
	return nil
}

// Close lets go of the file. A second Close does nothing.
func (w *Writer) Close() error {
	var err error
	if w.file != nil {
		err = w.file.Close()
	}
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	return errors.Join(err, w.lock.Close())
}

// Lacking gives those of the facts about sessions that the log has not.
func (l *Log) Lacking(facts []Fact) []Fact {
	known := make(map[identity]bool, len(l.Facts))
	for _, f := range l.Facts {
		known[f.identity()] = true
	}
	var lacking []Fact
	for _, f := range facts {
		if !known[f.identity()] {
			lacking = append(lacking, f)
		}
	}
	return lacking
}

// Undecided gives the deletes that were begun and of which the log does not
// tell how they came out.
func (l *Log) Undecided() []Fact {
	var begun []Fact
	for _, s := range l.Sessions() {
		if n := len(s.Facts); s.Facts[n-1].Kind == Deleting {
			begun = append(begun, s.Facts[n-1])
		}
	}
	return begun
}
