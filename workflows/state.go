package workflows

import (
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
)

// taskState is all that an agent task knows between two steps. It travels
// through continue-as-new.
type taskState struct {
	StartedAt time.Time  `json:"started_at"`
	Deadline  *time.Time `json:"deadline,omitempty"` // of the whole task

	Session         *Session  `json:"session,omitempty"`
	SessionRef      string    `json:"session_ref,omitempty"` // by which the ledger knows it
	SessionsCreated int       `json:"sessions_created"`
	Restarts        []Restart `json:"restarts,omitempty"`
	LastSnapshot    string    `json:"last_snapshot,omitempty"` // session whose snapshot a restart goes on from

	Outbox       *outgoing          `json:"outbox,omitempty"` // to be sent, by the turn that is open or the next
	Watermark    provider.Watermark `json:"watermark,omitempty"`
	TurnOpen     bool               `json:"turn_open,omitempty"`
	TurnLeft     time.Duration      `json:"turn_left,omitempty"`    // what the turn may still take
	TurnDeadline time.Time          `json:"turn_deadline,omitzero"` // the same for a turn that did not send its message; see legacy.go
	Turns        int                `json:"turns"`

	Question      *Question       `json:"question,omitempty"`
	QuestionsSeen int             `json:"questions_seen,omitempty"`
	Answers       []Answer        `json:"answers,omitempty"`
	ReplyTo       string          `json:"reply_to,omitempty"`    // what the answer to the question must name
	ScriptUsed    int             `json:"script_used,omitempty"` // of AgentTaskInput.Answers
	Known         []exchange      `json:"known,omitempty"`       // what people answered in sessions that died
	Current       []exchange      `json:"current,omitempty"`     // and in this one; kept while restarts are left
	FollowUpsSent int             `json:"follow_ups_sent,omitempty"`
	Result        json.RawMessage `json:"result,omitempty"`

	WasReset bool `json:"was_reset,omitempty"` // a run before this one may have sent what this one is about to

	Paused        bool      `json:"paused,omitempty"`         // asked for by a person
	PausedAt      time.Time `json:"paused_at,omitzero"`       // since when
	SessionPaused bool      `json:"session_paused,omitempty"` // the vendor stopped the agent
	StrayPause    bool      `json:"stray_pause,omitempty"`    // a pause that was given up may still come

	Listed Status `json:"listed,omitempty"` // status that lists show
}

// outgoing is a message that waits to be sent.
type outgoing struct {
	Text     string `json:"text"`
	StartURL string `json:"start_url,omitempty"`
	ReplyTo  string `json:"reply_to,omitempty"`

	Before activities.Fate `json:"before,omitempty"` // of a try to send it
	Resent int             `json:"resent,omitempty"` // by policy, although it may have arrived
}

// mostResends bounds how often a policy may send a message again blindly.
const mostResends = 3

// agentTask is one run of an agent task: the state, and what belongs to this
// run alone.
type agentTask struct {
	in AgentTaskInput
	s  taskState

	log       log.Logger
	phase     Phase
	trouble   string         // why the call under way is being tried again
	commands  workflow.Mutex // held while a pause or a resume talks to the vendor
	snapError string         // why the snapshot that was asked for is not there
	signals   []workflow.ReceiveChannel
	handling  int // signals received and not yet done with
	snapshot  *SavedSnapshot
	failure   *TaskError
	finished  *time.Time
	statusEnd Status // once it has ended
}

func newAgentTask(ctx workflow.Context, in AgentTaskInput) (*agentTask, error) {
	if err := in.Validate(); err != nil {
		return nil, temporal.NewNonRetryableApplicationError(err.Error(), ErrTypeInvalidInput, nil)
	}
	t := &agentTask{
		in:       in,
		log:      workflow.GetLogger(ctx),
		phase:    PhaseCreating,
		commands: workflow.NewMutex(ctx),
	}
	t.in.TurnTimeout = orDefault(in.TurnTimeout, DefaultTurnTimeout)
	t.in.StallTimeout = orDefault(in.StallTimeout, DefaultStallTimeout)
	t.in.HeartbeatTimeout = orDefault(in.HeartbeatTimeout, DefaultHeartbeatTimeout)
	info := workflow.GetInfo(ctx)
	wasReset := info.OriginalRunID != "" && info.OriginalRunID != info.WorkflowExecution.RunID
	if in.Carried != nil {
		t.s, t.in.Carried = *in.Carried, nil
		t.s.WasReset = t.s.WasReset || wasReset
		return t, nil
	}
	t.s = taskState{
		WasReset:  wasReset,
		StartedAt: info.WorkflowStartTime,
		Outbox:    &outgoing{Text: in.Prompt, StartURL: in.StartURL},
		Listed:    StatusRunning, // set by whoever started the workflow
	}
	if in.Timeout > 0 {
		deadline := t.s.StartedAt.Add(in.Timeout)
		t.s.Deadline = &deadline
	}
	return t, nil
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return d
}

// status is what the task is doing, in the words of lists.
func (t *agentTask) status() Status {
	switch {
	case t.statusEnd != "":
		return t.statusEnd
	case t.s.Paused:
		return StatusPaused
	case t.s.Question != nil:
		return StatusWaiting
	default:
		return StatusRunning
	}
}

// state answers the state query.
func (t *agentTask) state() AgentTaskState {
	return AgentTaskState{Phase: t.phase, Trouble: t.trouble, AgentTaskResult: t.result()}
}

func (t *agentTask) result() AgentTaskResult {
	return AgentTaskResult{
		Status:          t.status(),
		Session:         t.s.Session,
		SessionsCreated: t.s.SessionsCreated,
		Turns:           t.s.Turns,
		Question:        t.s.Question,
		Answers:         append([]Answer{}, t.s.Answers...), // [] in JSON, never null
		Result:          t.s.Result,
		Snapshot:        t.snapshot,
		SnapshotError:   t.snapError,
		Restarts:        t.s.Restarts,
		Error:           t.failure,
		StartedAt:       t.s.StartedAt,
		FinishedAt:      t.finished,
	}
}

// enter notes the phase for queries and for Temporal's own pages. It writes
// nothing to history.
func (t *agentTask) enter(ctx workflow.Context, p Phase) {
	t.phase = p
	details := fmt.Sprintf("**%s** · %s · turn %d", t.status(), p, t.s.Turns)
	if t.s.Session != nil {
		details += fmt.Sprintf("\n\nSession `%s`", t.s.Session.ID)
		if t.s.Session.ViewURL != "" {
			details += fmt.Sprintf(" · [view](%s)", t.s.Session.ViewURL)
		}
	}
	if q := t.s.Question; q != nil {
		details += fmt.Sprintf("\n\nQuestion `%s`: %s", q.ID, q.Text)
	}
	if t.trouble != "" {
		details += "\n\nTrying again: " + t.trouble
	}
	if t.failure != nil {
		details += fmt.Sprintf("\n\n%s: %s", t.failure.Type, t.failure.Message)
	}
	workflow.SetCurrentDetails(ctx, details)
}

// list shows the status to lists, where it is not shown yet. Each change is a
// billed Action, so only what a person waits for is worth one.
func (t *agentTask) list(ctx workflow.Context, s Status) {
	if t.s.Listed == s {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeStatus.ValueSet(string(s))); err != nil {
		t.log.Error("search attribute not set", "status", s, "error", err)
		return
	}
	t.s.Listed = s
}
