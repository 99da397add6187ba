package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

func (a *app) batchListCommand() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:     "list",
		Short:   "List batches, the latest first",
		Example: example(`batch list`),
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 0 {
				return usagef("--limit is negative: 0 lists all")
			}
			return a.withLink(c.Context(), func(l *link) error {
				batches, err := l.tasks.Batches(c.Context(), limit)
				if err != nil {
					return err
				}
				return printList(a, batches, func(w io.Writer) error { return a.batchTable(w, batches) })
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", 20, "at most that many, 0 for all")
	return c
}

func (a *app) batchTable(w io.Writer, batches []starter.Batch) error {
	if len(batches) == 0 {
		a.note("no batches")
		return nil
	}
	rows := make([][]string, len(batches))
	for i, b := range batches {
		rows[i] = []string{
			b.ID, string(b.Status), age(b.StartedAt), strconv.Itoa(b.Total), strconv.Itoa(b.Completed), strconv.Itoa(b.Failed),
			strconv.Itoa(b.Cancelled), strconv.Itoa(b.Running), strconv.Itoa(b.Waiting), strconv.Itoa(b.Pending),
		}
	}
	return table(w, []string{"ID", "STATUS", "AGE", "ITEMS", "COMPLETED", "FAILED", "CANCELLED", "RUNNING", "WAITING", "PENDING"}, rows)
}

func (a *app) batchWatchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch BATCH",
		Short: "Follow a batch to its end",
		Long: "Follows a batch to its end and reports on it, as batch run does, with the same exit\n" +
			"status.",
		Example: example(`batch watch b-7f3k2mzx`),
		Args:    exactly("BATCH"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withLink(c.Context(), func(l *link) error {
				batch, err := l.tasks.Batch(c.Context(), args[0])
				if _, none := errors.AsType[*starter.NoWorkerError](err); err != nil && !none {
					return explainBatch(args[0], err)
				}
				if !batch.Status.Closed() {
					if err := l.prepare(c.Context(), batch.Input.Task.Connection); err != nil {
						return err
					}
				}
				return a.attendBatch(c.Context(), l, args[0])
			})
		},
	}
}

func (a *app) batchPauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "pause BATCH",
		Short:   "Start no more items of a batch; those that are open go on",
		Example: example(`batch pause b-7f3k2mzx`),
		Args:    exactly("BATCH"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.controlBatch(c.Context(), args[0], func(l *link) error {
				_, err := l.tasks.PauseBatch(c.Context(), args[0])
				return err
			})
		},
	}
}

func (a *app) batchResumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "resume BATCH",
		Short:   "Go on starting items of a paused batch",
		Example: example(`batch resume b-7f3k2mzx`),
		Args:    exactly("BATCH"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.controlBatch(c.Context(), args[0], func(l *link) error {
				_, err := l.tasks.ResumeBatch(c.Context(), args[0])
				return err
			})
		},
	}
}

func (a *app) batchSetCommand() *cobra.Command {
	var concurrency int
	c := &cobra.Command{
		Use:   "set BATCH --concurrency N",
		Short: "Change how many items of a batch are open at once",
		Long: "Changes how many items of a batch are open at once, while it runs. With fewer than\n" +
			"before, those that are open go on, and none starts until there is room.",
		Example: example(`batch set b-7f3k2mzx --concurrency 50`),
		Args:    exactly("BATCH"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := workflows.CheckConcurrency(concurrency); err != nil {
				return usagef("--concurrency: %w", err)
			}
			return a.controlBatch(c.Context(), args[0], func(l *link) error {
				return l.tasks.SetBatchConcurrency(c.Context(), args[0], concurrency)
			})
		},
	}
	c.Flags().IntVar(&concurrency, "concurrency", 0, "`NUMBER` of tasks open at once")
	return c
}

func (a *app) batchCancelCommand() *cobra.Command {
	var noWait bool
	c := &cobra.Command{
		Use:   "cancel BATCH",
		Short: "Cancel the open tasks of a batch, start no more, and end it",
		Long: "Cancels the open tasks of a batch, whose sessions are deleted, starts no more and\n" +
			"ends the batch. Waits until it has ended.",
		Example: example(`batch cancel b-7f3k2mzx`),
		Args:    exactly("BATCH"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.controlBatch(c.Context(), args[0], func(l *link) error { return l.cancelBatch(c.Context(), args[0], noWait) })
		},
	}
	c.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until the batch has ended")
	return c
}

