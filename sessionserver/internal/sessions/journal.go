package sessions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// record is one change of a session, one line of its journal. The first line
// has Session, every other an Event, an AgentState, a Note or some of them.
type record struct {
	Session    *Facts          `json:"session,omitempty"`
	Event      *Event          `json:"event,omitempty"`
	AgentState json.RawMessage `json:"agent_state,omitempty"`
	Note       json.RawMessage `json:"note,omitempty"`
}

// journal is the append-only file of one session. It is opened for every
// change, so that ten thousand sessions hold no file handles. Whatever append
// has accepted survives the death of the process; it is not synced to disk.
type journal struct {
	path string
	size int64 // bytes of complete lines
}

// create writes the first record of a new journal.
func (j *journal) create(r record) error {
	return j.write(r, os.O_CREATE|os.O_EXCL)
}

// append adds a record to an existing journal.
func (j *journal) append(r record) error {
	return j.write(r, 0)
}

func (j *journal) write(r record, flags int) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode session record: %w", err)
	}
	line = append(line, '\n')
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND|flags, 0o600)
	if err != nil {
		return fmt.Errorf("open session file: %w", err)
	}
	_, err = f.Write(line)
	if err != nil {
		// Half a line would spoil the next one, on a full disk for instance.
		err = errors.Join(err, f.Truncate(j.size))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write session file: %w", err)
	}
	j.size += int64(len(line))
	return nil
}

// read gives the complete records of the file. A last line that was cut off is
// taken off the file and reported as torn; a broken line before it is an error.
func (j *journal) read() (records []record, torn bool, err error) {
	data, err := os.ReadFile(j.path)
	if err != nil {
		return nil, false, fmt.Errorf("read session file: %w", err)
	}
	for int(j.size) < len(data) {
		line, rest, complete := bytes.Cut(data[j.size:], []byte{'\n'})
		var r record
		err := json.Unmarshal(line, &r)
		if !complete || (err != nil && len(rest) == 0) {
			return records, true, os.Truncate(j.path, j.size)
		}
		if err != nil {
			return nil, false, fmt.Errorf("session file %s is damaged at byte %d: %w", j.path, j.size, err)
		}
		records = append(records, r)
		j.size += int64(len(line)) + 1
	}
	return records, false, nil
}

// marshal is JSON with <, > and & as they are.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// writeFile replaces a small file as a whole: readers and crashes see the old
// content or the new one.
func writeFile(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
