package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

const (
	// quickTimeout bounds the first try of a call, made inside the workflow
	// task. A vendor may take half a minute to bring up a session.
	quickTimeout = 45 * time.Second

	// patientCall bounds one try of a call that is retried by the server.
	patientCall = time.Minute

	// snapshotCall bounds one try of a delete that saves a snapshot, and
	// snapshotPatience all of them: a session whose snapshot fails must not live
	// on for its sake.
	snapshotCall     = 5 * time.Minute
	snapshotPatience = 30 * time.Minute

	// outage is how long a vendor may be away before a call is given up. It is
	// longer than a weekend's incident and than any deploy.
	outage = 72 * time.Hour

	// stopCall bounds the attempt to stop an agent whose session is about to
	// be deleted anyway.
	stopCall = 30 * time.Second

	// reportSlack is what an activity that keeps a deadline itself gets beyond
	// that deadline to say so.
	reportSlack = 2 * time.Minute
)

// quick is the policy of a first try: one local activity, which costs one
// event. Whatever it does not settle goes to a patient call.
func quick(ctx workflow.Context, total time.Duration, summary string) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: total,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                summary,
	})
}

// patient is the policy of a call that must succeed as soon as the vendor can:
// bounded by time, not by attempts, so that no deploy or outage uses it up.
func patient(ctx workflow.Context, plan callPlan) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    min(plan.once, plan.total),
		ScheduleToCloseTimeout: plan.total,
		WaitForCancellation:    plan.shield,
		HeartbeatTimeout:       plan.heartbeat,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		},
		Summary: plan.summary,
	})
}

// turnWait is the policy of the one activity that takes care of a turn. It
// keeps the turn's deadline itself, which begins once its message is there, and
// may send that until an outage is over; a dead worker is noticed by the
// heartbeat.
func turnWait(ctx workflow.Context, total, heartbeat time.Duration, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    total + reportSlack,
		ScheduleToCloseTimeout: total + reportSlack,
		HeartbeatTimeout:       heartbeat,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    30 * time.Second,
		},
		Summary: summary,
	})
}
