package workflows

import (
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// StartOptions are those with which an agent task is started: a second start of
// its id is refused, whether the first is open or closed.
func StartOptions(in AgentTaskInput) client.StartWorkflowOptions {
	attributes := []temporal.SearchAttributeUpdate{
		AttributeStatus.ValueSet(string(StatusRunning)),
		AttributeConnection.ValueSet(in.Connection),
	}
	if in.Batch != "" {
		attributes = append(attributes, AttributeBatch.ValueSet(in.Batch))
	}
	if len(in.Labels) > 0 {
		attributes = append(attributes, AttributeLabels.ValueSet(LabelWords(in.Labels)))
	}
	return client.StartWorkflowOptions{
		ID:                                       AgentTaskWorkflowID(in.TaskID),
		TaskQueue:                                TaskQueue,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    temporal.NewSearchAttributes(attributes...),
		StaticSummary:                            summary(in.Prompt),
		EnableEagerStart:                         true,
	}
}

// BatchStartOptions are those with which a batch is started. A later attempt
// takes the place of the one before, once that has closed.
func BatchStartOptions(in BatchInput) client.StartWorkflowOptions {
	reuse := enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	if in.Attempt > 1 {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	return client.StartWorkflowOptions{
		ID:                                       BatchWorkflowID(in.Batch.ID),
		TaskQueue:                                TaskQueue,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    reuse,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			AttributeStatus.ValueSet(string(StatusRunning)),
			AttributeConnection.ValueSet(in.Task.Connection),
			AttributeBatch.ValueSet(in.Batch.ID),
		),
	}
}

// LabelWords are labels as the search attribute has them.
func LabelWords(labels map[string]string) []string {
	words := make([]string, 0, len(labels))
	for k, v := range labels {
		words = append(words, k+"="+v)
	}
	slices.Sort(words)
	return words
}

// summaryLength bounds the line by which Temporal's pages show a task, in
// bytes; the server takes 400.
const summaryLength = 200

func summary(prompt string) string {
	s := strings.Join(strings.Fields(prompt), " ")
	if len(s) <= summaryLength {
		return s
	}
	cut := summaryLength
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not inside a UTF-8 sequence
		cut--
	}
	return s[:cut] + "…"
}
