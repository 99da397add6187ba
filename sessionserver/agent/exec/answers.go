package exec

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// answers connects a request with its answer, one request at a time.
type answers struct {
	free    chan struct{}
	mu      sync.Mutex
	waiting chan heard // nil if nobody waits
}

func newAnswers() *answers {
	a := &answers{free: make(chan struct{}, 1)}
	a.free <- struct{}{}
	return a
}

// give hands over an answer. It tells whether anyone had asked.
func (a *answers) give(h heard) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		return false
	}
	a.waiting <- h
	a.waiting = nil
	return true
}

func (a *answers) await(waiting chan heard) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = waiting
}

// ask sends a request and returns the answer to it, an error for people if
// there is none.
func (p *process) ask(ctx context.Context, a *answers, line plainLine, most time.Duration) (heard, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("the agent did not answer within %s", most))
	defer cancel()
	select {
	case <-a.free:
		defer func() { a.free <- struct{}{} }()
	case <-ctx.Done():
		return heard{}, context.Cause(ctx)
	}
	answer := make(chan heard, 1)
	a.await(answer)
	defer a.await(nil)
	p.send(line)
	select {
	case h := <-answer:
		if h.Type == "failed" {
			return heard{}, errors.New(h.Text)
		}
		return h, nil
	case <-p.gone:
		return heard{}, errors.New(p.epitaph())
	case <-ctx.Done():
		return heard{}, context.Cause(ctx)
	}
}
