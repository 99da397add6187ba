package cli

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// switchWriter is stderr. While a live view draws there, what others write
// goes through the view.
type switchWriter struct {
	mu     sync.Mutex
	base   io.Writer
	target io.Writer
}

func newSwitchWriter(base io.Writer) *switchWriter { return &switchWriter{base: base, target: base} }

func (w *switchWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.target.Write(p)
}

// through sends what is written to target, until release.
func (w *switchWriter) through(target io.Writer) (release func()) {
	set := func(to io.Writer) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.target = to
	}
	set(target)
	return func() { set(w.base) }
}

// terminal returns the file behind a stream that is a terminal, nil otherwise.
func terminal(stream any) *os.File {
	if f, ok := stream.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// interactive reports whether a person is there to be asked, at a terminal that
// can draw.
func (a *app) interactive() bool {
	return terminal(a.in) != nil && terminal(a.err.base) != nil && a.env.Get("TERM") != "dumb"
}
