package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/workflows"
)

func (a *app) sessionsReapCommand() *cobra.Command {
	var connection string
	var grace time.Duration
	var dryRun bool
	c := &cobra.Command{
		Use:   "reap",
		Short: "Delete the sessions that tasks have left behind",
		Long: "Looks for sessions that errand has made and that no open task owns, and deletes\n" +
			"them. Sessions of other programs are left alone, and where anything is in doubt\n" +
			"nothing is deleted. Workers do the same each ten minutes.",
		Example: example(`sessions reap --dry-run`, `sessions reap --connection agi --grace 1h`),
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if grace <= 0 {
				return usagef("--grace %s: a session needs some time before it may be nobody's", grace)
			}
			return a.reap(c.Context(), connection, workflows.ReaperInput{Grace: grace, DryRun: dryRun})
		},
	}
	c.Flags().StringVar(&connection, "connection", "", "`NAME` of the connection (default: that of new tasks)")
	c.Flags().DurationVar(&grace, "grace", workflows.DefaultReapGrace, "how old a session must be")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "tell what would be deleted, and delete nothing")
	return c
}

func (a *app) reap(ctx context.Context, name string, in workflows.ReaperInput) error {
	return a.withLink(ctx, func(l *link) error {
		chosen, err := l.config.Choose(name)
		if err != nil {
			return usage(err)
		}
		if err := l.prepare(ctx, chosen.Name); err != nil {
			return err
		}
		in.Connection, in.Exclusive = chosen.Name, chosen.Exclusive
		report, err := l.tasks.Reap(ctx, in)
		if err != nil {
			return fmt.Errorf("connection %s: %w", chosen.Name, err)
		}
		if err := a.printReport(report); err != nil {
			return err
		}
		for _, s := range report.Sessions {
			if s.Verdict == activities.VerdictFailed {
				return exitStatus(exitFailed)
			}
		}
		return nil
	})
}

func (a *app) printReport(r activities.ReapReport) error {
	if a.flags.output != outputText {
		return a.printJSON(r)
	}
	if len(r.Sessions) > 0 {
		rows := make([][]string, len(r.Sessions))
		for i, s := range r.Sessions {
			verdict := string(s.Verdict)
			if r.DryRun && s.Verdict == activities.VerdictOrphan {
				verdict = "would be deleted"
			}
			task := ""
			if s.Workflow != "" {
				task = workflows.TaskIDOf(s.Workflow)
			}
			rows[i] = []string{s.ID, cell(s.Agent, 20), age(s.CreatedAt), cell(task, 30), verdict, cell(s.Reason, 120)}
		}
		if err := table(a.out, []string{"ID", "AGENT", "AGE", "TASK", "VERDICT", "REASON"}, rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(a.out, summaryOf(r))
	return err
}

// summaryOf counts what a look has found, in a line.
func summaryOf(r activities.ReapReport) string {
	done := fmt.Sprintf("%d deleted", r.Deleted)
	if r.DryRun {
		done = fmt.Sprintf("%d would be deleted", r.Orphans)
	}
	return fmt.Sprintf("%s · of %d sessions %d belong to open tasks, %d are too young to say, %d are not errand's\n",
		done, r.Listed, r.Owned, r.Young, r.Foreign)
}
