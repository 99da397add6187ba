package exec

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// ear takes the lines of one turn.
type ear struct {
	lines  chan heard
	shut   chan struct{} // closed when nobody listens any more
	show   func(agent.Screenshot)
	closed sync.Once
}

func (e *ear) close() { e.closed.Do(func() { close(e.shut) }) }

// lastWords reads on after a program's end until its pipe is empty.
type lastWords struct{ *os.File }

// Read implements [io.Reader].
func (l lastWords) Read(b []byte) (int, error) {
	n, err := l.File.Read(b)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	_ = l.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	return l.File.Read(b)
}

func (p *process) drain(from *os.File, to *tail) {
	buffer := make([]byte, 4096)
	for {
		n, err := lastWords{from}.Read(buffer)
		_, _ = to.Write(buffer[:n])
		if err != nil {
			return
		}
	}
}

// read hears the program until its output ends.
func (p *process) read() {
	r := bufio.NewReaderSize(lastWords{p.stdout}, 64<<10)
	dropping := false
	for {
		line, err := readLine(r, p.agent.MaxLine)
		if errors.Is(err, errLongLine) {
			p.end("The agent wrote a line of more than %d bytes.", p.agent.MaxLine)
			return
		}
		if len(line) > 0 {
			dropped := !p.hear(line)
			if dropped && !dropping {
				p.logger.Warn("agent's output while no task is under way dropped")
			}
			dropping = dropped
		}
		if err != nil {
			return
		}
	}
}

// hear passes a line on to whom it concerns. It tells whether there was anyone.
func (p *process) hear(line []byte) bool {
	h := parse(line)
	p.mu.Lock()
	e, first := p.ear, p.untried
	p.untried = false
	switch h.Type {
	case "ready":
		if first {
			p.refused = h.CannotRestore
		}
		if p.can = h.Can; !p.greeted {
			p.greeted = true
			close(p.ready)
		}
	case "state":
		if h.size() <= p.agent.MaxMessage {
			p.state = h.State
		}
	}
	p.mu.Unlock()
	if e != nil && p.taken.Add(int64(len(line))+1) > int64(p.agent.MaxOutput) {
		p.end("The agent's output in one task was more than %d bytes.", p.agent.MaxOutput)
		return true
	}
	switch h.Type {
	case "screenshot":
		if !p.pictures.give(h) && e != nil {
			p.picture(e, h)
		}
		return true
	case "navigated":
		p.places.give(h)
		return true
	case "failed":
		if of := map[string]*answers{"screenshot": p.pictures, "navigate": p.places, "save": p.states}[h.Request]; of != nil {
			of.give(h)
		}
		return true
	case "state":
		if h.size() <= p.agent.MaxMessage {
			p.states.give(h)
		} else {
			p.states.give(heard{Type: "failed", Text: fmt.Sprintf("the agent's state is more than %d bytes", p.agent.MaxMessage)})
		}
	}
	if e == nil {
		return h.Type == "ready" || h.Type == "state"
	}
	select {
	case e.lines <- h:
		return true
	case <-e.shut:
		return false
	}
}

func (p *process) picture(e *ear, h heard) {
	shot, err := h.screenshot()
	if err != nil {
		p.logger.Warn("agent's picture not shown", "error", err)
		return
	}
	e.show(shot)
}

// listen opens an ear for a turn.
func (p *process) listen(show func(agent.Screenshot)) *ear {
	e := &ear{lines: make(chan heard), shut: make(chan struct{}), show: show}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ear = e
	if p.leaving {
		e.close()
	}
	return e
}

func (p *process) ignore(e *ear) {
	e.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ear == e {
		p.ear = nil
	}
}

// leave drops what the turn under way has not taken: the session ends.
func (p *process) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaving = true
	if p.ear != nil {
		p.ear.close()
	}
}
