package rest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Event is one server-sent event. Type is empty when the server names none.
type Event struct {
	// ID is the event's own id, empty when it brings none: unlike a browser's
	// lastEventId it is never that of an earlier event.
	ID   string
	Type string
	Data []byte
}

// readEvents parses an event stream. Lines may end in LF, CRLF or CR, and an
// event is yielded as soon as its blank line begins. An event without type and
// data, such as a lone id, is not yielded; a last event that lacks only its
// blank line is. Whatever an event is made of, comments too, counts towards
// its size.
func readEvents(r io.Reader, maxSize int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		lines := lineReader{from: bufio.NewReaderSize(r, readBuffer)}
		var next frame
		for {
			line, err := lines.next(maxSize - next.size)
			switch {
			case err == io.EOF: //nolint:errorlint // a wrapped one is a failure of the reader
				if event, ok := next.event(); ok {
					yield(event, nil)
				}
				return
			case errors.Is(err, bufio.ErrTooLong):
				yield(Event{}, fmt.Errorf("%w: over %d bytes", ErrEventTooLarge, maxSize))
				return
			case err != nil:
				yield(Event{}, err)
				return
			case len(line) > 0:
				next.add(line)
				continue
			}
			event, ok := next.event()
			next = frame{}
			if ok && !yield(event, nil) {
				return
			}
		}
	}
}

// frame is an event in the making.
type frame struct {
	id   string
	name string
	data []byte // its lines, each with a line feed
	size int
}

func (f *frame) add(line []byte) {
	f.size += len(line) + 1
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "id":
		if bytes.IndexByte(value, 0) < 0 { // the standard has such an id ignored
			f.id = string(value)
		}
	case "event":
		f.name = string(value)
	case "data":
		f.data = append(append(f.data, value...), '\n')
	}
}

// event reports whether there is an event at all.
func (f *frame) event() (Event, bool) {
	data := bytes.TrimSuffix(f.data, []byte("\n"))
	if data == nil {
		data = []byte{}
	}
	return Event{ID: f.id, Type: f.name, Data: data}, f.name != "" || len(data) > 0
}

const (
	// readBuffer is small, as every open stream has one.
	readBuffer = 2 << 10
	// maxKeptLine is the largest buffer that outlives its line.
	maxKeptLine = 64 << 10
)

// lineReader gives a line as soon as its end begins, without a wait for the
// byte that may follow a CR. Each byte is looked at once, however the lines
// are split.
type lineReader struct {
	from   *bufio.Reader
	line   []byte
	begun  bool // past the place of a byte order mark
	skipLF bool // the last line ended in CR
}

// next returns a line without its end, valid until the next call. The error is
// io.EOF only at the end of a line; within one it is io.ErrUnexpectedEOF, and
// bufio.ErrTooLong for a line over maxLen bytes.
func (l *lineReader) next(maxLen int) ([]byte, error) {
	if cap(l.line) > maxKeptLine {
		l.line = nil
	}
	l.line = l.line[:0]
	for {
		if _, err := l.from.Peek(1); err != nil {
			if err == io.EOF && len(l.line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		chunk, _ := l.from.Peek(l.from.Buffered())
		if l.skipLF {
			l.skipLF = false
			if chunk[0] == '\n' {
				_, _ = l.from.Discard(1)
				continue
			}
		}
		end := bytes.IndexAny(chunk, "\r\n")
		if end < 0 {
			l.line = append(l.line, chunk...)
			_, _ = l.from.Discard(len(chunk))
		} else {
			l.line = append(l.line, chunk[:end]...)
			l.skipLF = chunk[end] == '\r'
			_, _ = l.from.Discard(end + 1)
		}
		if len(l.line) > maxLen {
			return nil, bufio.ErrTooLong
		}
		if end >= 0 {
			return l.whole(), nil
		}
	}
}

// whole takes a byte order mark off the first line.
func (l *lineReader) whole() []byte {
	if l.begun {
		return l.line
	}
	l.begun = true
	return bytes.TrimPrefix(l.line, []byte("\uFEFF"))
}
