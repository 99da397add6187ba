package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

func (a *app) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause TASK…",
		Short: "Stop the agents of tasks where they are",
		Long: "Stops the agents of tasks where they are. An agent whose vendor has no pause\n" +
			"finishes its turn first.",
		Example: example(`pause t-7f3k2m t-9qd2xa`),
		Args:    atLeastOneTask,
		RunE: func(c *cobra.Command, tasks []string) error {
			return a.control(c.Context(), tasks, func(l *link, id string) (workflows.Status, error) {
				status, err := l.tasks.Pause(c.Context(), id)
				if err == nil {
					a.noteWhatGoesOn(c.Context(), l, id)
				}
				return status, err
			})
		},
	}
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "resume TASK…",
		Short:   "Let the agents of paused tasks go on",
		Example: example(`resume t-7f3k2m t-9qd2xa`),
		Args:    atLeastOneTask,
		RunE: func(c *cobra.Command, tasks []string) error {
			return a.control(c.Context(), tasks, func(l *link, id string) (workflows.Status, error) {
				return l.tasks.Resume(c.Context(), id)
			})
		},
	}
}

func (a *app) cancelCommand() *cobra.Command {
	var noWait bool
	c := &cobra.Command{
		Use:   "cancel TASK…",
		Short: "Stop agents, delete their sessions and end tasks",
		Long: "Stops the agents of tasks, deletes their sessions and ends the tasks. Waits until\n" +
			"they have ended. What the vendor has no call for does not happen, and errand says\n" +
			"so: the agent may go on, or the session remain, at the vendor.",
		Example: example(`cancel t-7f3k2m`, `cancel --no-wait t-7f3k2m t-9qd2xa`),
		Args:    atLeastOneTask,
		RunE: func(c *cobra.Command, tasks []string) error {
			return a.control(c.Context(), tasks, func(l *link, id string) (workflows.Status, error) {
				status, err := l.cancel(c.Context(), id, noWait)
				if err == nil && status.Closed() {
					a.noteWhatGoesOn(c.Context(), l, id)
				}
				return status, err
			})
		},
	}
	c.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until the tasks have ended")
	return c
}

func atLeastOneTask(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("TASK is missing: %s", c.UseLine())
	}
	return nil
}

// cancel cancels one task and, unless noWait, waits for its end.
func (l *link) cancel(ctx context.Context, id string, noWait bool) (workflows.Status, error) {
	task, err := l.tasks.AgentTask(ctx, id)
	if _, ok := errors.AsType[*starter.NoWorkerError](err); err != nil && !ok {
		return "", err
	}
	if task.Status.Closed() {
		return task.Status, nil
	}
	if err := l.tasks.Cancel(ctx, id); err != nil {
		return "", err
	}
	if noWait {
		return statusCancelling, nil
	}
	if err := l.checkWorkers(ctx); err != nil {
		return "", fmt.Errorf("it is to be cancelled, but %w", err)
	}
	task, err = l.tasks.Wait(ctx, id)
	return task.Status, err
}

// noteWhatGoesOn says what the vendor of a task that was stopped has no call
// for.
func (a *app) noteWhatGoesOn(ctx context.Context, l *link, id string) {
	task, err := l.tasks.AgentTask(ctx, id)
	if err != nil { // the status says enough
		return
	}
	vendor, err := provider.VendorNamed(task.Provider)
	if err != nil {
		return
	}
	switch can, s := vendor.Capabilities, task.Session; {
	case !task.Status.Closed() && task.Question == nil && !can.Pause:
		a.note("%s: %s cannot pause an agent: it goes on to the end of its turn, and the task stops there", id, vendor.Title)
	case s == nil || !s.Remains:
	case !can.Cancel:
		a.note("%s: %s cannot stop an agent or delete a session: session %s remains there", id, vendor.Title, s.ID)
	default:
		a.note("%s: session %s %s", id, s.ID, remains(task))
	}
}

// statusCancelling is that of a task that was told to end and may not have.
const statusCancelling workflows.Status = "cancelling"

// outcome is what came of a command for one task.
type outcome struct {
	ID     string           `json:"id"`
	Status workflows.Status `json:"status"`
	Error  string           `json:"error,omitempty"`
}

// control does something with each task in turn and reports on each. It fails
// if it failed with any.
func (a *app) control(ctx context.Context, tasks []string, do func(*link, string) (workflows.Status, error)) error {
	return a.withLink(ctx, func(l *link) error {
		var outcomes []outcome
		failed := false
		for _, id := range tasks {
			o := outcome{ID: id}
			var err error
			if o.Status, err = do(l, id); err != nil {
				failed = true
				err = explainTask(id, err)
				o.Error = oneLine(err.Error())
				a.note("%s", o.Error)
			} else if a.flags.output == outputText {
				if _, err := fmt.Fprintf(a.out, "%s %s\n", id, o.Status); err != nil {
					return err
				}
			}
			outcomes = append(outcomes, o)
		}
		if a.flags.output != outputText {
			if err := printList(a, outcomes, nil); err != nil {
				return err
			}
		}
		if failed {
			return exitStatus(exitFailed)
		}
		return nil
	})
}
