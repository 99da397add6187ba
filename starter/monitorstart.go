package starter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/watch"
	"github.com/errand-dev/errand/workflows"
)

// MonitorSchedule says when a monitor ticks: Every or Cron.
type MonitorSchedule struct {
	Every    Duration `json:"every,omitempty"`
	Cron     string   `json:"cron,omitempty"`
	TimeZone string   `json:"time_zone,omitempty"` // IANA name; empty: UTC
	CatchUp  Duration `json:"catch_up"`            // how late a tick may still be made up for; 0: see CreateMonitor
}

// Duration is a time.Duration that JSON writes as Go does: 1h30m.
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

const (
	// LeastEvery is the shortest interval of a monitor, and the unit of all.
	LeastEvery = time.Second

	// LeastCatchUp is the shortest catch-up window that Temporal knows.
	LeastCatchUp = 10 * time.Second

	// cronCatchUp is the catch-up window of a monitor by cron that says none.
	cronCatchUp = time.Hour
)

// Validate reports the first thing wrong with the schedule. Whether a cron
// expression makes sense, Temporal says.
func (s MonitorSchedule) Validate() error {
	every := time.Duration(s.Every)
	switch {
	case (s.Every != 0) == (s.Cron != ""):
		return errors.New("a monitor needs an interval or a cron expression, one of them")
	case s.Every != 0 && (every < LeastEvery || every%LeastEvery != 0):
		return fmt.Errorf("the interval %s is not of whole seconds, one at least", every)
	case s.TimeZone != "" && s.Cron == "":
		return errors.New("an interval has no time zone: it is of use with a cron expression alone")
	case s.CatchUp != 0 && time.Duration(s.CatchUp) < LeastCatchUp:
		return fmt.Errorf("the catch-up window %s is shorter than %s", time.Duration(s.CatchUp), LeastCatchUp)
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		return fmt.Errorf("there is no time zone %q: use an IANA name, such as Europe/Berlin", s.TimeZone)
	}
	return nil
}

// spec is the schedule in Temporal's words. An interval counts from now on, so
// that monitors do not all tick at once.
func (s MonitorSchedule) spec(now time.Time) client.ScheduleSpec {
	if s.Cron != "" {
		return client.ScheduleSpec{CronExpressions: []string{s.Cron}, TimeZoneName: s.TimeZone}
	}
	every := time.Duration(s.Every)
	offset := time.Duration(now.Unix()) * time.Second % every
	return client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every, Offset: offset}}}
}

func (s MonitorSchedule) catchUp() time.Duration {
	switch {
	case s.CatchUp != 0:
		return time.Duration(s.CatchUp)
	case s.Every != 0:
		return max(time.Duration(s.Every), LeastCatchUp)
	default:
		return cronCatchUp
	}
}

// scheduleOf reads a schedule back.
func scheduleOf(d *client.ScheduleDescription, in workflows.MonitorInput) MonitorSchedule {
	s := MonitorSchedule{Cron: in.Cron, CatchUp: Duration(d.Schedule.Policy.CatchupWindow), TimeZone: d.Schedule.Spec.TimeZoneName}
	if intervals := d.Schedule.Spec.Intervals; len(intervals) > 0 {
		s.Every = Duration(intervals[0].Every)
	}
	return s
}

// FirstTickError means that a monitor was not created, because its first tick
// brought no good value.
type FirstTickError struct{ Tick MonitorTick }

func (e *FirstTickError) Error() string { return "the first tick has no good value: " + e.Tick.Reason }

// noteFirst is the note of a monitor whose first tick is under way.
const noteFirst = "waits for its first tick"

// CreateMonitor makes a monitor, lets it tick once and returns it with that
// tick. It is there for good only if that has a good value; otherwise it is
// deleted, and the error is a [*FirstTickError]. A name that is taken is an
// [*InvalidInputError]. Without a CatchUp, a tick is made up for when it is late
// by no more than the interval, or an hour with a cron expression.
func (c *Client) CreateMonitor(ctx context.Context, s MonitorSchedule, in workflows.MonitorInput) (created Monitor, err error) {
	in.UID, in.Cron, in.Gap = uuid.NewString(), s.Cron, time.Duration(s.Every)
	if err := errors.Join(s.Validate(), in.Validate()); err != nil {
		return Monitor{}, &InvalidInputError{Err: err}
	}
	options := client.ScheduleOptions{
		ID: workflows.MonitorScheduleID(in.Name), Spec: s.spec(time.Now()),
		Action: &client.ScheduleWorkflowAction{
			ID: workflows.MonitorWorkflowID(in.Name), Workflow: workflows.MonitorType, Args: []any{in}, TaskQueue: workflows.TaskQueue,
			StaticSummary: "tick of monitor " + in.Name,
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: s.catchUp(),
		Paused:        true, Note: noteFirst,
	}
	handle, err := c.temporal.ScheduleClient().Create(ctx, options)
	if _, there := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); there || errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return Monitor{}, &InvalidInputError{Err: fmt.Errorf("there is a monitor %s already: delete it first, or choose another name", in.Name)}
	}
	if invalid, ok := errors.AsType[*serviceerror.InvalidArgument](err); ok {
		return Monitor{}, &InvalidInputError{Err: fmt.Errorf("temporal refused the schedule: %s", invalid.Message)}
	}
	if err != nil {
		return Monitor{}, explain(err)
	}
	defer func() {
		if err != nil {
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
			defer cancel()
			err = errors.Join(err, c.DeleteMonitor(undo, in.Name))
		}
	}()
	tick, err := c.TriggerMonitor(ctx, in.Name)
	if err != nil {
		return Monitor{}, err
	}
	if tick.Verdict != watch.First {
		return Monitor{}, &FirstTickError{Tick: tick}
	}
	unpause := client.ScheduleUpdateOptions{DoUpdate: func(now client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		schedule := now.Description.Schedule
		if s.Cron != "" {
			in.Gap = shortest(now.Description.Info.NextActionTimes)
		}
		action := *options.Action.(*client.ScheduleWorkflowAction)
		action.Args = []any{in}
		schedule.Action, schedule.State.Paused, schedule.State.Note = &action, false, ""
		return &client.ScheduleUpdate{Schedule: &schedule}, nil
	}}
	if err := patiently(ctx, func() error { return handle.Update(ctx, unpause) }); err != nil {
		return Monitor{}, explainMonitor(err)
	}
	err = patiently(ctx, func() (err error) {
		created, err = c.Monitor(ctx, in.Name)
		return err
	})
	return created, err
}

