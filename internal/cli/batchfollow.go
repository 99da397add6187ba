package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/starter"
)

// attendBatch follows a batch to its end and reports on it.
func (a *app) attendBatch(ctx context.Context, l *link, id string) error {
	follow := a.followBatchPlain
	if terminal(a.err.base) != nil && a.env.Get("TERM") != "dumb" {
		follow = a.followBatchLive
	}
	batch, err := follow(ctx, l, id)
	switch {
	case ctx.Err() != nil:
		a.note("%s", a.whereBatchGoesOn(l, id))
		return exitStatus(exitInterrupted)
	case err != nil:
		return explainBatch(id, err)
	}
	if err := a.printBatch(batch); err != nil {
		return err
	}
	if batch.Failed > 0 || batch.Cancelled > 0 {
		a.note("%s", batchAdvice(a, batch))
	}
	return statusOfBatch(batch)
}

// batchAdvice says what to do about items that did not complete.
func batchAdvice(a *app, b starter.Batch) string {
	again := []string{"batch", "retry", b.ID}
	if b.Failed > 0 {
		again = append(again, "--failed")
	}
	if b.Cancelled > 0 {
		again = append(again, "--cancelled")
	}
	return fmt.Sprintf("see %s, and run those again with %s", a.again("batch", "results", b.ID), a.again(again...))
}

// batchLook is the time between two looks at a batch that is followed.
const batchLook = time.Second

func (a *app) batchShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show BATCH",
		Short:   "Show how far a batch is",
		Example: example(`batch show b-7f3k2mzx`),
		Args:    exactly("BATCH"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withLink(c.Context(), func(l *link) error {
				batch, err := l.tasks.Batch(c.Context(), args[0])
				if noWorker, ok := errors.AsType[*starter.NoWorkerError](err); ok {
					a.note("what the batch is doing now is not known: %s", noWorker)
				} else if err != nil {
					return explainBatch(args[0], err)
				}
				return a.printBatch(batch)
			})
		},
	}
}

func (a *app) printBatch(b starter.Batch) error {
	if a.flags.output != outputText {
		return a.printJSON(b)
	}
	return showBatch(a.out, b)
}

// showBatch prints a batch for people.
func showBatch(w io.Writer, b starter.Batch) error {
	rows := [][]string{{"status:", string(b.Status)}, {"items:", strconv.Itoa(b.Total)}}
	for _, count := range []struct {
		name string
		n    int
	}{
		{"pending", b.Pending}, {"running", b.Running}, {"waiting", b.Waiting},
		{"completed", b.Completed}, {"failed", b.Failed}, {"cancelled", b.Cancelled},
	} {
		if count.n > 0 {
			rows = append(rows, []string{"  " + count.name + ":", strconv.Itoa(count.n)})
		}
	}
	if !b.Status.Closed() {
		rows = append(rows, []string{"at once:", strconv.Itoa(b.Concurrency)})
	}
	if b.Attempt > 1 {
		rows = append(rows, []string{"attempt:", strconv.Itoa(b.Attempt)})
	}
	if b.Trouble != "" {
		rows = append(rows, []string{"trouble:", cell(b.Trouble, 2000)})
	}
	rows = append(rows, []string{"started:", b.StartedAt.Local().Format("2006-01-02 15:04:05")})
	if b.FinishedAt != nil {
		rows = append(rows, []string{"finished:", fmt.Sprintf("%s, after %s", b.FinishedAt.Local().Format("2006-01-02 15:04:05"), clock(b.FinishedAt.Sub(b.StartedAt)))})
	}
	return table(w, []string{"batch:", b.ID}, rows)
}
