package workflows

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/provider"
)

// TaskQueue is the task queue of all of Errand's workflows and activities.
const TaskQueue = "errand"

// Names by which the world outside reaches an agent task.
const (
	AgentTaskType = "AgentTask" // workflow type

	QueryState   = "state"  // → AgentTaskState
	UpdateAnswer = "answer" // AnswerInput → Answer
	UpdatePause  = "pause"  // → Status
	UpdateResume = "resume" // → Status
	SignalAnswer = UpdateAnswer
	SignalPause  = UpdatePause
	SignalResume = UpdateResume
)

// AgentTaskWorkflowID is the workflow id of the agent task with that id.
func AgentTaskWorkflowID(taskID string) string { return agentTaskPrefix + taskID }

// TaskIDOf is the inverse of AgentTaskWorkflowID.
func TaskIDOf(workflowID string) string { return strings.TrimPrefix(workflowID, agentTaskPrefix) }

const agentTaskPrefix = "agent-task-"

// Search attributes. They are stored as they are, by Temporal's rules, so they
// hold names and states, never what people or agents wrote.
var (
	AttributeStatus     = temporal.NewSearchAttributeKeyKeyword("ErrandStatus")
	AttributeConnection = temporal.NewSearchAttributeKeyKeyword("ErrandConnection")
	AttributeBatch      = temporal.NewSearchAttributeKeyKeyword("ErrandBatch")
	AttributeLabels     = temporal.NewSearchAttributeKeyKeywordList("ErrandLabels") // "key=value"
)

// SearchAttributes are those that a namespace needs, with their types.
func SearchAttributes() map[string]enumspb.IndexedValueType {
	all := map[string]enumspb.IndexedValueType{}
	for _, key := range []temporal.SearchAttributeKey{AttributeStatus, AttributeConnection, AttributeBatch, AttributeLabels} {
		all[key.GetName()] = key.GetValueType()
	}
	return all
}

// OpenTasksQuery finds the open agent tasks of a connection in Temporal's
// visibility.
func OpenTasksQuery(connection string) string {
	return fmt.Sprintf("WorkflowType = '%s' AND %s = '%s' AND ExecutionStatus IN ('Running', 'Paused')",
		AgentTaskType, AttributeConnection.GetName(), strings.ReplaceAll(connection, "'", "''"))
}

// MaxText is the longest prompt, follow-up or answer, in characters: what the
// strictest vendor takes as one message.
const MaxText = 10_000

// MaxInput bounds the texts and the result schema of an AgentTaskInput, in
// bytes: they travel with all that the task has come to, in a payload of at
// most 2 MiB.
const MaxInput = 256 << 10

// mostRestarts bounds AgentTaskInput.MaxRestarts.
const mostRestarts = 100

// Defaults of AgentTaskInput.
const (
	DefaultTurnTimeout  = 24 * time.Hour
	DefaultStallTimeout = time.Hour

	// DefaultHeartbeatTimeout trades the cost of waiting against the time until
	// a dead worker's wait is taken up again: one heartbeat (a billed Action on
	// Temporal Cloud) each five sixths of it.
	DefaultHeartbeatTimeout = 72 * time.Second
)

