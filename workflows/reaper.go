package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
)

// ReaperType is the workflow type of Reaper.
const ReaperType = "Reaper"

// ReaperID is the id of the Temporal Schedule of a connection's reaper, and how
// the ids of its workflows begin.
func ReaperID(connection string) string { return "errand-reaper-" + connection }

// Defaults of ReaperInput and of its schedule.
const (
	// DefaultReapGrace is longer than any create may be under way.
	DefaultReapGrace = 5 * time.Minute
	// DefaultReapInterval and the grace period bound the life of an orphan.
	DefaultReapInterval = 10 * time.Minute
	// DefaultReapRecheck is the time between finding and deleting.
	DefaultReapRecheck = 10 * time.Second
)

// ReaperInput says where to look for sessions that no open task owns.
type ReaperInput struct {
	Connection string        `json:"connection"`
	Exclusive  bool          `json:"exclusive,omitempty"` // only Errand uses the connection's key
	DryRun     bool          `json:"dry_run,omitempty"`   // nothing is deleted
	Grace      time.Duration `json:"grace,omitempty"`     // how old a session must be; 0: DefaultReapGrace
	Recheck    time.Duration `json:"recheck,omitempty"`   // 0: DefaultReapRecheck
}

// ReapReport is what Reaper returns: what it found, and what it deleted and why.
type ReapReport = activities.ReapReport

// reapPatience bounds one look, and reapRetries all of them: the schedule comes
// again.
const (
	reapPatience = 5 * time.Minute
	reapRetries  = 15 * time.Minute
)

// Reaper deletes the sessions of a connection that are Errand's and that no
// open task owns. It looks twice and deletes what was nobody's both times. When
// it cannot be sure of something it fails, and nothing is deleted.
func Reaper(ctx workflow.Context, in ReaperInput) (ReapReport, error) {
	look := activities.ReapInput{
		Connection: in.Connection,
		Grace:      orDefault(in.Grace, DefaultReapGrace),
		Exclusive:  in.Exclusive,
		DryRun:     in.DryRun,
	}
	found, err := callFindOrphans(ctx, look)
	if err != nil || in.DryRun {
		return found, err
	}
	if found.Orphans > 0 {
		if err := workflow.Sleep(ctx, orDefault(in.Recheck, DefaultReapRecheck)); err != nil {
			return found, err
		}
	} else if found.LostCreates == 0 {
		return found, nil
	}
	deletion := activities.DeleteOrphansInput{ReapInput: look}
	for _, s := range found.Sessions {
		if s.Verdict == activities.VerdictOrphan {
			deletion.SessionIDs = append(deletion.SessionIDs, s.ID)
		}
	}
	return callDeleteOrphans(ctx, deletion)
}

func callFindOrphans(ctx workflow.Context, in activities.ReapInput) (report ReapReport, err error) {
	err = workflow.ExecuteActivity(reaping(ctx, "look for sessions that no task owns"), acts.FindOrphans, in).Get(ctx, &report)
	return report, err
}

func callDeleteOrphans(ctx workflow.Context, in activities.DeleteOrphansInput) (report ReapReport, err error) {
	err = workflow.ExecuteActivity(reaping(ctx, "delete what no task owns"), acts.DeleteOrphans, in).Get(ctx, &report)
	return report, err
}

func reaping(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    reapPatience,
		ScheduleToCloseTimeout: reapRetries,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
		Summary:                summary,
	})
}
