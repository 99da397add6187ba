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

// checkHistories looks for workflow tasks that failed by the fault of workflow
// code. Others fail, too: a lost worker's, or one to which news came meanwhile.
func (s *stage) checkHistories(ctx context.Context, taskID string) ([]books.Violation, error) {
	var violations []books.Violation
	for runID, more := "", true; more; {
		first, failed, err := s.failures(ctx, taskID, runID)
		if err != nil {
			return nil, fmt.Errorf("history of %s: %w", taskID, err)
		}
		for _, event := range failed {
			a := event.GetWorkflowTaskFailedEventAttributes()
			violations = append(violations, books.Violation{Promise: noneStuck, Text: fmt.Sprintf(
				"task %s, event %d: %s: %s", taskID, event.GetEventId(), a.GetCause(), a.GetFailure().GetMessage())})
		}
		runID = first.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId()
		more = runID != ""
	}
	return violations, nil
}

// failures are the first event of a run, the latest one if it is not named, and
// those of workflow tasks that failed by the fault of workflow code.
func (s *stage) failures(ctx context.Context, taskID, runID string) (first *historypb.HistoryEvent, failed []*historypb.HistoryEvent, err error) {
	events := s.sdk.GetWorkflowHistory(ctx, workflows.AgentTaskWorkflowID(taskID), runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, nil, err
		}
		if first == nil {
			first = event
		}
		switch event.GetWorkflowTaskFailedEventAttributes().GetCause() {
		case enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
			enumspb.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE:
			failed = append(failed, event)
		}
	}
	return first, failed, nil
}
