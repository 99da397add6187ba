package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
)

const (
	// tickGrace is what an agent task gets beyond its timeout to delete its
	// session, and cancelGrace one that was cancelled. It goes on with that after
	// the tick, which waits no longer.
	tickGrace   = 5 * time.Minute
	cancelGrace = time.Minute

	// mostStuck is how many ticks in a row may end without a session before one
	// starts cold: a vendor may answer a restore that cannot be with a server error.
	mostStuck = 2
)

// errand runs the tick's agent task: with the snapshot of the last good tick,
// or cold where that cannot be restored.
func (t *tick) errand(ctx workflow.Context) outcome {
	in := t.in.task(t.at)
	var note string
	switch {
	case t.s.Snapshot == "":
	case t.s.Stuck >= mostStuck:
		note = fmt.Sprintf("started cold: %d ticks in a row got no session with the snapshot of %s", t.s.Stuck, t.s.Snapshot)
	default:
		in.RestoreSession = t.s.Snapshot
	}
	result, err := t.callAgentTask(ctx, in)
	if _, taken := errors.AsType[*temporal.ChildWorkflowExecutionAlreadyStartedError](err); taken {
		// Somebody's own task, or a tick of the same second: of a monitor that had the name before.
		in.TaskID += "-" + workflow.GetInfo(ctx).WorkflowExecution.RunID[:8]
		result, err = t.callAgentTask(ctx, in)
	}
	o := t.outcome(in, result, err)
	if note != "" {
		o.note = note
	}
	restored := t.s.Snapshot != "" && in.RestoreSession == t.s.Snapshot
	o.stuck = restored && o.verdict == VerdictFailed && result.Session == nil
	if restored && o.environment != "" && t.s.Restored != "" && o.environment != t.s.Restored {
		o.note = fmt.Sprintf("started cold: the vendor has no snapshot of session %s any more", t.s.Snapshot)
	}
	if !restored || !cannotRestore(result, err) {
		return o
	}
	t.log.Info("snapshot not restored, starting cold", "session", in.RestoreSession, "error", err)
	in.RestoreSession = ""
	in.TaskID += "-cold"
	result, err = t.callAgentTask(ctx, in)
	why := o.failure
	o = t.outcome(in, result, err)
	o.note = "started cold: " + why
	return o
}

// cannotRestore reports whether a task ended because the snapshot that its
// session was to begin with cannot be had.
func cannotRestore(result AgentTaskResult, err error) bool {
	if err == nil || result.Session != nil {
		return false
	}
	return activities.IsType(err, activities.ErrTypeInvalidRequest) ||
		activities.IsType(err, activities.ErrTypeSessionGone) ||
		activities.IsType(err, activities.ErrTypeUnsupported)
}

func (t *tick) outcome(in AgentTaskInput, result AgentTaskResult, err error) outcome {
	o := outcome{taskID: in.TaskID, result: result.Result}
	if result.Snapshot != nil {
		o.snapshot = result.Snapshot.SessionID
	}
	if result.Session != nil {
		o.environment = result.Session.EnvironmentID
	}
	if result.SnapshotError != "" {
		o.note = "no snapshot: " + result.SnapshotError
	}
	var app *temporal.ApplicationError
	var terminated *temporal.TerminatedError
	var child *temporal.ChildWorkflowExecutionError
	switch {
	case err == nil:
		return o
	case errors.As(err, &terminated):
		o.verdict, o.failure = VerdictFailed, "the errand was terminated"
	case temporal.IsCanceledError(err):
		o.verdict, o.failure = VerdictCancelled, "the errand was cancelled"
	case errors.As(err, &app):
		o.verdict, o.failure = VerdictFailed, fmt.Sprintf("%s: %s", app.Type(), app.Message())
	case errors.As(err, &child) && child.Unwrap() != nil:
		o.verdict, o.failure = VerdictFailed, child.Unwrap().Error()
	default:
		o.verdict, o.failure = VerdictFailed, err.Error()
	}
	return o
}

// callAgentTask runs an agent task as a child, which is asked to end when the
// tick is ended from outside. It waits no longer than the task may take.
func (t *tick) callAgentTask(ctx workflow.Context, in AgentTaskInput) (AgentTaskResult, error) {
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            AgentTaskWorkflowID(in.TaskID),
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		WaitForCancellation:   true,
		TypedSearchAttributes: childAttributes(in),
		StaticSummary:         "tick of monitor " + t.in.Name,
	}), AgentTask, in)
	var (
		result AgentTaskResult
		err    error
		done   bool
	)
	workflow.Go(ctx, func(ctx workflow.Context) {
		err = child.Get(ctx, &result)
		done = true
	})
	patience, release := workflow.NewDisconnectedContext(ctx)
	defer release()
	_, _ = workflow.AwaitWithTimeout(patience, in.Timeout+tickGrace, func() bool { return done || ctx.Err() != nil })
	if !done && ctx.Err() != nil {
		_, _ = workflow.AwaitWithTimeout(patience, cancelGrace, func() bool { return done })
	}
	switch {
	case !done && ctx.Err() != nil:
		return result, ctx.Err()
	case !done:
		return result, fmt.Errorf("the errand had not ended %s after its time", tickGrace)
	}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok && app.HasDetails() {
		_ = app.Details(&result) // without them, it is as if no session was made
	}
	return result, err
}

