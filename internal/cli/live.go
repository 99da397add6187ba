package cli

import (
	"context"
	"errors"
	"os"
	"strings"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"github.com/errand-dev/errand/internal/transcript"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// followLive follows a task with a live view at the terminal, where a person
// can answer, leave and cancel. The view draws on stderr.
func (a *app) followLive(ctx context.Context, l *link, taskID string) (starter.AgentTask, error) {
	followCtx, leave := context.WithCancel(ctx)
	defer leave()
	view := liveView{
		program: tea.NewProgram(
			newLiveModel(liveCalls{
				answer: func(in workflows.AnswerInput) error {
					in.By = a.userName()
					_, err := l.tasks.Answer(followCtx, taskID, in)
					return err
				},
				cancel: func() error { return l.tasks.Cancel(followCtx, taskID) },
			}),
			tea.WithInput(terminal(a.in)), tea.WithOutput(terminal(a.err.base)), tea.WithEnvironment(a.env),
			tea.WithContext(ctx), tea.WithoutSignalHandler()),
		screen: terminal(a.err.base),
		color:  a.env.Get("NO_COLOR") == "",
	}
	release := a.err.through(view)
	defer release()

	var (
		task     starter.AgentTask
		followed error
		n        narrator
		done     = make(chan struct{})
	)
	go func() {
		defer close(done)
		task, followed = l.follow(followCtx, taskID, func(t starter.AgentTask) {
			view.print(n.task(t))
			view.program.Send(taskMsg{t})
		}, func(e transcript.Entry) {
			view.print(n.entry(e))
		})
		view.program.Send(closedMsg{})
	}()
	last, err := view.program.Run()
	leave()
	<-done
	model, ok := last.(liveModel)
	switch {
	case ctx.Err() != nil || (ok && model.detached):
		return task, errDetached
	case err != nil && !errors.Is(err, context.Canceled):
		return task, err
	}
	return task, followed
}

// liveView is the way to a running live view from outside.
type liveView struct {
	program *tea.Program
	screen  *os.File
	color   bool
}

// print prints lines above the view, in their order.
func (v liveView) print(lines []line) {
	if len(lines) == 0 {
		return
	}
	width, _, err := term.GetSize(int(v.screen.Fd()))
	if err != nil {
		width = 80
	}
	rendered := make([]string, len(lines))
	for i, l := range lines {
		rendered[i] = renderLine(l, width, v.color)
	}
	v.printAbove(strings.Join(rendered, "\n"))
}

// Write prints what others write to stderr, logs for example, above the view.
func (v liveView) Write(p []byte) (int, error) {
	v.printAbove(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// printAbove sends the text itself: as a command, two texts could change places.
func (v liveView) printAbove(text string) { v.program.Send(tea.Println(text)()) }