// AgentTaskInput is one goal for one agent. Durations are in nanoseconds in
// JSON, as everywhere in Go.
type AgentTaskInput struct {
	TaskID     string            `json:"task_id"`
	Prompt     string            `json:"prompt"`
	StartURL   string            `json:"start_url,omitempty"`
	Connection string            `json:"connection"`
	Provider   string            `json:"provider,omitempty"` // for people and lists; the worker goes by Connection
	Agent      string            `json:"agent,omitempty"`    // the vendor's name of the agent; empty: the connection's
	Labels     map[string]string `json:"labels,omitempty"`
	Batch      string            `json:"batch,omitempty"` // id of the batch that the task is an item of

	FollowUps []string `json:"follow_ups,omitempty"` // further messages, each after the turn before it

	RestoreSession     string   `json:"restore_session,omitempty"`
	RestoreDefaultUser string   `json:"restore_default_user,omitempty"`
	Snapshot           Snapshot `json:"snapshot,omitzero"`

	// Options are what only some vendors take.
	Options provider.SessionOptions `json:"options,omitzero"`

	// Answers are given to questions in order; DefaultAnswer to any further
	// question, at once or, with a QuestionTimeout, when nobody has answered
	// by then.
	Answers       []string `json:"answers,omitempty"`
	DefaultAnswer string   `json:"default_answer,omitempty"`

	Timeout          time.Duration `json:"timeout,omitempty"`           // of the whole task; 0: none
	TurnTimeout      time.Duration `json:"turn_timeout,omitempty"`      // of one turn without its pauses; 0: DefaultTurnTimeout
	StallTimeout     time.Duration `json:"stall_timeout,omitempty"`     // how long the agent may be silent; 0: DefaultStallTimeout
	QuestionTimeout  time.Duration `json:"question_timeout,omitempty"`  // 0: a question waits for ever
	HeartbeatTimeout time.Duration `json:"heartbeat_timeout,omitempty"` // 0: DefaultHeartbeatTimeout

	ResultSchema json.RawMessage `json:"result_schema,omitempty"` // JSON Schema that the last turn's result must fit

	// MaxRestarts is how often the task starts again, in a new session and from
	// its prompt, when its session dies or its agent stalls. 0: it fails.
	MaxRestarts int `json:"max_restarts,omitempty"`

	// OnAmbiguousSend is what to do when nobody can tell whether a message has
	// reached the agent; empty: AmbiguousSendAsk.
	OnAmbiguousSend AmbiguousSend `json:"on_ambiguous_send,omitempty"`

	// Carried is the state of the run before; only continue-as-new sets it.
	Carried *taskState `json:"carried,omitempty"`
}

// Snapshot says what to keep of the session when it is deleted.
type Snapshot struct {
	Mode          provider.SnapshotMode `json:"mode,omitempty"` // empty: none
	SaveAsDefault bool                  `json:"save_as_default,omitempty"`
}

func (s Snapshot) wanted() bool { return s.Mode != "" && s.Mode != provider.SnapshotNone }

// AmbiguousSend is a policy for a message of which nobody can tell whether it
// has reached the agent: its send had no answer, and the session does not show
// it either way.
type AmbiguousSend string

// The policies.
const (
	AmbiguousSendAsk    AmbiguousSend = "ask"    // open a question of kind QuestionDelivery
	AmbiguousSendFail   AmbiguousSend = "fail"   // end the task with activities.ErrTypeAmbiguousSend
	AmbiguousSendResend AmbiguousSend = "resend" // the agent can bear to hear it twice
)

// Validate reports the first thing wrong with the input, in words for the
// person who wrote it.
func (in AgentTaskInput) Validate() error {
	if in.TaskID == "" || len(in.TaskID) > 200 {
		return fmt.Errorf("a task id has 1 to 200 bytes, this one has %d", len(in.TaskID))
	}
	if in.Connection == "" {
		return fmt.Errorf("no connection is named")
	}
	if err := checkText("prompt", in.Prompt); err != nil {
		return err
	}
	for i, f := range in.FollowUps {
		if err := checkText(fmt.Sprintf("follow-up %d", i+1), f); err != nil {
			return err
		}
	}
	for i, a := range in.Answers {
		if err := checkText(fmt.Sprintf("answer %d", i+1), a); err != nil {
			return err
		}
	}
	if in.DefaultAnswer != "" {
		if err := checkText("default answer", in.DefaultAnswer); err != nil {
			return err
		}
	}
	if err := CheckLabels(in.Labels); err != nil {
		return err
	}
	if err := in.Options.Validate(); err != nil {
		return err
	}
	if n := in.size(); n > MaxInput {
		return fmt.Errorf("the task's texts and its result schema have %d bytes; at most %d are allowed: give fewer or shorter follow-ups and answers, or a smaller schema", n, MaxInput)
	}
	switch in.Snapshot.Mode {
	case "", provider.SnapshotNone:
		if in.Snapshot.SaveAsDefault {
			return fmt.Errorf("saving as default needs a snapshot: choose memory or filesystem")
		}
	case provider.SnapshotMemory, provider.SnapshotFilesystem:
	default:
		return fmt.Errorf("unknown snapshot mode %q: choose none, memory or filesystem", in.Snapshot.Mode)
	}
	switch in.OnAmbiguousSend {
	case "", AmbiguousSendAsk, AmbiguousSendFail, AmbiguousSendResend:
	default:
		return fmt.Errorf("unknown policy %q for an ambiguous send: choose ask, fail or resend", in.OnAmbiguousSend)
	}
	if in.MaxRestarts < 0 || in.MaxRestarts > mostRestarts {
		return fmt.Errorf("a task may restart 0 to %d times, not %d", mostRestarts, in.MaxRestarts)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"timeout", in.Timeout}, {"turn timeout", in.TurnTimeout}, {"stall timeout", in.StallTimeout},
		{"question timeout", in.QuestionTimeout}, {"heartbeat timeout", in.HeartbeatTimeout},
	} {
		if d.value < 0 {
			return fmt.Errorf("the %s is negative (%s)", d.name, d.value)
		}
	}
	return nil
}

