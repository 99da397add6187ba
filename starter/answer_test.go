package starter

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/workflows"
)

func TestWhoComesTooLateIsToldWhoAnswered(t *testing.T) {
	task := AgentTask{
		Status: workflows.StatusCompleted,
		Answers: []workflows.Answer{
			{QuestionID: "q-1", Text: "M", By: "ada", ID: "a"},
			{QuestionID: "q-2", Text: "red", By: workflows.ByDefault},
		},
	}
	for name, c := range map[string]struct {
		in      workflows.AnswerInput
		refused string
	}{
		"a second answer":            {workflows.AnswerInput{QuestionID: "q-1", Text: "L", ID: "b"}, "question q-1 was already answered by ada; the task has ended (completed)"},
		"after the default":          {workflows.AnswerInput{QuestionID: "q-2", Text: "L", ID: "b"}, "question q-2 was already answered by default; the task has ended (completed)"},
		"whatever was open":          {workflows.AnswerInput{Text: "L", ID: "b"}, "the task has ended (completed)"},
		"a question that never was":  {workflows.AnswerInput{QuestionID: "q-9", Text: "L", ID: "b"}, "the task has ended (completed)"},
		"the same answer once more":  {workflows.AnswerInput{QuestionID: "q-1", Text: "M", ID: "a"}, ""},
		"the same, to what was open": {workflows.AnswerInput{Text: "M", ID: "a"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var accepted workflows.Answer
			err := tooLate(c.in, task, &accepted)
			if c.refused == "" {
				require.NoError(t, err)
				require.Equal(t, "ada", accepted.By)
				return
			}
			var refused *RefusedError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, c.refused, refused.Reason)
		})
	}
}
