package starter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/errand-dev/errand/watch"
	"github.com/errand-dev/errand/workflows"
)

// ErrUnknownMonitor means that Temporal has no schedule of a monitor of that
// name.
var ErrUnknownMonitor = errors.New("no such monitor")

// Monitor is one monitor as the world sees it. Its JSON is a contract.
type Monitor struct {
	Name       string          `json:"name"`
	ScheduleID string          `json:"schedule_id"`
	Status     MonitorStatus   `json:"status"`
	Note       string          `json:"note"` // of whoever paused it
	Schedule   MonitorSchedule `json:"schedule"`
	Prompt     string          `json:"prompt"`
	Connection string          `json:"connection"`
	Watch      watch.Rule      `json:"watch"` // with the type that was found, once there was a good value
	Notify     []string        `json:"notify"`

	Last        *LastValue           `json:"last"`      // good value
	LastTick    *MonitorTick         `json:"last_tick"` // as far as Temporal still has it
	Holds       bool                 `json:"holds"`     // the condition does, of the last good value: the next alert comes after it has not
	Failures    int                  `json:"failures"`  // ticks in a row without a good value
	Ticks       int                  `json:"ticks"`     // ended so far
	Skipped     SkippedTicks         `json:"skipped"`
	Undelivered []workflows.Delivery `json:"undelivered"`  // alerts that are tried again
	Lost        []workflows.Delivery `json:"lost"`         // alerts that were given up, the latest
	Running     string               `json:"running_task"` // task of the tick under way; empty: there is none
	NextAt      *time.Time           `json:"next_at"`      // null while it is paused
	CreatedAt   time.Time            `json:"created_at"`

	// What follows is for programs in Go and not part of the JSON.
	History []MonitorTick          `json:"-"` // the latest ticks, oldest first
	Input   workflows.MonitorInput `json:"-"`
	// HistoryGone: Temporal has removed the tick that would tell of the others.
	// The next tick knows them nevertheless.
	HistoryGone bool `json:"-"`
}

// MonitorStatus is the state of a monitor for people and lists.
type MonitorStatus string

// The statuses of a monitor.
const (
	MonitorActive  MonitorStatus = "active"
	MonitorFailing MonitorStatus = "failing" // an alert has told so
	MonitorPaused  MonitorStatus = "paused"
)

// LastValue is the last good value of a monitor, and when it was seen.
type LastValue struct {
	Value any       `json:"value"`
	At    time.Time `json:"at"`
}

// SkippedTicks counts the ticks that did not take place.
type SkippedTicks struct {
	Overlap int `json:"overlap"` // the one before was under way
	Missed  int `json:"missed"`  // no server ran, for longer than the catch-up window
}

// MonitorTick is one tick as the world sees it. Its JSON is a contract.
type MonitorTick struct {
	At      time.Time             `json:"at"`
	Value   any                   `json:"value"` // null where there is none
	Verdict watch.Verdict         `json:"verdict"`
	Reason  string                `json:"reason"`
	TaskID  string                `json:"task_id"`
	Alerted []workflows.AlertKind `json:"alerted"`
	Note    string                `json:"note,omitempty"`
}

// Monitor returns one monitor whole.
func (c *Client) Monitor(ctx context.Context, name string) (Monitor, error) {
	d, err := c.monitorHandle(ctx, name).Describe(ctx)
	if err != nil {
		return Monitor{}, explainMonitor(err)
	}
	m := Monitor{
		Name: name, ScheduleID: workflows.MonitorScheduleID(name),
		Status: MonitorActive, Notify: []string{},
		Skipped:     SkippedTicks{Overlap: d.Info.NumActionsSkippedOverlap, Missed: d.Info.NumActionsMissedCatchupWindow},
		CreatedAt:   d.Info.CreatedAt,
		Undelivered: []workflows.Delivery{}, Lost: []workflows.Delivery{},
	}
	if m.Input, err = c.monitorInput(d); err != nil {
		return m, err
	}
	m.Prompt, m.Connection, m.Watch = m.Input.Task.Prompt, m.Input.Task.Connection, m.Input.Watch
	m.Notify = append(m.Notify, m.Input.Notify...)
	m.Schedule = scheduleOf(d, m.Input)
	if s := d.Schedule.State; s != nil && s.Paused {
		m.Status, m.Note = MonitorPaused, s.Note
	} else if len(d.Info.NextActionTimes) > 0 {
		m.NextAt = &d.Info.NextActionTimes[0]
	}
	state, err := c.monitorState(ctx, &m, d)
	if err != nil {
		return m, err
	}
	m.fill(state)
	return m, nil
}

// monitorInput takes what the monitor was asked from its schedule.
func (c *Client) monitorInput(d *client.ScheduleDescription) (in workflows.MonitorInput, err error) {
	action, ok := d.Schedule.Action.(*client.ScheduleWorkflowAction)
	if !ok || len(action.Args) != 1 {
		return in, errors.New("its schedule is not that of a monitor")
	}
	payload, ok := action.Args[0].(*commonpb.Payload)
	if !ok {
		return in, errors.New("its schedule is not that of a monitor")
	}
	if err := c.payloads.FromPayload(payload, &in); err != nil {
		return in, fmt.Errorf("reading the monitor's input: %w", err)
	}
	return in, nil
}

