package workflows

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/watch"
)

// MonitorType is the workflow type of Monitor.
const MonitorType = "Monitor"

// MonitorScheduleID is the id of a monitor's Temporal Schedule.
func MonitorScheduleID(name string) string { return monitorSchedulePrefix + name }

// MonitorOf is the inverse of MonitorScheduleID; false for any other schedule.
func MonitorOf(scheduleID string) (name string, ok bool) {
	return strings.CutPrefix(scheduleID, monitorSchedulePrefix)
}

// MonitorWorkflowID is how the workflow ids of a monitor's ticks begin. The
// schedule adds the time of the tick.
func MonitorWorkflowID(name string) string { return "monitor-" + name }

// MonitorTaskID is the id of the agent task of a tick.
func MonitorTaskID(name string, at time.Time) string {
	return name + "-" + at.UTC().Format("20060102-150405")
}

const monitorSchedulePrefix = "errand-monitor-"

// LabelMonitor is the label of a monitor's agent tasks, with its name.
const LabelMonitor = "monitor"

// Limits of a monitor.
const (
	// DefaultTickTimeout bounds the agent task of one tick, questions included.
	DefaultTickTimeout = time.Hour

	// FailuresBeforeAlert is how many ticks in a row have to bring no good value
	// before somebody is told.
	FailuresBeforeAlert = 3

	// MostNotify is how many targets one monitor can tell.
	MostNotify = 10
)

// MonitorInput is an errand that is run on a schedule and compared with its
// last good value. One run of Monitor is one tick.
type MonitorInput struct {
	Name   string         `json:"name"`
	UID    string         `json:"uid"`  // of this monitor alone, whoever had its name before
	Task   AgentTaskInput `json:"task"` // of each tick, without its id
	Watch  watch.Rule     `json:"watch"`
	Notify []string       `json:"notify,omitempty"` // http or https URLs, or names that the worker's configuration knows
	Gap    time.Duration  `json:"gap,omitempty"`    // the shortest time between two ticks; 0: not known
	Cron   string         `json:"cron,omitempty"`   // of the schedule, for people: Temporal keeps what it means alone
}

var monitorName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckMonitorName reports a name that a monitor cannot have.
func CheckMonitorName(name string) error {
	if !monitorName.MatchString(name) {
		return fmt.Errorf("%q is no name for a monitor: use letters, digits, dots, - and _, 64 at most", name)
	}
	return nil
}

// Validate reports the first thing wrong with the input, in words for the
// person who wrote it.
func (in MonitorInput) Validate() error {
	if err := CheckMonitorName(in.Name); err != nil {
		return err
	}
	if in.UID == "" {
		return fmt.Errorf("the monitor has no uid")
	}
	if _, taken := in.Task.Labels[LabelMonitor]; taken {
		return fmt.Errorf("the label %s is the monitor's own: choose another", LabelMonitor)
	}
	if err := in.task(time.Time{}).Validate(); err != nil {
		return err
	}
	if err := in.Watch.Validate(); err != nil {
		return err
	}
	if len(in.Notify) > MostNotify {
		return fmt.Errorf("there are %d targets to notify; at most %d are allowed", len(in.Notify), MostNotify)
	}
	for _, target := range in.Notify {
		if err := activities.CheckTarget(target); err != nil {
			return err
		}
	}
	return nil
}

// task is the agent task of the tick at that time.
func (in MonitorInput) task(at time.Time) AgentTaskInput {
	task := in.Task
	task.TaskID = MonitorTaskID(in.Name, at)
	task.Timeout = orDefault(task.Timeout, DefaultTickTimeout)
	task.Labels = map[string]string{LabelMonitor: in.Name}
	for _, key := range workflow.DeterministicKeys(in.Task.Labels) {
		task.Labels[key] = in.Task.Labels[key]
	}
	return task
}

// Monitor is one tick: it runs the errand, compares what came of it with the
// last good value, and tells whoever is to be told. An errand that failed is a
// verdict, not a failure of the tick. What it returns is the state that the
// next tick begins with: the schedule hands it on.
func Monitor(ctx workflow.Context, in MonitorInput) (MonitorState, error) {
	t, err := newTick(ctx, in)
	if err != nil {
		return MonitorState{}, err
	}
	return t.run(ctx), nil
}

func newTick(ctx workflow.Context, in MonitorInput) (*tick, error) {
	if err := in.Validate(); err != nil {
		return nil, temporal.NewNonRetryableApplicationError(err.Error(), ErrTypeInvalidInput, nil)
	}
	t := &tick{in: in, log: workflow.GetLogger(ctx), at: scheduledAt(ctx)}
	if workflow.HasLastCompletionResult(ctx) {
		if err := workflow.GetLastCompletionResult(ctx, &t.s); err != nil {
			// The schedule keeps the state of the tick before, as long as this one has none.
			return nil, temporal.NewNonRetryableApplicationError("the state of the tick before cannot be read: "+err.Error(), ErrTypeInvalidInput, nil)
		}
	}
	return t, nil
}

// run is the story of a tick.
func (t *tick) run(ctx workflow.Context) MonitorState {
	outcome := t.errand(ctx)
	t.conclude(outcome, t.judge(ctx, outcome))
	t.deliver(ctx)
	return t.s
}

// judge compares the result. What it finds is recorded, so that a tick under
// way does not see the rules of a newer version.
func (t *tick) judge(ctx workflow.Context, o outcome) watch.Judgement {
	if o.failure != "" {
		return watch.Judgement{Verdict: o.verdict, Reason: o.failure, Memory: t.s.Memory}
	}
	var j watch.Judgement
	recorded := workflow.SideEffect(ctx, func(workflow.Context) any { return watch.Judge(t.in.Watch, t.s.Memory, o.result) })
	if err := recorded.Get(&j); err != nil {
		return watch.Judgement{Verdict: watch.Bad, Reason: err.Error(), Memory: t.s.Memory}
	}
	return j
}

// scheduledAt is when the tick was due, to the second.
func scheduledAt(ctx workflow.Context) time.Time {
	at, ok := workflow.GetTypedSearchAttributes(ctx).GetTime(attributeScheduledAt)
	if !ok {
		at = workflow.GetInfo(ctx).WorkflowStartTime
	}
	return at.UTC().Truncate(time.Second)
}

// attributeScheduledAt is set by Temporal on what a schedule starts.
var attributeScheduledAt = temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime")

// outcome is what came of the errand of a tick.
type outcome struct {
	taskID      string
	result      json.RawMessage
	verdict     watch.Verdict // of an errand that brought no result
	failure     string        // why there is none; empty: there is
	snapshot    string        // session whose snapshot was kept
	environment string        // of its session
	note        string        // what else went on
	stuck       bool          // no session came of restoring a snapshot, nor a word why
}
