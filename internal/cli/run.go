package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// runFlags are those of run beside the description of the task.
type runFlags struct {
	taskFlags
	id     string
	detach bool
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run [PROMPT]",
		Short: "Start an agent task, follow it and print its result",
		Long: "Starts an agent task, follows it live, asks its questions at the terminal and\n" +
			"prints the result. PROMPT - is read from stdin. With the --id of a known task it\n" +
			"starts nothing and follows that one.\n\n" +
			"Without a terminal it prints how to answer a question and waits on. Ctrl-C at a\n" +
			"terminal asks what to do; otherwise a signal leaves the task to itself.\n\n" +
			"Exit status: 0 completed, 1 failed, 2 wrong usage or configuration, 3 cancelled,\n" +
			"4 timed out, 130 interrupted while the task goes on.",
		Example: example(
			`run --url http://shop.localhost/teapot "Report the product's name and price"`,
			`run --url http://shop.localhost/tshirt --answer Medium "Report the price" -o json`,
			`run --agent script "ask Which size?; finish {{answer}}"`),
		Args: between(0, "PROMPT"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.run(c.Context(), f, args, c.Flags().Changed("id"))
		},
	}
	f.register(c)
	c.Flags().StringVar(&f.id, "id", "", "`ID` of the task, new or known (default: a new one)")
	c.Flags().BoolVar(&f.detach, "detach", false, "print the id and leave the task to itself")
	return c
}

func (a *app) run(ctx context.Context, f runFlags, args []string, hasID bool) (err error) {
	c, err := a.load()
	if err != nil {
		return err
	}
	in, err := a.runInput(c, f, args, hasID)
	if err != nil {
		return err
	}
	l, err := a.open(ctx, c, linkOptions{noWorker: f.detach})
	if err != nil {
		return usage(err)
	}
	defer func() {
		if closing := l.Close(); closing != nil && err == nil {
			err = closing
		}
	}()
	started, err := a.start(ctx, l, in, hasID)
	if err != nil {
		return usage(err)
	}
	if f.detach {
		return a.leave(l, started)
	}
	follow := a.followPlain
	if a.interactive() {
		follow = a.followLive
	}
	task, err := follow(ctx, l, started.TaskID)
	switch {
	case errors.Is(err, errDetached):
		a.note("%s", a.whereItGoesOn(l, started.TaskID))
		if ctx.Err() != nil {
			return exitStatus(exitInterrupted)
		}
		return nil
	case err != nil:
		return fmt.Errorf("lost sight of task %s, which goes on: %w: try %s", started.TaskID, err, a.again("run", "--id", started.TaskID))
	}
	return a.report(task)
}

// runInput checks all that can be checked without any server. A known task
// needs neither prompt nor connection.
func (a *app) runInput(c *config.Config, f runFlags, args []string, hasID bool) (workflows.AgentTaskInput, error) {
	id := f.id
	if hasID {
		if err := checkTaskID(id); err != nil {
			return workflows.AgentTaskInput{}, err
		}
	}
	if len(args) == 0 {
		if !hasID {
			return workflows.AgentTaskInput{}, usagef("PROMPT is missing: errand run [PROMPT], with - to read it from stdin")
		}
		return workflows.AgentTaskInput{TaskID: id}, nil
	}
	prompt, err := a.text(args[0])
	if err != nil {
		return workflows.AgentTaskInput{}, err
	}
	if !hasID {
		id = newTaskID()
	}
	return f.input(c, id, prompt)
}

// start starts the task, or finds the one that has its id.
func (a *app) start(ctx context.Context, l *link, in workflows.AgentTaskInput, hasID bool) (starter.Started, error) {
	if in.Prompt == "" {
		task, err := l.tasks.AgentTask(ctx, in.TaskID)
		if errors.Is(err, starter.ErrUnknownTask) {
			return starter.Started{}, fmt.Errorf("there is no task %s: give a PROMPT to start it", in.TaskID)
		}
		if _, ok := errors.AsType[*starter.NoWorkerError](err); err != nil && !ok {
			return starter.Started{}, err
		}
		return starter.Started{TaskID: task.ID, RunID: task.RunID, Known: true}, l.mayFollow(ctx, task)
	}
	if err := l.prepare(ctx, in.Connection); err != nil {
		return starter.Started{}, err
	}
	a.tellServers(l)
	for {
		started, err := l.tasks.StartAgentTask(ctx, in)
		switch {
		case err != nil || !started.Known:
			return started, err
		case hasID:
			a.noteKnown(ctx, l, in)
			return started, nil
		}
		in.TaskID = newTaskID() // the random one was taken
	}
}

// mayFollow refuses to wait for a task that nobody works on.
func (l *link) mayFollow(ctx context.Context, task starter.AgentTask) error {
	if task.Status.Closed() {
		return nil
	}
	return l.checkWorkers(ctx)
}

// prepare sees that a new task of the connection will get somewhere: somebody
// works on tasks, and in an embedded server the session server is up.
func (l *link) prepare(ctx context.Context, connection string) error {
	if err := l.checkWorkers(ctx); err != nil {
		return err
	}
	if !l.embedded() {
		return nil
	}
	_, err := l.connections.Provider(connection)
	return err
}

// noteKnown says that nothing was started, if the user may think otherwise.
func (a *app) noteKnown(ctx context.Context, l *link, in workflows.AgentTaskInput) {
	task, err := l.tasks.AgentTask(ctx, in.TaskID)
	if err == nil && task.Prompt != in.Prompt {
		a.note("task %s is known, with another prompt; nothing was started, following the known one", in.TaskID)
	} else {
		a.note("task %s is known; following it", in.TaskID)
	}
}

// tellServers says which servers run that nobody has configured.
func (a *app) tellServers(l *link) {
	if !l.embedded() {
		return
	}
	missing, them := "no Temporal server", "one"
	if l.connections.sessions().PID != 0 {
		missing, them = "no Temporal server and no agent API key", "both"
	}
	if !l.ownsTemporal() {
		a.note("%s configured; using process %d, which runs %s (data in %s)", missing, l.engine.Temporal().PID, them, l.config.DataDir)
		return
	}
	a.note("%s configured; running %s in this process (data in %s)", missing, them, l.config.DataDir)
}

// leave prints the id of a task that goes on without this command.
func (a *app) leave(l *link, started starter.Started) error {
	if l.embedded() && l.ownsTemporal() {
		a.note("%s", a.whereItGoesOn(l, started.TaskID))
	}
	if a.flags.output == outputText {
		_, err := fmt.Fprintln(a.out, started.TaskID)
		return err
	}
	return a.printJSON(struct {
		ID         string `json:"id"`
		WorkflowID string `json:"workflow_id"`
		RunID      string `json:"run_id"`
	}{started.TaskID, workflows.AgentTaskWorkflowID(started.TaskID), started.RunID})
}

// whereItGoesOn says what becomes of a task that is left.
func (a *app) whereItGoesOn(l *link, taskID string) string {
	again := a.again("run", "--id", taskID)
	if l.embedded() && l.ownsTemporal() {
		return fmt.Sprintf("task %s goes on when errand runs again: %s, or %s", taskID, again, a.again("dev"))
	}
	return fmt.Sprintf("task %s goes on without this command; come back with %s", taskID, again)
}

// report prints a task that has ended, and returns its exit status.
func (a *app) report(task starter.AgentTask) error {
	var err error
	if a.flags.output == outputText {
		err = printResult(a.out, task.Result)
		a.note("%s", ending(task))
	} else {
		err = a.printJSON(task)
	}
	if err != nil {
		return err
	}
	return statusOf(task.Status)
}