// monitorState reads the state from the latest tick that has ended and that
// Temporal still has.
func (c *Client) monitorState(ctx context.Context, m *Monitor, d *client.ScheduleDescription) (state workflows.MonitorState, err error) {
	for _, action := range slices.Backward(d.Info.RecentActions) {
		run := action.StartWorkflowResult
		if run == nil {
			continue
		}
		ended, err := c.closed(ctx, &commonpb.WorkflowExecution{WorkflowId: run.WorkflowID, RunId: run.FirstExecutionRunID})
		if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
			m.HistoryGone = true
			return state, nil
		}
		if err != nil {
			return state, explain(err)
		}
		if !ended {
			m.Running = workflows.MonitorTaskID(m.Name, action.ScheduleTime)
			continue
		}
		if err := c.temporal.GetWorkflow(ctx, run.WorkflowID, run.FirstExecutionRunID).Get(ctx, &state); err == nil {
			return state, nil
		} else if ctx.Err() != nil || isAway(err) {
			return state, explain(err)
		}
	}
	return state, nil
}

func (m *Monitor) fill(s workflows.MonitorState) {
	if s.Failing && m.Status == MonitorActive {
		m.Status = MonitorFailing
	}
	if m.Watch.Type == "" {
		m.Watch.Type = s.Memory.Type
	}
	if s.GoodAt != nil {
		m.Last = &LastValue{Value: s.Memory.Value, At: *s.GoodAt}
	}
	m.Holds, m.Failures, m.Ticks = s.Memory.Holds, s.Failures, s.Count
	m.Undelivered = append(m.Undelivered, s.Undelivered...)
	m.Lost = append(m.Lost, s.Lost...)
	for _, t := range s.Ticks {
		m.History = append(m.History, m.tick(t))
	}
	if n := len(m.History); n > 0 {
		m.LastTick = &m.History[n-1]
	}
}

func (m *Monitor) tick(t workflows.Tick) MonitorTick {
	tick := MonitorTick{
		At: t.At, Verdict: t.Verdict, Reason: t.Reason, Note: t.Note, TaskID: t.TaskID,
		Alerted: append([]workflows.AlertKind{}, t.Alerted...),
	}
	if t.Value != nil {
		tick.Value = t.Value
	}
	if tick.TaskID == "" {
		tick.TaskID = workflows.MonitorTaskID(m.Name, t.At)
	}
	return tick
}

// Monitors returns all monitors, sorted by name. One that vanishes meanwhile is
// left out.
func (c *Client) Monitors(ctx context.Context) ([]Monitor, error) {
	list, err := c.temporal.ScheduleClient().List(ctx, client.ScheduleListOptions{PageSize: 200})
	if err != nil {
		return nil, explain(err)
	}
	var names []string
	for list.HasNext() {
		entry, err := list.Next()
		if err != nil {
			return nil, explain(err)
		}
		if name, ok := workflows.MonitorOf(entry.ID); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	monitors := make([]Monitor, len(names))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i, name := range names {
		group.Go(func() error {
			err := patiently(groupCtx, func() (err error) {
				monitors[i], err = c.Monitor(groupCtx, name)
				return err
			})
			if errors.Is(err, ErrUnknownMonitor) {
				monitors[i] = Monitor{}
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(monitors, func(m Monitor) bool { return m.Name == "" }), nil
}

// PauseMonitor keeps a monitor from ticking, with a note for whoever wonders
// why. A tick under way goes on.
func (c *Client) PauseMonitor(ctx context.Context, name, note string) error {
	return explainMonitor(c.monitorHandle(ctx, name).Pause(ctx, client.SchedulePauseOptions{Note: note}))
}

// ResumeMonitor lets a monitor tick again.
func (c *Client) ResumeMonitor(ctx context.Context, name string) error {
	return explainMonitor(c.monitorHandle(ctx, name).Unpause(ctx, client.ScheduleUnpauseOptions{}))
}

// DeleteMonitor deletes a monitor and cancels the tick that is under way. The
// tasks of its ticks stay in lists for as long as Temporal keeps them.
func (c *Client) DeleteMonitor(ctx context.Context, name string) error {
	handle := c.monitorHandle(ctx, name)
	d, err := handle.Describe(ctx)
	if err != nil {
		return explainMonitor(err)
	}
	if err := handle.Delete(ctx); err != nil {
		return explainMonitor(err)
	}
	for _, run := range d.Info.RunningWorkflows {
		err := c.temporal.CancelWorkflow(ctx, run.WorkflowID, run.FirstExecutionRunID)
		if _, ended := errors.AsType[*serviceerror.NotFound](err); err != nil && !ended {
			return fmt.Errorf("the monitor is deleted, its tick goes on: %w", explain(err))
		}
	}
	return nil
}

func (c *Client) monitorHandle(ctx context.Context, name string) client.ScheduleHandle {
	return c.temporal.ScheduleClient().GetHandle(ctx, workflows.MonitorScheduleID(name))
}

func explainMonitor(err error) error {
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return ErrUnknownMonitor
	}
	if err != nil && strings.Contains(err.Error(), "already completed") { // what a schedule that was just deleted says
		return ErrUnknownMonitor
	}
	return explain(err)
}
