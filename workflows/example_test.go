package workflows_test

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/workflows"
)

// A workflow of yours that asks before it acts. It needs no handler and
// registers nothing; a worker of Errand has the question.
func ExampleAskHuman() {
	_ = func(ctx workflow.Context) (string, error) {
		answer, err := workflows.AskHuman(ctx, workflows.AskInput{
			Text:          "Deploy version 7?",
			Subject:       "Deployment of the shop",
			Timeout:       8 * time.Hour,
			DefaultAnswer: "no",
		})
		if err != nil {
			return "", err
		}
		return answer.Text + ", said " + answer.By, nil
	}
}
