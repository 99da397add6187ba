package workflows

import (
	"errors"
	"fmt"
	"time"
)

// Names by which the world outside reaches a question, besides those that it
// shares with an agent task.
const (
	AskType = "Ask" // workflow type: AskInput → Answer

	// QueryInquiry → Inquiry: what a workflow asks people. Ask and AgentTask
	// answer it, and the inbox reads it.
	QueryInquiry = "inquiry"
)

const askPrefix = "ask-"

// AskWorkflowID is the workflow id of a question of a workflow; id is its
// AskInput.ID and may be empty.
func AskWorkflowID(asker, id string) string {
	if id == "" {
		return askPrefix + asker
	}
	return askPrefix + asker + "-" + id
}

// AskInput is a question to people. Durations are in nanoseconds in JSON.
type AskInput struct {
	// ID tells apart the questions that a workflow has open at once. Those that
	// it asks one after the other may share one, or have none.
	ID string `json:"id,omitempty"`

	Text    string `json:"text"`
	Subject string `json:"subject,omitempty"` // what it is about, in a line; empty: the asking workflow's id

	Timeout       time.Duration `json:"timeout,omitempty"`        // how long to wait; 0: for ever
	DefaultAnswer string        `json:"default_answer,omitempty"` // taken after Timeout; empty: the question fails then

	TaskQueue string `json:"task_queue,omitempty"` // of a worker that Ask is registered with; empty: TaskQueue

	// Carried is the state of the run before; only continue-as-new sets it.
	Carried *askState `json:"carried,omitempty"`
}

// Validate reports the first thing wrong with the input, in words for the
// person who wrote it.
func (in AskInput) Validate() error {
	if err := checkText("question", in.Text); err != nil {
		return err
	}
	if in.ID != "" && !isLabelWord(in.ID) {
		return fmt.Errorf("question id %q: 1 to 100 letters, digits, spaces and . _ / : @ + , # -, and it begins with a letter or a digit", in.ID)
	}
	if in.Subject != "" {
		if err := checkText("subject", in.Subject); err != nil {
			return err
		}
	}
	switch {
	case in.Timeout < 0:
		return fmt.Errorf("the timeout is negative (%s)", in.Timeout)
	case in.DefaultAnswer != "" && in.Timeout == 0:
		return errors.New("a default answer needs a timeout, after which it is taken")
	case in.DefaultAnswer != "":
		return checkText("default answer", in.DefaultAnswer)
	}
	return nil
}

// Inquiry is the answer of QueryInquiry.
type Inquiry struct {
	Status   Status    `json:"status"`
	Subject  string    `json:"subject"`         // the prompt of an agent task, AskInput.Subject
	Asker    string    `json:"asker,omitempty"` // workflow id of who asks through AskHuman
	ViewURL  string    `json:"view_url,omitempty"`
	Question *Question `json:"question"` // the open one; null when there is none
}

// inquiry answers the inquiry query.
func (t *agentTask) inquiry() Inquiry {
	i := Inquiry{Status: t.status(), Subject: t.in.Prompt, Question: t.s.Question}
	if t.s.Session != nil {
		i.ViewURL = t.s.Session.ViewURL
	}
	return i
}
