package starter

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/workflows"
)

// Moment is something that happened to a task. Its JSON is a contract.
type Moment struct {
	At   time.Time  `json:"at"`
	Kind MomentKind `json:"kind"`
	Text string     `json:"text,omitempty"` // the message, the question, the answer, the session's id, why it failed
	By   string     `json:"by,omitempty"`   // who answered
	ID   string     `json:"id,omitempty"`   // of the question that was answered
}

// MomentKind says what happened.
type MomentKind string

// The kinds of moments.
const (
	MomentCreated  MomentKind = "created"   // the task; Text is its prompt, or the question of what is no agent task
	MomentSession  MomentKind = "session"   // was created
	MomentTurn     MomentKind = "turn"      // began, with a message
	MomentFinished MomentKind = "finished"  // the agent has, for this turn
	MomentQuestion MomentKind = "question"  // the agent asked
	MomentAnswer   MomentKind = "answer"    // was accepted
	MomentPaused   MomentKind = "paused"    // by a person
	MomentResumed  MomentKind = "resumed"   // by a person
	MomentRestart  MomentKind = "restarted" // in a new session; Text is why
	MomentDeleted  MomentKind = "deleted"   // the session
	MomentCancel   MomentKind = "cancelling"
	MomentEnded    MomentKind = "ended" // Text is the status, and why
)

// Timeline returns what happened to a task so far, in order. It is read from the
// workflow's history, run after run as far as Temporal still has them; id may be
// the workflow id of what is no agent task.
func (c *Client) Timeline(ctx context.Context, id string) ([]Moment, error) {
	workflowID, runID, err := c.firstRun(ctx, id)
	if err != nil {
		return nil, err
	}
	t := timeline{client: c, activities: map[int64]string{}, updates: map[int64]string{}}
	for runID != "" {
		next := ""
		it := c.temporal.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for it.HasNext() {
			event, err := it.Next()
			if err != nil {
				return nil, explain(err)
			}
			t.add(event)
			next = event.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
		}
		runID = next
		t.activities, t.updates = map[int64]string{}, map[int64]string{}
	}
	if workflowID == workflows.AgentTaskWorkflowID(id) {
		c.addAccount(ctx, id, &t)
	}
	slices.SortStableFunc(t.moments, func(a, b Moment) int { return a.At.Compare(b.At) })
	return t.moments, nil
}

// firstRun finds the first run of a task that Temporal still has.
func (c *Client) firstRun(ctx context.Context, id string) (workflowID, runID string, err error) {
	for _, workflowID := range []string{workflows.AgentTaskWorkflowID(id), id} {
		d, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
		if _, none := errors.AsType[*serviceerror.NotFound](err); none {
			continue
		}
		if err != nil {
			return "", "", explain(err)
		}
		info := d.GetWorkflowExecutionInfo()
		runID := info.GetExecution().GetRunId()
		if first := info.GetFirstRunId(); first != "" && first != runID {
			if _, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, first); err == nil {
				runID = first
			}
		}
		return workflowID, runID, nil
	}
	return "", "", ErrUnknownTask
}

// addAccount adds what the task's own account knows better than its history:
// answers that no person gave, and restarts.
func (c *Client) addAccount(ctx context.Context, id string, t *timeline) {
	task, err := c.AgentTask(ctx, id)
	if err != nil { // no worker answers: then history is all there is
		return
	}
	t.moments = slices.DeleteFunc(t.moments, func(m Moment) bool { return m.Kind == MomentAnswer })
	for _, a := range task.Answers {
		t.moments = append(t.moments, Moment{At: a.At, Kind: MomentAnswer, Text: a.Text, By: a.By, ID: a.QuestionID})
	}
	for _, r := range task.Restarts {
		t.moments = append(t.moments, Moment{At: r.At, Kind: MomentRestart, Text: r.Error.Message})
	}
}

// timeline reads moments out of events.
type timeline struct {
	client     *Client
	moments    []Moment
	activities map[int64]string // types by the id of the event that scheduled them
	updates    map[int64]string // names by the id of the event that accepted them
}

func (t *timeline) note(e *historypb.HistoryEvent, kind MomentKind, text string) {
	t.moments = append(t.moments, Moment{At: e.GetEventTime().AsTime(), Kind: kind, Text: text})
}