// Wishes are what the task wants that not every vendor can do.
func (in AgentTaskInput) Wishes() provider.Wishes {
	return provider.Wishes{
		Options:  in.Options,
		Snapshot: in.Snapshot.Mode,
		Restore:  in.RestoreSession != "" || in.RestoreDefaultUser != "",
	}
}

func (in AgentTaskInput) size() int {
	n := len(in.Prompt) + len(in.StartURL) + len(in.DefaultAnswer) + len(in.ResultSchema)
	for _, c := range in.Options.Capabilities {
		n += len(c.Ref) + len(c.Config)
	}
	for _, texts := range [][]string{in.FollowUps, in.Answers, in.Options.Tags, workflow.DeterministicKeys(in.Labels)} {
		for _, text := range texts {
			n += len(text)
		}
	}
	return n
}

// isLabelWord reports whether lists can find s on every store of Temporal's
// visibility.
func isLabelWord(s string) bool {
	for i, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && (i == 0 || !strings.ContainsRune(" ._/:@+,#-", r)) {
			return false
		}
	}
	n := utf8.RuneCountInString(s)
	return n > 0 && n <= 100
}

// CheckLabels reports a label that lists could not find.
func CheckLabels(labels map[string]string) error {
	for _, key := range workflow.DeterministicKeys(labels) {
		for _, word := range []string{key, labels[key]} {
			if !isLabelWord(word) {
				return fmt.Errorf("label %q: keys and values have 1 to 100 letters, digits, spaces and . _ / : @ + , # -, and begin with a letter or a digit", key+"="+labels[key])
			}
		}
	}
	return nil
}

func checkText(name, s string) error {
	switch n := utf8.RuneCountInString(s); {
	case strings.TrimSpace(s) == "":
		return fmt.Errorf("the %s is empty", name)
	case !utf8.ValidString(s):
		return fmt.Errorf("the %s is not valid UTF-8", name)
	case n > MaxText:
		return fmt.Errorf("the %s has %d characters; at most %d are allowed", name, n, MaxText)
	}
	return nil
}

// Status is the state of an agent task for people and lists.
type Status string

// The statuses of an agent task.
const (
	StatusRunning   Status = "running"
	StatusWaiting   Status = "waiting" // for a person's answer
	StatusPaused    Status = "paused"
	StatusCompleted Status = "completed"
	StatusFailed    Status = "failed"
	StatusCancelled Status = "cancelled"
	StatusTimedOut  Status = "timed_out"
)

// Closed reports whether the task has ended.
func (s Status) Closed() bool {
	switch s {
	case StatusCompleted, StatusFailed, StatusCancelled, StatusTimedOut:
		return true
	}
	return false
}

// Phase is what an agent task is doing.
type Phase string

// The phases of an agent task, in the order in which most tasks see them.
const (
	PhaseCreating Phase = "creating" // the session
	PhaseSending  Phase = "sending"  // a message, outside of a turn as older workflows did
	PhaseWorking  Phase = "working"  // the agent is
	PhaseWaiting  Phase = "waiting"  // for an answer
	PhaseDeleting Phase = "deleting" // the session
	PhaseEnded    Phase = "ended"
)

// AgentTaskState is the answer of the state query: what the task has come to.
type AgentTaskState struct {
	Phase   Phase  `json:"phase"`
	Trouble string `json:"trouble,omitempty"` // why the call under way is being tried again
	AgentTaskResult
}

