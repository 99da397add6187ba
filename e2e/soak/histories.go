package main

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/errand-dev/errand/internal/books"
	"github.com/errand-dev/errand/workflows"
)

// noneStuck is the promise that no workflow's code was at odds with its
// history, which would leave it standing until other code comes.
const noneStuck books.Promise = "I14"

// checkHistories looks for tasks with such a workflow.
func (s *stage) checkHistories(ctx context.Context) ([]books.Violation, error) {
	var violations []books.Violation
	for _, e := range s.errands {
		failed, err := s.stuck(ctx, e.input.TaskID)
		if err != nil {
			return nil, err
		}
		if e.sticks {
			continue
		}
		for _, event := range failed {
			a := event.GetWorkflowTaskFailedEventAttributes()
			violations = append(violations, books.Violation{Promise: noneStuck, Text: fmt.Sprintf(
				"task %s, event %d: %s: %s", e.input.TaskID, event.GetEventId(), a.GetCause(), a.GetFailure().GetMessage())})
		}
	}
	return violations, nil
}

// stuck are the events of all runs of a task that tell of workflow code at odds
// with history. Workflow tasks fail for other reasons, too: their worker was
// lost, or news came meanwhile.
func (s *stage) stuck(ctx context.Context, taskID string) (failed []*historypb.HistoryEvent, err error) {
	for runID, more := "", true; more; more = runID != "" {
		events := s.sdk.GetWorkflowHistory(ctx, workflows.AgentTaskWorkflowID(taskID), runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			if err != nil {
				return nil, fmt.Errorf("history of %s: %w", taskID, err)
			}
			if event.GetEventId() == 1 {
				runID = event.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId()
			}
			switch event.GetWorkflowTaskFailedEventAttributes().GetCause() {
			case enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
				enumspb.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE:
				failed = append(failed, event)
			}
		}
	}
	return failed, nil
}
