package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
)

// acts names activities for the workflows. It stays nil: a method value of it
// carries the name and the types, and is never called here.
var acts *activities.Activities

func (t *agentTask) callCreateSession(ctx workflow.Context) (activities.Session, error) {
	in := activities.CreateSessionInput{
		TaskID:             t.in.TaskID,
		Connection:         t.in.Connection,
		Agent:              t.in.Agent,
		RestoreSession:     t.restoreFrom(),
		RestoreDefaultUser: t.in.RestoreDefaultUser,
		FirstRunID:         workflow.GetInfo(ctx).FirstRunID,
		Number:             len(t.s.Restarts),
		Snapshot:           t.in.Snapshot.Mode,
		Options:            t.in.Options,
	}
	return call[activities.Session](t, ctx, callPlan{
		summary: "create a session at " + t.in.Connection,
		once:    patientCall,
		total:   t.remaining(ctx, outage),
		shield:  true, // a session whose id is lost would live on
		patient: func(err error) any { in.Before = activities.FateOf(err); return in },
	}, acts.CreateSession, in)
}

// callTakeTurn starts the one activity of the open turn.
func (t *agentTask) callTakeTurn(ctx workflow.Context) workflow.Future {
	in := activities.TakeTurnInput{
		TaskID:       t.in.TaskID,
		Connection:   t.in.Connection,
		SessionID:    t.s.Session.ID,
		RunID:        workflow.GetInfo(ctx).WorkflowExecution.RunID,
		After:        t.s.Watermark,
		TurnTimeout:  t.s.TurnLeft,
		StallTimeout: t.in.StallTimeout,
		StrayPause:   t.s.StrayPause || t.s.WasReset, // a run before this one may have paused it
	}
	if m := t.s.Outbox; m != nil {
		in.Message = &activities.Message{Text: m.Text, StartURL: m.StartURL, Number: t.s.Turns, ReplyTo: m.ReplyTo, Before: m.Before}
	}
	if deadline := earlier(t.legacyDeadline(), t.s.Deadline); deadline != nil {
		in.Deadline = *deadline
	}
	if t.s.FollowUpsSent == len(t.in.FollowUps) {
		in.ResultSchema = t.in.ResultSchema
	}
	total := t.remaining(ctx, outage+t.in.TurnTimeout)
	return workflow.ExecuteActivity(turnWait(ctx, total, t.in.HeartbeatTimeout, "have the agent take its turn"), t.turnActivity(), in)
}

func (t *agentTask) callPauseSession(ctx workflow.Context) error {
	plan, in := commandPlan("pause the agent"), t.session()
	plan.patient = func(err error) any {
		t.s.StrayPause = t.s.StrayPause || doubtful(err)
		return in
	}
	_, err := call[struct{}](t, ctx, plan, acts.PauseSession, in)
	t.s.StrayPause = t.s.StrayPause || doubtful(err)
	return err
}

func (t *agentTask) callResumeSession(ctx workflow.Context) error {
	_, err := call[struct{}](t, ctx, commandPlan("resume the agent"), acts.ResumeSession, t.session())
	return err
}

func (t *agentTask) callCancelSession(ctx workflow.Context) error {
	_, err := call[struct{}](t, ctx, callPlan{summary: "stop the agent", once: stopCall, total: stopCall}, acts.CancelSession, t.session())
	return err
}

func (t *agentTask) callDeleteSession(ctx workflow.Context, s Snapshot) (activities.DeleteSessionOutput, error) {
	plan := callPlan{summary: "delete the session", once: patientCall, total: outage}
	if s.wanted() {
		plan = callPlan{
			summary: "delete the session, keep a snapshot",
			once:    snapshotCall, total: snapshotPatience, slow: true, heartbeat: t.in.HeartbeatTimeout,
		}
	}
	return call[activities.DeleteSessionOutput](t, ctx, plan, acts.DeleteSession, activities.DeleteSessionInput{
		Connection:    t.in.Connection,
		SessionID:     t.s.Session.ID,
		Ref:           t.s.SessionRef,
		Snapshot:      s.Mode,
		SaveAsDefault: s.SaveAsDefault,
	})
}

func (t *agentTask) session() activities.SessionInput {
	return activities.SessionInput{Connection: t.in.Connection, SessionID: t.s.Session.ID}
}

// callPlan is how much a call may take.
type callPlan struct {
	summary string
	once    time.Duration // one try
	total   time.Duration // all tries
	slow    bool          // too slow for a first try inside the workflow task
	shield  bool          // a cancelled task still waits for the try under way

	heartbeat time.Duration // by which a dead worker is noticed; 0: by the end of the try

	// patient is the input of the patient call, after the first try has failed
	// so; nil: that of the first.
	patient func(error) any
}

// commandPlan is that of a person who waits for the outcome.
func commandPlan(summary string) callPlan {
	return callPlan{summary: summary, once: patientCall, total: patientCall}
}

// call makes one call to a vendor: a quick try inside the workflow task, which
// costs one event, and if that settles nothing, a patient activity that the
// server retries. O must be the activity's output type, which the SDK does not
// check; the methods above hold the pairs.
func call[O any](t *agentTask, ctx workflow.Context, plan callPlan, activity, in any) (O, error) {
	var out O
	if !plan.slow {
		tryCtx := ctx
		if plan.shield && ctx.Err() == nil {
			var release workflow.CancelFunc
			tryCtx, release = workflow.NewDisconnectedContext(ctx)
			defer release()
		}
		err := workflow.ExecuteLocalActivity(quick(tryCtx, min(quickTimeout, plan.total), plan.summary), activity, in).Get(tryCtx, &out)
		if settled(err) {
			return out, err
		}
		t.log.Info("first try failed, going on with patience", "call", plan.summary, "error", err)
		t.trouble = messageOf(err)
		defer func() { t.trouble = "" }()
		t.enter(ctx, t.phase)
		pause := min(retryAfter(err), plan.total)
		if err := workflow.Sleep(ctx, pause); err != nil {
			return out, err
		}
		plan.total = max(plan.total-pause, time.Second)
		if plan.patient != nil {
			in = plan.patient(err)
		}
	}
	err := workflow.ExecuteActivity(patient(ctx, plan), activity, in).Get(ctx, &out)
	return out, err
}

// doubtful reports whether a call that failed so may still have an effect.
func doubtful(err error) bool {
	fate := activities.FateOf(err)
	return fate == activities.FatePending || fate == activities.FateUnheard
}

// settled reports whether another try could change nothing.
func settled(err error) bool {
	var app *temporal.ApplicationError
	return err == nil || temporal.IsCanceledError(err) || (errors.As(err, &app) && app.NonRetryable())
}

// messageOf is an error in the words of the activity that failed.
func messageOf(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Message()
	}
	return err.Error()
}

// retryAfter is what the vendor asked to wait before the next try, 0 if it did
// not.
func retryAfter(err error) time.Duration {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.NextRetryDelay()
	}
	return 0
}
