// Package powercut does to a SQLite database what a loss of power may do: of
// the write-ahead log, what was not flushed to disk is gone or rubbish.
package powercut

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
)

// Positions in SQLite's files (https://www.sqlite.org/walformat.html).
const (
	logHeader   = 32 // bytes, before the first frame
	frameHeader = 24 // bytes, before the page of a frame

	logPageSize    = 8   // in the log, big-endian
	indexFrames    = 16  // in the index, in the machine's order: the last frame that counts,
	indexAttempted = 128 // and the last that may have been copied into the database
	indexHeader    = 136
)

// Cut tears the log of a database that nobody has open, at random. With
// synchronous=NORMAL a checkpoint flushes the log before it copies it, and
// nothing else does. It returns how many bytes of the log are lost.
func Cut(database string, random *rand.Rand) (lost int64, err error) {
	log, index := database+"-wal", database+"-shm"
	flushed, written, err := extent(log, index)
	if err != nil || flushed == written {
		return 0, err
	}
	kept := flushed + random.Int64N(written-flushed+1)
	if err := tear(log, kept, written, random); err != nil {
		return 0, err
	}
	return written - kept, forget(index, random)
}

// extent says up to where a log is certainly on disk, and up to where it was
// written: both 0 without a log.
func extent(log, index string) (flushed, written int64, err error) {
	content, err := os.ReadFile(log)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(content) < logHeader {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	state, err := os.ReadFile(index)
	if err != nil {
		return 0, 0, err
	}
	if len(state) < indexHeader {
		return 0, 0, fmt.Errorf("%s has %d bytes and no header", index, len(state))
	}
	frame := frameHeader + int64(binary.BigEndian.Uint32(content[logPageSize:]))
	end := func(field int) int64 {
		return logHeader + frame*int64(binary.NativeEndian.Uint32(state[field:]))
	}
	flushed = end(indexAttempted)
	return flushed, max(flushed, min(end(indexFrames), int64(len(content)))), nil
}

// tear ends a log at a length. Behind it there is at times what a file system
// leaves that knew the file's length before its content.
func tear(log string, kept, written int64, random *rand.Rand) error {
	if err := os.Truncate(log, kept); err != nil {
		return err
	}
	switch random.IntN(3) {
	case 0:
		return nil
	case 1:
		return os.Truncate(log, written) // zeros
	}
	f, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(rubbish(random, written-kept))
	return errors.Join(err, f.Close())
}

// forget leaves of the index of a log anything at all: nobody flushes it, and
// whoever opens the database first makes it anew.
func forget(index string, random *rand.Rand) error {
	switch random.IntN(3) {
	case 0:
		return nil
	case 1:
		return os.Remove(index)
	}
	return os.WriteFile(index, rubbish(random, indexHeader), 0o600)
}

func rubbish(random *rand.Rand, n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}
