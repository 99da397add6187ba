package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/watch"
	"github.com/errand-dev/errand/workflows"
)

// measureMonitors lets monitors tick once a minute: each at its own second, as
// those do that were created one after the other, and then all at the same.
func measureMonitors(ctx context.Context, size scale) (rows []row, err error) {
	for _, m := range []struct {
		what     string
		schedule starter.MonitorSchedule
	}{
		{"each at its own second", starter.MonitorSchedule{Every: starter.Duration(time.Minute)}},
		{"all at the same second", starter.MonitorSchedule{Cron: "* * * * *"}},
	} {
		row, err := tickMonitors(ctx, m.what, m.schedule, size.n(200), max(2, size.n(5)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.what, err)
		}
		fmt.Fprintf(os.Stderr, "  %s: %s\n", m.what, row.reached)
		rows = append(rows, row)
	}
	return rows, nil
}

// tickMonitors lets n monitors tick for so many minutes, and counts.
func tickMonitors(ctx context.Context, what string, schedule starter.MonitorSchedule, n, minutes int) (row, error) {
	r, err := newRig(ctx)
	if err != nil {
		return row{}, err
	}
	defer r.close()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range n {
		group.Go(func() error {
			_, err := r.CreateMonitor(groupCtx, schedule, workflows.MonitorInput{
				Name:  fmt.Sprintf("m-%d", i),
				Task:  workflows.AgentTaskInput{Connection: connection, Prompt: `think looking; wait 1s; finish {"name": "Teapot", "price": "24,50 €"}`},
				Watch: watch.Rule{Field: "price"},
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return row{}, fmt.Errorf("creating them: %w", err)
	}
	before, err := r.Monitors(ctx)
	if err != nil {
		return row{}, fmt.Errorf("listing them: %w", err)
	}
	begun := time.Now()
	select {
	case <-time.After(time.Duration(minutes) * time.Minute):
	case <-ctx.Done():
		return row{}, ctx.Err()
	}
	span := time.Since(begun)
	resident, err := r.engine.resident()
	if err != nil {
		return row{}, err
	}
	asked := time.Now()
	after, err := r.Monitors(ctx)
	if err != nil {
		return row{}, fmt.Errorf("listing them: %w", err)
	}
	listed := time.Since(asked)
	late, err := r.lateness(ctx, after)
	if err != nil {
		return row{}, err
	}
	ticks, skipped, missed, bad := 0, 0, 0, 0
	for i, m := range after {
		ticks += m.Ticks - before[i].Ticks
		skipped += m.Skipped.Overlap
		missed += m.Skipped.Missed
		bad += m.Failures
	}
	return row{
		what: fmt.Sprintf("%d monitors that tick once a minute, %s, for %d minutes; the agent works for a second", n, what, minutes),
		bar:  fmt.Sprintf("%d ticks a minute, none skipped", n),
		reached: join(fmt.Sprintf("%.0f ticks a minute", float64(ticks)/span.Minutes()),
			fmt.Sprintf("%d ticks, %d skipped, %d missed, %d without a good value", ticks, skipped, missed, bad),
			fmt.Sprintf("due → begun median %s, longest %s", ms(percentile(late, 0.5)), ms(percentile(late, 1))),
			mib(resident)+" resident, engine and worker",
			fmt.Sprintf("all listed in %.1f s", listed.Seconds())),
	}, nil
}

// lateness is how long after they were due the latest ticks have begun.
func (r *rig) lateness(ctx context.Context, monitors []starter.Monitor) ([]time.Duration, error) {
	var late []time.Duration
	for _, m := range monitors {
		handle := r.client.ScheduleClient().GetHandle(ctx, m.ScheduleID)
		d, err := handle.Describe(ctx)
		for tries := 0; err != nil && tries < 5; tries++ { // on a machine with much else to do
			d, err = handle.Describe(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("describing %s: %w", m.Name, err)
		}
		for _, action := range d.Info.RecentActions[1:] { // without the one of its creation
			late = append(late, action.ActualTime.Sub(action.ScheduleTime))
		}
	}
	return late, nil
}
