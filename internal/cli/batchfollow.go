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
	var last string
	batch, err := l.tasks.FollowBatch(ctx, id, batchLook, func(b starter.Batch) error {
		if line := countsLine(b); line != last {
			last = line
			a.note("%s", line)
		}
		return nil
	})
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
	return statusOfBatch(batch)
}

// batchLook is the time between two looks at a batch that is followed.
const batchLook = time.Second

// countsLine is how far a batch is, in a line.
func countsLine(b starter.Batch) string {
	return fmt.Sprintf("batch %s %s · %d of %d done · %d running · %d waiting · %d failed", b.ID, b.Status, b.Done(), b.Total, b.Running, b.Waiting, b.Failed)
}

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