// patiently does what is harmless to do twice until a server that is away or
// has much else to do answers.
func patiently(ctx context.Context, do func() error) error {
	var trouble absence
	for {
		err := do()
		if !isAway(err) || ctx.Err() != nil {
			return err
		}
		if err := trouble.bear(ctx, err); err != nil {
			return err
		}
	}
}

// shortest is the shortest time between two of the next ticks, 0 if there are
// not two.
func shortest(times []time.Time) (gap time.Duration) {
	for i := range len(times) - 1 {
		if d := times[i+1].Sub(times[i]); d > 0 && (gap == 0 || d < gap) {
			gap = d
		}
	}
	return gap
}

// ErrTickUnderWay means that nothing was triggered, because a tick is under way.
var ErrTickUnderWay = errors.New("a tick is under way; nothing was triggered")

// triggerPatience is how long a schedule may take to begin a tick.
const triggerPatience = time.Minute

// TriggerMonitor makes a monitor tick at once, paused or not, and returns the
// tick once it has ended.
func (c *Client) TriggerMonitor(ctx context.Context, name string) (MonitorTick, error) {
	handle := c.monitorHandle(ctx, name)
	var before *client.ScheduleDescription
	err := patiently(ctx, func() (err error) {
		before, err = handle.Describe(ctx)
		return err
	})
	if err != nil {
		return MonitorTick{}, explainMonitor(err)
	}
	if err := awaitNextSecond(ctx, before); err != nil {
		return MonitorTick{}, err
	}
	// Twice is no more than once: the second is skipped, or another tick.
	if err := patiently(ctx, func() error { return handle.Trigger(ctx, client.ScheduleTriggerOptions{}) }); err != nil {
		return MonitorTick{}, explainMonitor(err)
	}
	run, err := c.begun(ctx, handle, before)
	if err != nil {
		return MonitorTick{}, err
	}
	var state workflows.MonitorState
	if err := c.waitRun(ctx, run.WorkflowID, run.FirstExecutionRunID, &state); err != nil {
		return MonitorTick{}, fmt.Errorf("the tick ended without a state, that of the tick before stands: %w", err)
	}
	m := Monitor{Name: name}
	m.fill(state)
	if m.LastTick == nil {
		return MonitorTick{}, errors.New("the tick ended without a record")
	}
	return *m.LastTick, nil
}

// awaitNextSecond waits until the second is over in which the latest tick was
// due: ticks are named by the second.
func awaitNextSecond(ctx context.Context, d *client.ScheduleDescription) error {
	n := len(d.Info.RecentActions)
	if n == 0 {
		return nil
	}
	over := d.Info.RecentActions[n-1].ScheduleTime.Truncate(time.Second).Add(time.Second)
	select {
	case <-time.After(min(time.Until(over), time.Second)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begun waits until a schedule has begun what it had not begun before.
func (c *Client) begun(ctx context.Context, handle client.ScheduleHandle, before *client.ScheduleDescription) (*client.ScheduleWorkflowExecution, error) {
	ctx, cancel := context.WithTimeout(ctx, triggerPatience)
	defer cancel()
	for {
		var now *client.ScheduleDescription
		err := patiently(ctx, func() (err error) {
			now, err = handle.Describe(ctx)
			return err
		})
		if err != nil {
			return nil, explainMonitor(err)
		}
		for _, action := range slices.Backward(now.Info.RecentActions) {
			run := action.StartWorkflowResult
			if run != nil && !slices.ContainsFunc(before.Info.RecentActions, func(a client.ScheduleActionResult) bool {
				return a.StartWorkflowResult != nil && a.StartWorkflowResult.FirstExecutionRunID == run.FirstExecutionRunID
			}) {
				return run, nil
			}
		}
		if now.Info.NumActionsSkippedOverlap > before.Info.NumActionsSkippedOverlap {
			return nil, ErrTickUnderWay
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("the schedule has not begun a tick within %s", triggerPatience)
		}
	}
}

// waitRun waits until a run has ended, and reads its result. A server that is
// away for a moment ends nothing.
func (c *Client) waitRun(ctx context.Context, workflowID, runID string, result any) error {
	var trouble absence
	for {
		pollCtx, cancel := context.WithTimeout(ctx, longPoll)
		err := c.temporal.GetWorkflow(pollCtx, workflowID, runID).Get(pollCtx, result)
		expired := pollCtx.Err() != nil
		cancel()
		switch {
		case err == nil:
			return nil
		case expired && ctx.Err() == nil: // its end may have been missed: ask again
			trouble = absence{}
		case isAway(err) || ctx.Err() != nil:
			if err := trouble.bear(ctx, err); err != nil {
				return err
			}
		default:
			return explain(err)
		}
	}
}