func (t *timeline) add(e *historypb.HistoryEvent) {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		if a := e.GetWorkflowExecutionStartedEventAttributes(); a.GetContinuedExecutionRunId() == "" {
			var in struct{ Prompt, Text string }
			t.client.readPayload(a.GetInput(), &in)
			t.note(e, MomentCreated, in.Prompt+in.Text)
		}
	case enumspb.EVENT_TYPE_MARKER_RECORDED:
		t.addLocal(e)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		a := e.GetActivityTaskScheduledEventAttributes()
		t.activities[e.GetEventId()] = a.GetActivityType().GetName()
		var in struct {
			Message *struct{ Text, Before string }
		}
		t.client.readPayload(a.GetInput(), &in)
		if in.Message != nil && in.Message.Before == "" { // else it goes on with one that has begun
			t.note(e, MomentTurn, in.Message.Text)
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		a := e.GetActivityTaskCompletedEventAttributes()
		t.addResult(e, t.activities[a.GetScheduledEventId()], a.GetResult())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		a := e.GetWorkflowExecutionUpdateAcceptedEventAttributes()
		name := a.GetAcceptedRequest().GetInput().GetName()
		t.updates[e.GetEventId()] = name
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		t.addUpdate(e)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		switch e.GetWorkflowExecutionSignaledEventAttributes().GetSignalName() {
		case workflows.SignalPause:
			t.note(e, MomentPaused, "")
		case workflows.SignalResume:
			t.note(e, MomentResumed, "")
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		t.note(e, MomentCancel, "")
	default:
		t.addEnd(e)
	}
}

// addLocal reads what a local activity came to.
func (t *timeline) addLocal(e *historypb.HistoryEvent) {
	a := e.GetMarkerRecordedEventAttributes()
	if a.GetMarkerName() != "LocalActivity" || a.GetFailure() != nil {
		return
	}
	var data struct{ ActivityType string }
	t.client.readPayload(a.GetDetails()["data"], &data)
	t.addResult(e, data.ActivityType, a.GetDetails()["result"])
}

func (t *timeline) addResult(e *historypb.HistoryEvent, activityType string, result *commonpb.Payloads) {
	switch activityType {
	case "CreateSession":
		var s struct{ ID string }
		t.client.readPayload(result, &s)
		t.note(e, MomentSession, s.ID)
	case "DeleteSession":
		t.note(e, MomentDeleted, "")
	case "SendMessage": // of older tasks
		t.note(e, MomentTurn, "")
	case "TakeTurn", "AwaitTurn":
		var turn struct {
			Outcome provider.OutcomeKind
			Text    string
			Result  json.RawMessage
		}
		t.client.readPayload(result, &turn)
		if turn.Outcome == provider.OutcomeQuestion {
			t.note(e, MomentQuestion, turn.Text)
			return
		}
		t.note(e, MomentFinished, turn.Text)
	}
}

// addUpdate reads an update that had an effect.
func (t *timeline) addUpdate(e *historypb.HistoryEvent) {
	a := e.GetWorkflowExecutionUpdateCompletedEventAttributes()
	success := a.GetOutcome().GetSuccess()
	if success == nil {
		return
	}
	switch t.updates[a.GetAcceptedEventId()] {
	case workflows.UpdatePause:
		t.note(e, MomentPaused, "")
	case workflows.UpdateResume:
		t.note(e, MomentResumed, "")
	case workflows.UpdateAnswer:
		var answer workflows.Answer
		t.client.readPayload(success, &answer)
		t.moments = append(t.moments, Moment{
			At: e.GetEventTime().AsTime(), Kind: MomentAnswer, Text: answer.Text, By: answer.By, ID: answer.QuestionID,
		})
	}
}

// addEnd reads how a run has ended, if it has.
func (t *timeline) addEnd(e *historypb.HistoryEvent) {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		t.note(e, MomentEnded, string(workflows.StatusCompleted))
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		t.note(e, MomentEnded, string(workflows.StatusCancelled))
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		t.note(e, MomentEnded, "terminated: "+e.GetWorkflowExecutionTerminatedEventAttributes().GetReason())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		t.note(e, MomentEnded, string(workflows.StatusTimedOut))
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		failure := e.GetWorkflowExecutionFailedEventAttributes().GetFailure()
		t.note(e, MomentEnded, "failed: "+failure.GetMessage())
	}
}

// readPayload reads a payload as far as it can be read: a timeline that lacks a word is
// better than none.
func (c *Client) readPayload(p *commonpb.Payloads, v any) { _ = c.payloads.FromPayloads(p, v) }
