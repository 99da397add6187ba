package starter

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/errand-dev/errand/workflows"
)

// answer sends an answer to the agent task of that id, or else to the workflow
// of that id.
func (c *Client) answer(ctx context.Context, id string, in workflows.AnswerInput, accepted *workflows.Answer) error {
	m := message{name: workflows.UpdateAnswer, id: workflows.AnswerUpdateID(in), args: []any{in}}
	err := c.updateWorkflow(ctx, workflows.AgentTaskWorkflowID(id), m, accepted)
	if !errors.Is(err, ErrUnknownTask) {
		return err
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout) // the update may have used up all its time
	defer cancel()
	if task, lookup := c.AgentTask(late, id); !errors.Is(lookup, ErrUnknownTask) {
		if lookup != nil || !task.Status.Closed() {
			return err
		}
		return tooLate(in, task, accepted)
	}
	elsewhere := c.updateWorkflow(ctx, id, m, accepted)
	if errors.Is(elsewhere, ErrUnknownTask) {
		return c.explainAnswered(late, id, in, accepted, err)
	}
	return elsewhere
}

// tooLate says what became of the question of a task that has ended. An answer
// that was accepted before it is sent again is no second answer.
func tooLate(in workflows.AnswerInput, task AgentTask, accepted *workflows.Answer) error {
	ended := fmt.Sprintf("the task has ended (%s)", task.Status)
	for _, a := range task.Answers {
		if in.ID != "" && a.ID == in.ID {
			*accepted = a
			return nil
		}
		if a.QuestionID == in.QuestionID {
			return &RefusedError{Reason: fmt.Sprintf("question %s was already answered by %s; %s", a.QuestionID, a.By, ended)}
		}
	}
	return &RefusedError{Reason: ended}
}

// explainAnswered says who answered a question that was a workflow of its own:
// it ends with its answer.
func (c *Client) explainAnswered(ctx context.Context, workflowID string, in workflows.AnswerInput, accepted *workflows.Answer, notFound error) error {
	d, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return notFound
	}
	info := d.GetWorkflowExecutionInfo()
	if info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return notFound
	}
	ended := &RefusedError{Reason: "nothing is asked any more: the workflow has ended"}
	if info.GetType().GetName() != workflows.AskType || info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		return ended
	}
	var a workflows.Answer
	if err := c.temporal.GetWorkflow(ctx, workflowID, info.GetExecution().GetRunId()).Get(ctx, &a); err != nil {
		return ended
	}
	switch {
	case in.QuestionID != "" && in.QuestionID != a.QuestionID:
		return &RefusedError{Reason: fmt.Sprintf("question %s is not open", in.QuestionID)}
	case a.ID == in.ID:
		*accepted = a
		return nil
	}
	return &RefusedError{Reason: fmt.Sprintf("question %s was already answered by %s", a.QuestionID, a.By)}
}
