package everruns

// SessionStatus is what a session is doing. There is no status for the end of
// its work: see [EventTurnCompleted].
type SessionStatus string

// The session statuses of the vendor's OpenAPI file. Active means that a turn
// is under way, idle that none is.
const (
	SessionStarted SessionStatus = "started"
	SessionActive  SessionStatus = "active"
	SessionIdle    SessionStatus = "idle"
)

// The session statuses of the current profile. Its JSON spells the first one in
// one word and its prose, statistics and events with underscores; see
// [SessionStatus.Known].
const (
	SessionWaitingForToolResults SessionStatus = "waitingfortoolresults"
	SessionPaused                SessionStatus = "paused" // by a budget
)

// Known brings the other spellings and the words of older servers to the
// statuses that are named here. A word that is unknown stays as it is.
func (s SessionStatus) Known() SessionStatus {
	switch s {
	case "waiting_for_tool_results":
		return SessionWaitingForToolResults
	case "running":
		return SessionActive
	case "pending", "completed", "failed":
		return SessionIdle
	}
	return s
}

// MessageRole says whose message it is.
type MessageRole string

// The message roles.
const (
	RoleSystem     MessageRole = "system"
	RoleUser       MessageRole = "user"
	RoleAgent      MessageRole = "agent"
	RoleToolResult MessageRole = "tool_result"
)

// ContentType is the kind of a content part.
type ContentType string

// The kinds of content parts. Users send the first three.
const (
	ContentText       ContentType = "text"
	ContentImage      ContentType = "image"
	ContentImageFile  ContentType = "image_file"
	ContentToolCall   ContentType = "tool_call"
	ContentToolResult ContentType = "tool_result"
)

// EventType is the kind of an event.
type EventType string

// The event types of the vendor's OpenAPI file.
const (
	EventSessionStarted    EventType = "session.started"
	EventSessionActivated  EventType = "session.activated"
	EventSessionIdled      EventType = "session.idled"
	EventInputMessage      EventType = "input.message"
	EventTurnStarted       EventType = "turn.started"
	EventTurnCompleted     EventType = "turn.completed"
	EventTurnFailed        EventType = "turn.failed"
	EventTurnCancelled     EventType = "turn.cancelled"
	EventReasonStarted     EventType = "reason.started"
	EventReasonCompleted   EventType = "reason.completed"
	EventThinkingStarted   EventType = "reason.thinking.started"
	EventThinkingDelta     EventType = "reason.thinking.delta"
	EventThinkingCompleted EventType = "reason.thinking.completed"
	EventActStarted        EventType = "act.started"
	EventActCompleted      EventType = "act.completed"
	EventToolStarted       EventType = "tool.started"
	EventToolCompleted     EventType = "tool.completed"
	EventOutputStarted     EventType = "output.message.started"
	EventOutputDelta       EventType = "output.message.delta"
	EventOutputCompleted   EventType = "output.message.completed"
	EventGeneration        EventType = "llm.generation"
)

// Event types of the current profile, which has more.
const (
	EventOutputReplaced    EventType = "output.message.replaced"
	EventTurnSealed        EventType = "turn.sealed"
	EventToolCallRequested EventType = "tool.call_requested"
	EventTaskCreated       EventType = "task.created"
	EventTaskUpdated       EventType = "task.updated"
)

// The events of a stream's connection, which belong to no session and have no
// id.
const (
	EventConnected     EventType = "connected"
	EventDisconnecting EventType = "disconnecting"
)

// CancelStatus says what came of a cancellation.
type CancelStatus string

// The cancel statuses. NoOp means that there was nothing to cancel.
const (
	CancelCancelled CancelStatus = "cancelled"
	CancelNoOp      CancelStatus = "no_op"
)

// TaskState is the state of a session's task.
type TaskState string

// The task states of the current profile.
const (
	TaskQueued        TaskState = "queued"
	TaskRunning       TaskState = "running"
	TaskAwaitingInput TaskState = "awaiting_input"
	TaskSucceeded     TaskState = "succeeded"
	TaskFailed        TaskState = "failed"
	TaskCanceled      TaskState = "canceled"
)

// AgentStatus says whether an agent can be used.
type AgentStatus string

// The agent statuses.
const (
	AgentActive   AgentStatus = "active"
	AgentArchived AgentStatus = "archived"
)

// ReasoningEffort is how much a model is to think.
type ReasoningEffort string

// The reasoning efforts.
const (
	EffortNone    ReasoningEffort = "none"
	EffortMinimal ReasoningEffort = "minimal"
	EffortLow     ReasoningEffort = "low"
	EffortMedium  ReasoningEffort = "medium"
	EffortHigh    ReasoningEffort = "high"
	EffortXHigh   ReasoningEffort = "xhigh"
)

// ModelSource says how a model came into an organization.
type ModelSource string

// The model sources.
const (
	SourceManual     ModelSource = "manual"
	SourceDiscovered ModelSource = "discovered"
	SourcePredefined ModelSource = "predefined"
)

// ModelStatus says whether a model can be used.
type ModelStatus string

// The model statuses.
const (
	ModelActive   ModelStatus = "active"
	ModelDisabled ModelStatus = "disabled"
)
