package exec

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// Screenshot implements [agent.Screen].
func (w *worker) Screenshot(ctx context.Context) (agent.Screenshot, error) {
	p, err := w.offering(ctx, "screenshot")
	if err != nil {
		return agent.Screenshot{}, err
	}
	h, err := p.ask(ctx, p.pictures, plainLine{Type: "screenshot"}, screenshotTime)
	if err != nil {
		return agent.Screenshot{}, err
	}
	return h.screenshot()
}

// Navigate implements [agent.Screen].
func (w *worker) Navigate(ctx context.Context, url string) (string, error) {
	p, err := w.offering(ctx, "navigate")
	if err != nil {
		return "", err
	}
	h, err := p.ask(ctx, p.places, plainLine{Type: "navigate", URL: url}, navigateTime)
	if err != nil {
		return "", err
	}
	return h.URL, w.settle(p)
}

// Awake implements [agent.Sleeper].
func (w *worker) Awake() bool {
	_, ok := w.running("screenshot")
	return ok
}

// offering gives the session's program if it offers what is asked of it. It
// starts the program if that does not run, and waits for its ready.
func (w *worker) offering(ctx context.Context, what string) (*process, error) {
	for {
		p, err := w.rouse(w.past)
		if err != nil {
			return nil, err
		}
		err = p.greet(ctx)
		if _, balked := p.balked(); balked {
			if err := p.discard(ctx); err != nil {
				return nil, err
			}
			continue // with another one, which gets no state
		}
		switch {
		case err != nil:
			return nil, err
		case !p.offers(what):
			return nil, agent.ErrNoScreen
		}
		return p, nil
	}
}

// past is what a program is told that starts between turns.
func (w *worker) past() ([]agent.Message, json.RawMessage) {
	history, state := w.session.Past()
	return history, unpack(state).State
}

// settle saves the state that a program gave when it opened a page between
// turns, so that its next process begins there. In a turn that is the turn's.
func (w *worker) settle(p *process) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := p.lastState()
	if w.working || last == nil {
		return nil
	}
	return w.session.Amend(func(saved json.RawMessage) (any, error) {
		m := unpack(saved)
		m.State = last
		return m, nil
	})
}

// greet waits until the program has said what it can do. One that takes too
// long for that is taken for one that can do nothing.
func (p *process) greet(ctx context.Context) error {
	late := time.NewTimer(time.Until(p.born.Add(p.agent.readyTime)))
	defer late.Stop()
	select {
	case <-p.ready:
		return nil
	case <-p.gone:
		return errors.New(p.epitaph())
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-late.C:
	}
	select {
	case <-p.ready:
		return nil
	default:
		return agent.ErrNoScreen
	}
}

// discard ends a program that could not go on from its state. A turn that
// listens to it does that by itself.
func (p *process) discard(ctx context.Context) error {
	p.mu.Lock()
	heard := p.ear != nil
	p.mu.Unlock()
	if !heard {
		p.close()
		return nil
	}
	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
