package agen

// SessionStatus is the lifecycle status of a session. The vendor names no
// values.
type SessionStatus string

// AgentStatus is what the agent of a session is doing. The vendor names no
// values.
type AgentStatus string

// Origin is where a session was made: by hand in the vendor's app, by its API
// or by one of its deep-work flows. The vendor does not say how it spells them.
type Origin string

// EventStatus is how far an event of the timeline has come. The same event is
// seen with one status after the other.
type EventStatus string

// The event statuses of the vendor's documentation.
const (
	EventQueued     EventStatus = "queued"
	EventProcessing EventStatus = "processing"
	EventCompleted  EventStatus = "completed"
	EventCanceled   EventStatus = "canceled"
)

// EventType is the kind of an event of the timeline.
type EventType string

// The event types of the vendor's documentation: who said something,
const (
	EventUserMessage         EventType = "user_message"
	EventAgentMessage        EventType = "agent_message"
	EventSystemMessage       EventType = "system_message"
	EventAgentAskUser        EventType = "agent_ask_user"
	EventUserAskUserResponse EventType = "user_ask_user_response"
	EventAgentAlertCreated   EventType = "agent_alert_created"
)

// what became of the session,
const (
	EventSessionFinished    EventType = "session_finished"
	EventSessionClosed      EventType = "session_closed"
	EventMergeRequestMerged EventType = "merge_request_merged"
	EventMergeRequestClosed EventType = "merge_request_closed"
)

// what the agent did,
const (
	EventPlanExecutionUpdate  EventType = "agent_plan_execution_update"
	EventHTTPRequest          EventType = "agent_http_request"
	EventWebBrowse            EventType = "agent_web_browse"
	EventRunRepositoryCommand EventType = "agent_run_repository_command"
)

// with files
const (
	EventFileTreeBrowse  EventType = "agent_file_tree_browse"
	EventFileRead        EventType = "agent_file_read"
	EventFileReadRange   EventType = "agent_file_read_range"
	EventReadAroundMatch EventType = "agent_read_around_match"
	EventSearchFiles     EventType = "agent_search_files"
	EventSearchFilesV2   EventType = "agent_search_files_v2"
	EventFileEdit        EventType = "agent_file_edit"
	EventFileCreate      EventType = "agent_file_create"
	EventFileRemove      EventType = "agent_file_remove"
	EventFileMove        EventType = "agent_file_move"
	EventFileCopy        EventType = "agent_file_copy"
)

// and with the repository itself.
const (
	EventBranchDiff                 EventType = "agent_branch_diff"
	EventUncommittedChanges         EventType = "agent_uncommitted_changes"
	EventRollbackUncommittedChanges EventType = "agent_rollback_uncommitted_changes"
	EventConflictState              EventType = "agent_conflict_state"
	EventAbortConflictResolution    EventType = "agent_abort_conflict_resolution"
	EventCheckTargetMergeability    EventType = "agent_check_target_branch_mergeability"
	EventMergeRemoteBranch          EventType = "agent_merge_remote_branch"
	EventPullFromRemote             EventType = "agent_pull_from_remote"
	EventPushToRemote               EventType = "agent_push_to_remote"
)
