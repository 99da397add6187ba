// Package batchfile reads the file that a batch is made of and renders its
// items. It reads line by line and holds one at a time, whatever the size of
// the file, and it goes on after a line that is wrong, so that all of them are
// told at once.
package batchfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// Format is the form of a file.
type Format string

// The formats.
const (
	JSONL Format = "jsonl" // a JSON object on each line
	CSV   Format = "csv"   // a header, then a record for each item (RFC 4180)
)

// maxRecord bounds one line or record, in bytes: it is held in memory, and
// stands in the results once more.
const maxRecord = 1 << 20

// Record is one item as the file has it.
type Record struct {
	Line   int             // where it begins, from 1
	Fields map[string]any  // as encoding/json has them, numbers as json.Number
	JSON   json.RawMessage // the same in one line, in the order of the file
}

// LineError is what is wrong with one line. The lines after it can be read.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// File is an open file that can be read more than once.
type File struct {
	file   *os.File
	format Format
	spool  string // path to remove; empty: the file is the user's
}

// FormatOf is the format that a file's name tells.
func FormatOf(name string) (Format, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jsonl", ".ndjson":
		return JSONL, nil
	case ".csv":
		return CSV, nil
	}
	return "", fmt.Errorf("%s does not end in .jsonl, .ndjson or .csv: say which it is with --format", name)
}

// Open opens a file, or for "-" what comes in on stdin. A format that is empty
// is taken from the name. What can be read only once is copied to a temporary
// file.
func Open(name string, format Format, stdin io.Reader) (*File, error) {
	switch {
	case format != "" && format != JSONL && format != CSV:
		return nil, fmt.Errorf("unknown format %q: choose jsonl or csv", format)
	case format == "" && name == "-":
		return nil, errors.New("say with --format what comes in on stdin: jsonl or csv")
	case format == "":
		var err error
		if format, err = FormatOf(name); err != nil {
			return nil, err
		}
	}
	if name == "-" {
		return spool(format, stdin)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Mode().IsRegular() {
		return &File{file: file, format: format}, nil
	}
	defer file.Close()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder", name)
	}
	return spool(format, file)
}

func spool(format Format, from io.Reader) (_ *File, err error) {
	file, err := os.CreateTemp("", "errand-batch-*")
	if err != nil {
		return nil, err
	}
	f := &File{file: file, format: format, spool: file.Name()}
	if _, err := io.Copy(file, from); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error {
	err := f.file.Close()
	if f.spool != "" {
		err = errors.Join(err, os.Remove(f.spool))
	}
	return err
}

// Records reads the file from its beginning. An error that is a [*LineError]
// does not end it; any other does.
func (f *File) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if _, err := f.file.Seek(0, io.SeekStart); err != nil {
			yield(Record{}, err)
			return
		}
		read := readJSONL
		if f.format == CSV {
			read = readCSV
		}
		read(f.file, yield)
	}
}
