package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/errand-dev/errand/internal/transcript"
	"github.com/errand-dev/errand/starter"
)

// errDetached says that the user has left a task that goes on.
var errDetached = errors.New("detached")

// follow waits until the task has closed and returns it. Meanwhile it hands
// task the task whenever it may have changed, and entry what its session says;
// the two are never called at the same time. What was said before a question
// comes before the question.
func (l *link) follow(ctx context.Context, taskID string, task func(starter.AgentTask), entry func(transcript.Entry)) (starter.AgentTask, error) {
	var mu sync.Mutex
	messages := l.messages(taskID, func(e transcript.Entry) {
		mu.Lock()
		defer mu.Unlock()
		entry(e)
	})
	show := func(t starter.AgentTask) {
		mu.Lock()
		defer mu.Unlock()
		task(t)
	}
	asked := ""
	ended, err := l.tasks.Follow(ctx, taskID, func(t starter.AgentTask) error {
		q := t.Question
		if q != nil && q.ID != asked {
			asked = q.ID
			t.Question = nil
			show(t)
			messages.follow(ctx, t)
			messages.catchUp()
			t.Question = q
		}
		show(t)
		messages.follow(ctx, t)
		return nil
	})
	if err != nil {
		messages.abandon()
		return ended, err
	}
	messages.end()
	return ended, nil
}

// followPlain follows a task with one line for each thing that happens. A
// question is told together with the command that answers it.
func (a *app) followPlain(ctx context.Context, l *link, taskID string) (starter.AgentTask, error) {
	var n narrator
	asked := ""
	task, err := l.follow(ctx, taskID, func(t starter.AgentTask) {
		a.tell(n.task(t))
		if q := t.Question; q != nil && q.ID != asked {
			asked = q.ID
			_, _ = fmt.Fprintf(a.err, "answer with: %s \"…\"\n", a.again("answer", t.ID))
		}
	}, func(e transcript.Entry) {
		a.tell(n.entry(e))
	})
	if ctx.Err() != nil {
		return task, errDetached
	}
	return task, err
}

// tell prints lines as a log file has them.
func (a *app) tell(lines []line) {
	for _, l := range lines {
		_, _ = fmt.Fprintf(a.err, "[%s] %s: %s\n", clock(l.after), l.kind, printable(l.text, "    "))
	}
}
