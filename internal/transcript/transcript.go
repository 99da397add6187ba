// Package transcript keeps what sessions said in files, one JSON object a
// line, so that it can be read after a session is deleted.
package transcript

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/errand-dev/errand/provider"
)

// Entry is one line of a transcript. Its JSON is a contract.
type Entry struct {
	ID   string             `json:"id"`
	Type provider.EntryType `json:"type"`
	Text string             `json:"text"`
	At   time.Time          `json:"at"`
}

// EntryOf is the line for what a provider read.
func EntryOf(e provider.Entry) Entry {
	return Entry{ID: e.ID, Type: e.Type, Text: e.Text, At: e.At}
}

// Dir is a folder of transcripts, one file for each agent task.
type Dir string

// Append adds entries to the transcript of a task. A line is written whole or,
// if the process dies meanwhile, cut off; Read leaves such a line out.
func (d Dir) Append(taskID string, entries []provider.Entry) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	var lines []byte
	for _, e := range entries {
		line, err := json.Marshal(EntryOf(e))
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	f, err := os.OpenFile(d.file(taskID), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	cutOff, err := endsWithinLine(f)
	if cutOff {
		lines = append([]byte{'\n'}, lines...)
	}
	if err == nil {
		_, err = f.Write(lines)
	}
	return errors.Join(err, f.Close())
}

// endsWithinLine reports whether the last line of a file was cut off: what is
// written behind it would be lost with it.
func endsWithinLine(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return last[0] != '\n', err
}

// Read returns the transcript of a task, each entry once, in the order of
// their first coming. A task without a transcript has an empty one.
func (d Dir) Read(taskID string) ([]Entry, error) {
	f, err := os.Open(d.file(taskID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	var entries []Entry
	seen := map[string]bool{}
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		var e Entry
		if json.Unmarshal(line, &e) == nil && !seen[e.ID] {
			seen[e.ID] = true
			entries = append(entries, e)
		}
		if err != nil { // the end; a file that breaks off ends there
			return entries, nil
		}
	}
}

// file names the file of a task; ids may hold any character.
func (d Dir) file(taskID string) string {
	return filepath.Join(string(d), fmt.Sprintf("%s.jsonl", url.PathEscape(taskID)))
}
