package process

import "sync"

// keep is how much of a process's output is kept, the latest.
const keep = 256 << 10

// output is written by a process while others wait for words in it.
type output struct {
	mu   sync.Mutex
	said []byte
	more chan struct{} // closed when more has been said
}

func newOutput() *output { return &output{more: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = append(o.said, p...)
	if len(o.said) > 2*keep {
		o.said = append([]byte(nil), o.said[len(o.said)-keep:]...)
	}
	close(o.more)
	o.more = make(chan struct{})
	return len(p), nil
}

func (o *output) read() (said string, more <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.said), o.more
}
