package exec

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// turn is one turn in the hands of a program.
type turn struct {
	*agent.Turn
	worker  *worker
	process *process
	ear     *ear
	// leaving is set until a program that was there before the turn has said
	// something.
	leaving bool
}

// Run implements [agent.Worker].
func (w *worker) Run(ctx context.Context, at *agent.Turn) agent.Outcome {
	t := &turn{Turn: at, worker: w}
	if err := t.begin(ctx); err != nil {
		return agent.Failed(sentence(err))
	}
	defer t.end()
	for {
		select {
		case h := <-t.ear.lines:
			outcome, over, err := t.take(ctx, h)
			if err != nil {
				t.giveUp()
				return agent.Failed(sentence(err))
			}
			if over {
				return outcome
			}
		case <-t.process.gone:
			again, err := t.revive(ctx)
			if err != nil {
				return agent.Failed(sentence(err))
			}
			if !again {
				return agent.Failed(t.process.epitaph())
			}
		case <-w.clock.timer.C:
			t.process.end("The agent took longer for its task than its limit of %s.", w.agent.TaskTime)
			t.ear.close()
			<-t.process.gone
			return agent.Failed(t.process.epitaph())
		case <-t.ear.shut: // the session is leaving, and its context ends next
			select {
			case <-ctx.Done():
			case <-t.process.gone:
			}
			return agent.Failed("The session is being deleted.")
		case <-ctx.Done():
			t.giveUp()
			return agent.Failed(ctx.Err().Error())
		}
	}
}

// begin brings the program to where it works on the turn's message.
func (t *turn) begin(ctx context.Context) error {
	w := t.worker
	w.mu.Lock()
	open, before := w.asked, w.process
	w.answered()
	w.mu.Unlock()
	if open != nil && !t.Answering {
		// The task of the question was cancelled, and nobody told the program.
		t.process, t.ear = open.by, open.by.listen(t.Show)
		t.giveUp()
		t.process.ignore(t.ear)
	}
	if err := t.recall(ctx); err != nil {
		return err
	}
	switch {
	case !t.Answering:
	case open != nil && !open.by.over():
		t.process = open.by
		return t.speak(ctx)
	case !unpack(t.State).during(t.Session.ID):
		return errGone
	}
	if err := t.launch(ctx); err != nil {
		return err
	}
	t.leaving = t.process == before && !t.Answering
	return t.speak(ctx)
}

// recall takes up the memory of the session, and ends that of a former task.
func (t *turn) recall(ctx context.Context) error {
	w := t.worker
	m := unpack(t.State)
	w.mu.Lock()
	fresh := !t.Answering && (m.Session != t.Session.ID || m.Task != t.Message.ID)
	stale := fresh && m.Task != 0
	if fresh {
		m = m.past()
	}
	if w.forgot != "" {
		m = memory{}
	}
	if w.process != nil {
		if last := w.process.lastState(); last != nil {
			m.State = last
		}
	}
	w.memory = m
	if !t.Answering || w.clock == nil {
		w.clock = newClock(w.agent.TaskTime)
	}
	w.mu.Unlock()
	if !stale {
		return nil
	}
	if err := t.Save(m); err != nil {
		return err
	}
	return t.Wait(ctx, 0) // has it written before the program can do anything
}

// launch gives the turn the session's program, and tells people if that had to
// be started without its state.
func (t *turn) launch(ctx context.Context) error {
	w := t.worker
	p, err := w.rouse(func() ([]agent.Message, json.RawMessage) { return t.History, w.memory.State })
	if err != nil {
		return err
	}
	t.process = p
	w.mu.Lock()
	why, m := w.forgot, w.memory
	w.mu.Unlock()
	if why == "" {
		return nil
	}
	if err := t.Save(m); err != nil {
		return err
	}
	if err := t.Log(ctx, "The agent could not restore its state and goes on from the session's directory alone: "+why); err != nil {
		return err
	}
	w.mu.Lock()
	w.forgot = ""
	w.mu.Unlock()
	return nil
}

// speak gives the program the turn's message, and what came after it.
func (t *turn) speak(ctx context.Context) error {
	w := t.worker
	if !t.Answering {
		t.process.taken.Store(0)
	}
	t.ear = t.process.listen(t.Show)
	if _, balked := t.process.balked(); balked {
		return t.forget(ctx) // it said so before anybody listened
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.working = true
	w.clock.start()
	t.process.send(opening(t.Turn))
	// What came before the turn's message is in the history already.
	w.extra = slices.DeleteFunc(w.extra, func(m agent.Message) bool { return m.ID < t.Message.ID })
	for _, m := range w.extra {
		t.process.send(message(m))
	}
	return nil
}

// end stops listening. What the program says between turns is nobody's.
func (t *turn) end() {
	w := t.worker
	t.process.ignore(t.ear)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.working = false
	w.clock.stop()
}

// revive starts a program again that ended before it said a word: because of
// its state, or because it was just leaving after its former task.
func (t *turn) revive(ctx context.Context) (bool, error) {
	p := t.process
	_, balked := p.balked()
	switch {
	case ctx.Err() != nil || p.failedByServer():
		return false, nil
	case balked:
		return true, t.forget(ctx)
	case t.leaving && p.cmd.ProcessState.Success():
		t.leaving = false
		return true, t.relaunch(ctx)
	}
	return false, nil
}

// relaunch gives the turn to a new process.
func (t *turn) relaunch(ctx context.Context) error {
	w := t.worker
	t.process.ignore(t.ear)
	w.mu.Lock()
	w.working = false
	w.mu.Unlock()
	if err := t.launch(ctx); err != nil {
		return err
	}
	return t.speak(ctx)
}

// forget starts a program anew that could not go on from its state.
func (t *turn) forget(ctx context.Context) error {
	t.process.ignore(t.ear)
	t.process.close()
	return t.relaunch(ctx)
}

// giveUp tells the program that its task is cancelled. A program that does not
// say so within the grace is ended.
func (t *turn) giveUp() {
	w, p, grace := t.worker, t.process, time.NewTimer(t.worker.agent.Grace)
	defer grace.Stop()
	w.mu.Lock()
	w.working = false
	w.mu.Unlock()
	p.release()
	p.send(plainLine{Type: "cancel"})
	for {
		select {
		case h := <-t.ear.lines:
			switch h.Type {
			case "cancelled", "done", "error":
				return
			}
		case <-t.ear.shut:
			return
		case <-p.gone:
			return
		case <-grace.C:
			t.ear.close()
			p.kill()
			<-p.gone
			return
		}
	}
}
