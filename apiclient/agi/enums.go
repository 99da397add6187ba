package agi

// SessionStatus is the lifecycle status of a session.
type SessionStatus string

// The vendor's documentation names these lifecycle statuses.
const (
	SessionInitializing SessionStatus = "initializing"
	SessionReady        SessionStatus = "ready"
	SessionRunning      SessionStatus = "running"
	SessionPaused       SessionStatus = "paused"
	SessionCompleted    SessionStatus = "completed"
	SessionError        SessionStatus = "error"
	SessionTerminated   SessionStatus = "terminated"
)

// The vendor's Node SDK names these two as well.
const (
	SessionWaitingForInput SessionStatus = "waiting_for_input"
	SessionFinished        SessionStatus = "finished"
)

// ExecutionStatus is what the agent of a session is doing.
type ExecutionStatus string

// The vendor's documentation names these execution statuses.
const (
	ExecutionRunning         ExecutionStatus = "running"
	ExecutionWaitingForInput ExecutionStatus = "waiting_for_input"
	ExecutionFinished        ExecutionStatus = "finished"
	ExecutionError           ExecutionStatus = "error"
)

// The tests of the vendor's Python SDK expect these two as well, of a session
// that has no message yet and of a paused one.
const (
	ExecutionReady  ExecutionStatus = "ready"
	ExecutionPaused ExecutionStatus = "paused"
)

// MessageType is the kind of a message.
type MessageType string

// The message types of the vendor's documentation.
const (
	MessageThought  MessageType = "THOUGHT"
	MessageQuestion MessageType = "QUESTION"
	MessageUser     MessageType = "USER"
	MessageDone     MessageType = "DONE"
	MessageError    MessageType = "ERROR"
	MessageLog      MessageType = "LOG"
)

// EventType is the kind of an event on a session's stream.
type EventType string

// The event types of the vendor's documentation; user is in the vendor's Node
// SDK only.
const (
	EventStep      EventType = "step"
	EventThought   EventType = "thought"
	EventQuestion  EventType = "question"
	EventDone      EventType = "done"
	EventError     EventType = "error"
	EventLog       EventType = "log"
	EventPaused    EventType = "paused"
	EventResumed   EventType = "resumed"
	EventHeartbeat EventType = "heartbeat"
	EventUser      EventType = "user"
)

// SnapshotMode says what to keep of a session's environment when it is deleted.
type SnapshotMode string

// The snapshot modes of the vendor's documentation. Memory restores faster and
// less reliably; filesystem keeps authentication and is recommended.
const (
	SnapshotNone       SnapshotMode = "none"
	SnapshotMemory     SnapshotMode = "memory"
	SnapshotFilesystem SnapshotMode = "filesystem"
)

// SessionType says who provides what the agent works on.
type SessionType string

// The session types of the vendor's Node SDK.
const (
	SessionTypeManagedCDP  SessionType = "managed-cdp"
	SessionTypeExternalCDP SessionType = "external-cdp"
	SessionTypeDesktop     SessionType = "desktop"
)

// EnvironmentType is the kind of machine an agent works on.
type EnvironmentType string

// The environment types of the vendor's Node and C# SDKs.
const (
	EnvironmentUbuntu EnvironmentType = "ubuntu-1"
	EnvironmentChrome EnvironmentType = "chrome-1"
)

// ModelFilter narrows the list of models.
type ModelFilter string

// The model filters of the vendor's Node SDK.
const (
	ModelFilterCDP     ModelFilter = "cdp"
	ModelFilterDesktop ModelFilter = "desktop"
)
