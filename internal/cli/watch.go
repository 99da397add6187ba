package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/internal/transcript"
	"github.com/errand-dev/errand/starter"
)

func (a *app) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch TASK",
		Short: "Print a task's messages as they come",
		Long: "Prints what the session of a task says, as it comes, until the task ends; of a\n" +
			"task that has ended, what its session said.",
		Example: example(`watch t-7f3k2m`, `watch t-7f3k2m -o jsonl`),
		Args:    exactly("TASK"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withLink(c.Context(), func(l *link) error {
				return a.watch(c.Context(), l, args[0])
			})
		},
	}
}

func (a *app) watch(ctx context.Context, l *link, taskID string) error {
	task, err := l.tasks.AgentTask(ctx, taskID)
	if _, ok := errors.AsType[*starter.NoWorkerError](err); err != nil && !ok {
		return explainTask(taskID, err)
	}
	if err := l.mayFollow(ctx, task); err != nil {
		return err
	}
	entries := []transcript.Entry{} // for json alone, which is one value
	var printing error
	task, err = l.follow(ctx, taskID, func(starter.AgentTask) {}, func(e transcript.Entry) {
		switch {
		case a.flags.output == outputJSON:
			entries = append(entries, e)
		case printing != nil: // once is enough
		case a.flags.output == outputJSONL:
			printing = a.printJSON(e)
		default:
			_, printing = fmt.Fprintf(a.out, "%s %s: %s\n", e.At.Local().Format("15:04:05"), e.Type, printable(e.Text, "    "))
		}
	})
	switch {
	case ctx.Err() != nil:
		return exitStatus(exitInterrupted)
	case err != nil:
		return explainTask(taskID, err)
	case printing != nil:
		return printing
	case a.flags.output == outputJSON:
		return a.printJSON(entries)
	}
	a.note("%s", ending(task))
	return nil
}
