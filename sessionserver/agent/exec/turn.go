package exec

import (
	"context"
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
	// restoring is set until a program that got a state has said something,
	// leaving until one that is left from a former task has.
	restoring, leaving bool
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
	open := w.asked != nil
	w.answered()
	p := w.process
	w.mu.Unlock()
	if p != nil && open && !t.Answering {
		// The task of the question was cancelled, and nobody told the program.
		t.process, t.ear = p, p.listen(t.Show)
		t.giveUp()
		p.ignore(t.ear)
	}
	if err := t.recall(ctx); err != nil {
		return err
	}
	if p != nil && !p.over() {
		t.process, t.leaving = p, !t.Answering
	} else {
		if t.Answering && !w.memory.during(t.Session.ID) {
			return errGone
		}
		if err := t.launch(); err != nil {
			return err
		}
	}
	t.speak()
	return nil
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

// launch starts a program with what the session knows.
func (t *turn) launch() error {
	w := t.worker
	p, err := w.agent.launch(t.Session)
	if err != nil {
		return err
	}
	p.send(start(w.agent.Name, t.Turn, w.memory.State))
	t.process, t.restoring = p, w.memory.State != nil
	return nil
}

// speak gives the program the turn's message, and what came after it.
func (t *turn) speak() {
	w := t.worker
	if !t.Answering {
		t.process.taken.Store(0)
	}
	t.ear = t.process.listen(t.Show)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.process, w.working = t.process, true
	w.clock.start()
	t.process.send(opening(t.Turn))
	// What came before the turn's message is in the history already.
	w.extra = slices.DeleteFunc(w.extra, func(m agent.Message) bool { return m.ID < t.Message.ID })
	for _, m := range w.extra {
		t.process.send(message(m))
	}
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
	switch {
	case ctx.Err() != nil || p.failedByServer():
		return false, nil
	case t.restoring:
		return true, t.forget(ctx, p.epitaph())
	case t.leaving && p.cmd.ProcessState.Success():
		t.leaving = false
		p.ignore(t.ear)
		return true, t.relaunch()
	}
	return false, nil
}

// relaunch gives the turn to a new process.
func (t *turn) relaunch() error {
	w := t.worker
	w.mu.Lock()
	w.working = false
	w.mu.Unlock()
	if err := t.launch(); err != nil {
		return err
	}
	t.speak()
	return nil
}

// forget starts a program anew that could not go on from its state.
func (t *turn) forget(ctx context.Context, reason string) error {
	w := t.worker
	t.process.ignore(t.ear)
	t.process.close()
	w.mu.Lock()
	w.memory = memory{}
	w.mu.Unlock()
	if err := t.Save(memory{}); err != nil {
		return err
	}
	if err := t.Log(ctx, "The agent could not restore its state and goes on from the session's directory alone: "+reason); err != nil {
		return err
	}
	return t.relaunch()
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
