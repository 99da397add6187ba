package batchfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// readCSV hands over a record for each one after the header.
func readCSV(file io.Reader, yield func(Record, error) bool) {
	limited := &recordLimit{r: withoutMark(file)}
	r := csv.NewReader(limited)
	r.ReuseRecord = true
	var header []string
	for {
		limited.left = maxRecord
		values, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			if header == nil {
				yield(Record{}, errors.New("it has no header: the first line names the fields"))
			}
			return
		case header == nil && err == nil:
			header = append([]string{}, values...)
			if err := checkHeader(header); err != nil {
				yield(Record{}, &LineError{1, err}) // what the fields are is not known
				return
			}
			r.FieldsPerRecord = -1 // told in other words
			continue
		}
		record, err := csvRecord(r, header, values, err)
		if !yield(record, err) {
			return
		}
		if _, goOn := errors.AsType[*LineError](err); err != nil && (!goOn || header == nil) {
			return
		}
	}
}

func csvRecord(r *csv.Reader, header, values []string, err error) (Record, error) {
	if errors.Is(err, errTooLong) {
		line := 1 + lines(r)
		return Record{}, fmt.Errorf("the record that begins at line %d or a little later has more than %d bytes: a quote may have no end", line, maxRecord)
	}
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return Record{}, &LineError{parse.StartLine, csvError(parse)}
	}
	if err != nil {
		return Record{}, err
	}
	line, _ := r.FieldPos(0)
	if len(values) != len(header) {
		return Record{}, &LineError{line, fmt.Errorf("it has %d fields, the header has %d", len(values), len(header))}
	}
	fields := make(map[string]any, len(header))
	raw := bytes.NewBufferString("{")
	for i, name := range header {
		if !utf8.ValidString(values[i]) {
			return Record{}, &LineError{line, errors.New("it is not valid UTF-8")}
		}
		fields[name] = values[i]
		if i > 0 {
			raw.WriteByte(',')
		}
		raw.Write(jsonString(name))
		raw.WriteByte(':')
		raw.Write(jsonString(values[i]))
	}
	raw.WriteByte('}')
	return Record{Line: line, Fields: fields, JSON: raw.Bytes()}, nil
}

// lines is in which line the reader is, about.
func lines(r *csv.Reader) int {
	defer func() { _ = recover() }() // before the first record there is no position
	line, _ := r.FieldPos(0)
	return line
}

func csvError(e *csv.ParseError) error {
	switch {
	case errors.Is(e.Err, csv.ErrQuote) && e.Line > e.StartLine:
		return fmt.Errorf("a quoted field has no end, or something behind it in line %d", e.Line)
	case errors.Is(e.Err, csv.ErrQuote):
		return errors.New("a quoted field has no end, or something behind it: a quote within quotes is written twice")
	case errors.Is(e.Err, csv.ErrBareQuote):
		return errors.New("there is a quote in a field that is not quoted: quote the whole field, and write the quote twice")
	}
	return e.Err
}

func checkHeader(names []string) error {
	seen := map[string]bool{}
	for i, name := range names {
		switch {
		case !utf8.ValidString(name):
			return errors.New("the header is not valid UTF-8")
		case strings.TrimSpace(name) == "":
			return fmt.Errorf("column %d of the header has no name", i+1)
		case seen[name]:
			return fmt.Errorf("the header has the field %q twice", name)
		}
		seen[name] = true
	}
	return nil
}

// jsonString is a string in JSON, with all its characters as they are.
func jsonString(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can be
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// withoutMark leaves out the byte order mark that some spreadsheets write.
func withoutMark(file io.Reader) io.Reader {
	r := bufio.NewReader(file)
	if head, err := r.Peek(len(byteOrderMark)); err == nil && bytes.Equal(head, byteOrderMark) {
		_, _ = r.Discard(len(byteOrderMark)) // they were peeked at
	}
	return r
}

// recordLimit ends a record that is too long, as one is whose quote has no end.
type recordLimit struct {
	r    io.Reader
	left int
}

func (l *recordLimit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.r.Read(p)
	l.left -= n
	return n, err
}
