package batchfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// readJSONL hands over a record for each line that is not blank.
func readJSONL(file io.Reader, yield func(Record, error) bool) {
	r := bufio.NewReaderSize(file, 64<<10)
	for number := 1; ; number++ {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return
		}
		if number == 1 {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		var record Record
		switch {
		case errors.Is(err, errTooLong):
			err = &LineError{number, err}
		case err != nil:
		case len(bytes.TrimSpace(line)) == 0:
			continue
		default:
			if record, err = parseObject(line); err != nil {
				err = &LineError{number, err}
			}
			record.Line = number
		}
		if !yield(record, err) {
			return
		}
		if _, goOn := errors.AsType[*LineError](err); err != nil && !goOn {
			return
		}
	}
}

var errTooLong = fmt.Errorf("it has more than %d bytes", maxRecord)

// readLine reads one line without its end. One that is too long is read over.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxRecord {
			tooLong, line = true, nil
		}
		if !tooLong {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case tooLong:
			return nil, errTooLong
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		default:
			return line, err
		}
	}
}

// parseObject reads one JSON object and nothing else.
func parseObject(line []byte) (Record, error) {
	if !utf8.Valid(line) {
		return Record{}, errors.New("it is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		if err == nil {
			err = errors.New("it is JSON, but no object: write {\"field\": …}")
		}
		return Record{}, jsonError(err)
	}
	fields := map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return Record{}, jsonError(err)
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return Record{}, jsonError(err)
		}
		if _, twice := fields[name.(string)]; twice { // a key of an object is a string
			return Record{}, fmt.Errorf("the field %q is there twice", name)
		}
		fields[name.(string)] = value
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return Record{}, jsonError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Record{}, errors.New("there is something behind the object: write one object a line")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, line); err != nil {
		return Record{}, jsonError(err)
	}
	return Record{Fields: fields, JSON: compact.Bytes()}, nil
}

func jsonError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON breaks off")
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("it is no JSON: %w", syntax)
	}
	return err
}
