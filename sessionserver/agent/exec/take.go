package exec

import (
	"context"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// errGone is the answer to those who answer a program that has ended.
var errGone = errors.New("the agent's process ended while its question was open, and it had given no state to go on from")

// sentence makes an error fit for people.
func sentence(err error) string {
	text := err.Error()
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:] + "."
}

// take does what a line asks for. It tells how and whether that ends the turn.
func (t *turn) take(ctx context.Context, h heard) (outcome agent.Outcome, over bool, err error) {
	if h.size() > t.worker.agent.MaxMessage {
		t.process.end("The agent's %s was more than %d bytes.", h.Type, t.worker.agent.MaxMessage)
		t.ear.close()
		<-t.process.gone
		return agent.Failed(t.process.epitaph()), true, nil
	}
	t.leaving = false
	switch h.Type {
	case "ready":
		if _, balked := t.process.balked(); balked {
			return agent.Outcome{}, false, t.forget(ctx)
		}
	case plain:
		err = t.Log(ctx, h.Text)
	case "thought":
		err = t.Say(ctx, agent.Saying{Type: agent.Thought, Content: h.said(h.Content), Hidden: h.Hidden})
	case "log":
		err = t.Say(ctx, agent.Saying{Type: agent.Log, Content: h.said(h.Content), Hidden: h.Hidden})
	case "step":
		err = t.Step(ctx, h.Text)
	case "state":
		err = t.remember(h)
	case "question":
		t.ask()
		return agent.Outcome{Type: agent.Question, Content: h.said(h.Content)}, true, nil
	case "done":
		return agent.Finished(h.said(h.Result)), true, t.close()
	case "error":
		return agent.Failed(h.Text), true, t.close()
	case "cancelled":
		return agent.Failed("The agent gave up the task."), true, t.close()
	}
	if err != nil {
		err = fmt.Errorf("the agent was not heard: %w", err)
	}
	return agent.Outcome{}, false, err
}

// remember saves a state, to go on from in the middle of the task.
func (t *turn) remember(h heard) error {
	w := t.worker
	w.mu.Lock()
	w.memory = memory{State: h.State, Session: t.Session.ID, Task: t.Message.ID}
	m := w.memory
	w.mu.Unlock()
	return t.Save(m)
}

// close makes the memory one of a task that is over.
func (t *turn) close() error {
	w := t.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.memory.Task == 0 {
		return nil
	}
	w.memory = w.memory.past()
	return t.Save(w.memory)
}

// ask keeps an eye on the program while its question is open.
func (t *turn) ask() {
	w := t.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = &question{by: t.process, answered: make(chan struct{})}
	if w.session.Gone != nil && !w.memory.during(t.Session.ID) {
		go w.watch(w.asked)
	}
}
