package faults

import (
	"bytes"
	"cmp"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// answer keeps what a handler writes from the caller.
type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(code int) { a.code = cmp.Or(a.code, code) }

func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// half promises the whole body, sends half of it and tears the connection. Of
// an answer that has no body nothing comes at all.
func (a *answer) half(w http.ResponseWriter) {
	if a.code == http.StatusNoContent {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), a.header)
	body := a.body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(max(1, len(body))))
	w.WriteHeader(cmp.Or(a.code, http.StatusOK))
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// torn passes a stream on until so many events have gone, then tears the
// connection. An event ends with an empty line.
type torn struct {
	http.ResponseWriter
	left    int
	newline bool   // the byte before was the end of a line
	tell    func() // is told before the tear
}

func (t *torn) Write(b []byte) (int, error) {
	if !strings.HasPrefix(t.Header().Get("Content-Type"), "text/event-stream") {
		return t.ResponseWriter.Write(b) // a refusal
	}
	end := 0
	for ; t.left > 0 && end < len(b); end++ {
		newline := b[end] == '\n'
		if newline && t.newline {
			t.left--
		}
		t.newline = newline && !t.newline
	}
	if t.left > 0 {
		return t.ResponseWriter.Write(b)
	}
	t.tell()
	_, _ = t.ResponseWriter.Write(b[:end])
	_ = http.NewResponseController(t.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// Unwrap lets an [http.ResponseController] flush and set deadlines.
func (t *torn) Unwrap() http.ResponseWriter { return t.ResponseWriter }