// childAttributes are the search attributes that an agent task begins with.
func childAttributes(in AgentTaskInput) temporal.SearchAttributes {
	var words []string
	for _, key := range workflow.DeterministicKeys(in.Labels) {
		words = append(words, key+"="+in.Labels[key])
	}
	return temporal.NewSearchAttributes(
		AttributeStatus.ValueSet(string(StatusRunning)),
		AttributeConnection.ValueSet(in.Connection),
		AttributeLabels.ValueSet(words),
	)
}

const (
	// notifyOnce bounds one try to tell a target.
	notifyOnce = 20 * time.Second

	// leastNotify and mostNotifyWait bound how long a tick tries; what is not
	// delivered by then, the next tick tries again.
	leastNotify    = 20 * time.Second
	mostNotifyWait = 6 * time.Hour

	// notifyPatience is how old an alert may get before it is given up.
	notifyPatience = 24 * time.Hour
)

// deliver tells the targets, each its alerts in their order. It ends in time
// for the next tick.
func (t *tick) deliver(ctx workflow.Context) {
	waiting := t.s.Undelivered
	t.s.Undelivered = nil
	if len(waiting) == 0 {
		return
	}
	deadline := t.notifyUntil(ctx)
	errs := make([]error, len(waiting))
	group := workflow.NewWaitGroup(ctx)
	for _, target := range targetsOf(waiting) {
		group.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer group.Done()
			var failed error
			for i, d := range waiting {
				if d.Target != target {
					continue
				}
				if failed == nil || activities.IsType(failed, activities.ErrTypeInvalidRequest) {
					failed = t.callNotify(ctx, d, deadline)
				}
				errs[i] = failed
			}
		})
	}
	patience, release := workflow.NewDisconnectedContext(ctx)
	defer release()
	group.Wait(patience)
	for i, d := range waiting {
		if errs[i] != nil {
			t.keep(ctx, d, errs[i])
		}
	}
	t.boundUndelivered()
}

// keep leaves an alert to the next tick, or gives it up.
func (t *tick) keep(ctx workflow.Context, d Delivery, err error) {
	d.Error = cutText(notifyError(err), mostReason)
	if activities.IsType(err, activities.ErrTypeInvalidRequest) || workflow.Now(ctx).Sub(d.Alert.At) >= notifyPatience {
		t.lose(d)
		return
	}
	t.s.Undelivered = append(t.s.Undelivered, d)
}

func (t *tick) lose(d Delivery) {
	t.log.Warn("alert not delivered", "alert", d.Alert.ID, "kind", d.Alert.Kind, "error", d.Error)
	d.Alert.Old, d.Alert.New = brief(d.Alert.Old), brief(d.Alert.New)
	t.s.Lost = append(t.s.Lost, d)
	t.s.Lost = t.s.Lost[max(0, len(t.s.Lost)-mostLost):]
}

// boundUndelivered gives up the oldest alerts of too many.
func (t *tick) boundUndelivered() {
	for {
		text, err := json.Marshal(t.s.Undelivered)
		if len(t.s.Undelivered) == 0 || (err == nil && len(text) <= mostUndelivered) {
			return
		}
		t.lose(t.s.Undelivered[0])
		t.s.Undelivered = t.s.Undelivered[1:]
	}
}

// notifyUntil is when the tick has to be over.
func (t *tick) notifyUntil(ctx workflow.Context) time.Time {
	until := t.at.Add(min(t.in.Gap-t.in.Gap/5, mostNotifyWait))
	if least := workflow.Now(ctx).Add(leastNotify); until.Before(least) {
		return least
	}
	return until
}

func (t *tick) callNotify(ctx workflow.Context, d Delivery, deadline time.Time) error {
	body, err := json.Marshal(d.Alert)
	if err != nil {
		return err
	}
	left := max(time.Second, deadline.Sub(workflow.Now(ctx)))
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    min(notifyOnce, left),
		ScheduleToCloseTimeout: left,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
		Summary:                fmt.Sprintf("tell of %s", d.Alert.Kind),
	})
	return workflow.ExecuteActivity(ctx, acts.Notify, activities.NotifyInput{Target: d.Target, ID: d.Alert.ID, Body: body}).Get(ctx, nil)
}

// notifyError is why an alert was not delivered, in the words of the latest try.
func notifyError(err error) string {
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) && timeout.Unwrap() != nil {
		return messageOf(timeout.Unwrap())
	}
	return messageOf(err)
}

// targetsOf are the targets of deliveries, each once.
func targetsOf(deliveries []Delivery) []string {
	var targets []string
	seen := map[string]bool{}
	for _, d := range deliveries {
		if !seen[d.Target] {
			targets = append(targets, d.Target)
		}
		seen[d.Target] = true
	}
	return targets
}