// AgentTaskResult is the account of a task. A completed task returns it; a
// failed, timed out or cancelled one carries it in the details of its error.
type AgentTaskResult struct {
	Status          Status          `json:"status"`
	Session         *Session        `json:"session"`
	SessionsCreated int             `json:"sessions_created"` // with those that a create without a reply may have made
	Turns           int             `json:"turns"`
	Question        *Question       `json:"question"` // the one that waits for an answer
	Answers         []Answer        `json:"answers"`
	Result          json.RawMessage `json:"result"`
	Snapshot        *SavedSnapshot  `json:"snapshot"`
	SnapshotError   string          `json:"snapshot_error,omitempty"` // why the snapshot asked for is null
	Restarts        []Restart       `json:"restarts,omitempty"`
	Error           *TaskError      `json:"error"`
	StartedAt       time.Time       `json:"started_at"`
	FinishedAt      *time.Time      `json:"finished_at"`
}

// Session is the agent session of a task.
type Session struct {
	ID      string `json:"id"`
	ViewURL string `json:"view_url"`
	Deleted bool   `json:"deleted"`

	// Remains says that the session stays at the vendor, which has no call that
	// deletes one.
	Remains bool `json:"remains,omitempty"`

	// EnvironmentID is the same for a session that was restored from this one;
	// empty where the vendor does not say.
	EnvironmentID string `json:"environment_id,omitempty"`
}

// Question is the agent's request for input.
type Question struct {
	ID       string     `json:"id"` // q-1, q-2, … within the task
	Text     string     `json:"text"`
	AskedAt  time.Time  `json:"asked_at"`
	Deadline *time.Time `json:"deadline"`

	Kind QuestionKind `json:"kind,omitempty"`
}

// QuestionKind says who asks, and so which answers there are.
type QuestionKind string

// The kinds of questions.
const (
	QuestionAgent QuestionKind = "" // the agent asks; any answer is sent to it

	// QuestionDelivery: Errand asks whether a message has reached the agent. It
	// takes DeliverySent or DeliveryResend.
	QuestionDelivery QuestionKind = "delivery"
)

// The answers to a QuestionDelivery.
const (
	DeliverySent   = "sent"   // the agent has it
	DeliveryResend = "resend" // it has not: send it again
)

// AnswerInput answers a question.
type AnswerInput struct {
	QuestionID string `json:"question_id,omitempty"` // empty: whichever question is open
	Text       string `json:"text"`
	By         string `json:"by,omitempty"` // who answers, for the record

	// ID is the sender's own, for sending the same answer again: it is then
	// accepted once, and answered with the first outcome. Empty: no two are the
	// same.
	ID string `json:"id,omitempty"`
}

// Validate reports what is wrong with an answer to whatever question.
func (in AnswerInput) Validate() error { return checkText("answer", in.Text) }

// AnswerUpdateID is the update id under which an answer is sent, so that the
// server too knows one that it has had.
func AnswerUpdateID(in AnswerInput) string {
	if in.ID == "" {
		return ""
	}
	return in.QuestionID + "/" + in.ID
}

// Answer is an answer that was accepted.
type Answer struct {
	QuestionID string    `json:"question_id"`
	Text       string    `json:"text"`
	By         string    `json:"by"`
	At         time.Time `json:"at"`
	ID         string    `json:"id,omitempty"` // the sender's own
}

// The By of answers that no person gave.
const (
	ByScript  = "script"  // AgentTaskInput.Answers
	ByDefault = "default" // AgentTaskInput.DefaultAnswer
)

// Restart is a session that a task has given up, to start again in another.
type Restart struct {
	At           time.Time `json:"at"`
	SessionID    string    `json:"session_id"` // the one given up
	Error        TaskError `json:"error"`
	RestoredFrom string    `json:"restored_from,omitempty"` // session whose snapshot the new one begins with
}

// SavedSnapshot names what the vendor keeps of the session.
type SavedSnapshot struct {
	Mode      provider.SnapshotMode `json:"mode"`
	SessionID string                `json:"session_id"` // to restore from
	Default   bool                  `json:"default"`
}

// TaskError is why a task has no result.
type TaskError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// The types of errors with which a task ends, beside those of activities.
const (
	ErrTypeAgentError      = "AgentError"      // the agent said that it failed
	ErrTypeTaskTimeout     = "TaskTimeout"     // AgentTaskInput.Timeout
	ErrTypeQuestionTimeout = "QuestionTimeout" // AgentTaskInput.QuestionTimeout without a default answer
	ErrTypeInvalidInput    = "InvalidInput"    // the input breaks a rule of Validate
	ErrTypeCancelled       = "Cancelled"       // in TaskError alone; Temporal has a kind of its own
)