// cancelBatch cancels a batch and, unless noWait, waits for its end.
func (l *link) cancelBatch(ctx context.Context, id string, noWait bool) error {
	batch, err := l.tasks.Batch(ctx, id)
	if _, none := errors.AsType[*starter.NoWorkerError](err); err != nil && !none {
		return err
	}
	if batch.Status.Closed() {
		return nil
	}
	if err := l.tasks.CancelBatch(ctx, id); err != nil || noWait {
		return err
	}
	if err := l.prepare(ctx, batch.Input.Task.Connection); err != nil {
		return fmt.Errorf("it is to be cancelled, but %w", err)
	}
	_, err = l.tasks.FollowBatch(ctx, id, batchLook, func(starter.Batch) error { return nil })
	return err
}

// controlBatch does something with a batch, and prints what it is then.
func (a *app) controlBatch(ctx context.Context, id string, do func(*link) error) error {
	return a.withLink(ctx, func(l *link) error {
		if err := do(l); err != nil {
			return explainBatch(id, err)
		}
		batch, err := l.tasks.Batch(ctx, id)
		if _, none := errors.AsType[*starter.NoWorkerError](err); err != nil && !none {
			return explainBatch(id, err)
		}
		if a.flags.output != outputText {
			return a.printJSON(batch)
		}
		_, err = fmt.Fprintf(a.out, "%s %s\n", id, batchLine(batch, ""))
		return err
	})
}

func (a *app) batchRetryCommand() *cobra.Command {
	var (
		failed, cancelled, detach bool
		concurrency               int
	)
	c := &cobra.Command{
		Use:   "retry BATCH",
		Short: "Run again those items of a batch that did not complete",
		Long: "Runs again, each in a new task, those items of a batch that has ended which failed\n" +
			"or were cancelled, and follows it as batch run does. All other items keep their\n" +
			"results.",
		Example: example(`batch retry b-7f3k2mzx --failed`),
		Args:    exactly("BATCH"),
		RunE: func(c *cobra.Command, args []string) error {
			var again []workflows.ItemState
			if failed {
				again = append(again, workflows.ItemFailed)
			}
			if cancelled {
				again = append(again, workflows.ItemCancelled)
			}
			if len(again) == 0 {
				return usagef("say what to run again: --failed, --cancelled or both")
			}
			if c.Flags().Changed("concurrency") {
				if err := workflows.CheckConcurrency(concurrency); err != nil {
					return usagef("--concurrency: %w", err)
				}
			}
			return a.withLink(c.Context(), func(l *link) error {
				return a.retryBatch(c.Context(), l, args[0], concurrency, detach, again)
			})
		},
	}
	set := c.Flags()
	set.SortFlags = false
	set.BoolVar(&failed, "failed", false, "those that failed or timed out")
	set.BoolVar(&cancelled, "cancelled", false, "those that were cancelled or never started")
	set.IntVar(&concurrency, "concurrency", 0, "`NUMBER` of tasks open at once (default: as before)")
	set.BoolVar(&detach, "detach", false, "print the id and leave the batch to itself")
	return c
}

func (a *app) retryBatch(ctx context.Context, l *link, id string, concurrency int, detach bool, again []workflows.ItemState) error {
	batch, err := l.tasks.Batch(ctx, id)
	if _, none := errors.AsType[*starter.NoWorkerError](err); err != nil && !none {
		return explainBatch(id, err)
	}
	if err := l.prepare(ctx, batch.Input.Task.Connection); err != nil {
		return err
	}
	items, err := l.tasks.RetryBatch(ctx, id, concurrency, again...)
	if err != nil {
		return explainBatch(id, err)
	}
	a.note("batch %s: %s to run again", id, plural(items, "item"))
	if detach {
		return a.leaveBatch(l, id)
	}
	return a.attendBatch(ctx, l, id)
}
