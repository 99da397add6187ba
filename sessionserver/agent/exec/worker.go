package exec

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// How long a program may take to answer beside its turns.
const (
	saveTime       = 10 * time.Second
	screenshotTime = 10 * time.Second
	navigateTime   = 30 * time.Second
)

// worker is a session's program.
type worker struct {
	agent   *Agent
	session agent.Session

	mu      sync.Mutex
	process *process // nil before it is needed and after Close
	closed  bool
	memory  memory
	forgot  string          // why the program runs without its state, until people are told
	clock   *clock          // of the task under way
	working bool            // a turn is under way, its message sent and not given up
	asked   *question       // nil unless one is open
	extra   []agent.Message // extra information heard, oldest first
}

// question is one that the program has asked.
type question struct {
	by       *process
	answered chan struct{} // closed at the next turn
}

// errClosed is what those get who come after the session's end.
var errClosed = errors.New("the session is being deleted")

// rouse gives the session's program, a new process if none runs. Past tells
// what that has to know; it is called with the lock.
func (w *worker) rouse(past func() (history []agent.Message, state json.RawMessage)) (*process, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.process
	switch {
	case w.closed:
		return nil, errClosed
	case last != nil && !last.over():
		return last, nil
	}
	history, state := past()
	if last != nil {
		if why, balked := last.balked(); balked {
			w.memory, w.forgot = memory{}, why
			w.process, last = nil, nil
		}
	}
	if w.forgot != "" {
		state = nil
	}
	if last != nil && last.lastState() != nil {
		state = last.lastState()
	}
	p, err := w.agent.launch(w.session, start(w.agent.Name, w.session, history, state))
	if err != nil {
		return nil, err
	}
	w.process, w.working = p, false
	return p, nil
}

// Close implements [agent.Worker].
func (w *worker) Close() {
	w.mu.Lock()
	p := w.process
	w.process, w.closed, w.working = nil, true, false
	w.answered()
	w.mu.Unlock()
	if p != nil {
		p.close()
	}
}

// answered ends the watch over an open question. It is called with the lock.
func (w *worker) answered() {
	if w.asked != nil {
		close(w.asked.answered)
		w.asked = nil
	}
}

// Pause implements [agent.Pauser]. Between tasks there is nothing to hold.
func (w *worker) Pause() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.process != nil && (w.working || w.asked != nil) {
		w.clock.stop()
		w.process.hold()
	}
	return nil
}

// Resume implements [agent.Pauser].
func (w *worker) Resume() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.process != nil {
		w.process.release()
		if w.working {
			w.clock.start()
		}
	}
	return nil
}

// Hear implements [agent.Listener].
func (w *worker) Hear(m agent.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.extra = append(w.extra, m)
	if w.working {
		w.process.send(message(m))
	}
}

// running gives the process if it offers what is asked of it.
func (w *worker) running(offer string) (*process, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.process == nil || w.process.over() {
		return nil, false
	}
	return w.process, w.process.offers(offer)
}

// Keep implements [agent.Keeper]. The task under way, if there is one, hears no
// more of its agent. A program that does not offer to save has the state that
// it gave last.
func (w *worker) Keep(ctx context.Context) (json.RawMessage, error) {
	if p, ok := w.running("save"); ok {
		p.leave()
		p.release()
		if _, err := p.ask(ctx, p.states, plainLine{Type: "save"}, saveTime); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	state := w.memory.State
	if w.process != nil {
		if last := w.process.lastState(); last != nil {
			state = last
		}
	}
	if state == nil {
		return nil, errors.New("the agent has given no state")
	}
	return json.Marshal(memory{State: state})
}

// watch tells the session when the program ends while its question is open.
func (w *worker) watch(q *question) {
	select {
	case <-q.by.gone:
		w.session.Gone(q.by.epitaph())
	case <-q.answered:
	}
}
