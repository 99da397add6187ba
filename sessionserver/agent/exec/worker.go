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
	process *process // nil before the first turn and after Close
	memory  memory
	clock   *clock          // of the task under way
	working bool            // a turn is under way, its message sent and not given up
	asked   chan struct{}   // closed at the next turn; nil unless a question is open
	extra   []agent.Message // extra information heard, oldest first
}

// Close implements [agent.Worker].
func (w *worker) Close() {
	w.mu.Lock()
	p := w.process
	w.process = nil
	w.answered()
	w.mu.Unlock()
	if p != nil {
		p.close()
	}
}

// answered ends the watch over an open question. It is called with the lock.
func (w *worker) answered() {
	if w.asked != nil {
		close(w.asked)
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

// Screenshot implements [agent.Screen].
func (w *worker) Screenshot(ctx context.Context) (agent.Screenshot, error) {
	p, ok := w.running("screenshot")
	if !ok {
		return agent.Screenshot{}, agent.ErrNoScreen
	}
	h, err := p.ask(ctx, p.pictures, plainLine{Type: "screenshot"}, screenshotTime)
	if err != nil {
		return agent.Screenshot{}, err
	}
	return h.screenshot()
}

// Navigate implements [agent.Screen].
func (w *worker) Navigate(ctx context.Context, url string) (string, error) {
	p, ok := w.running("navigate")
	if !ok {
		return "", agent.ErrNoScreen
	}
	h, err := p.ask(ctx, p.places, plainLine{Type: "navigate", URL: url}, navigateTime)
	return h.URL, err
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
func (w *worker) watch(p *process, answered <-chan struct{}) {
	select {
	case <-p.gone:
		w.session.Gone(p.epitaph())
	case <-answered:
	}
}
