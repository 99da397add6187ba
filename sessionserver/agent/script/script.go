// Package script is an agent that does what the message tells it, step by
// step: made for rehearsals and tests, where an agent must be predictable.
//
// The message is the script. Steps are separated by line breaks, or by a
// semicolon before a step word:
//
//	think TEXT            say a thought
//	log TEXT              say a log line
//	wait DURATION         do nothing for a while, such as 200ms or 5s
//	ask TEXT              ask; the next message is the answer
//	finish TEXT-or-JSON   end the task with this result
//	fail TEXT             fail the task
//
// In every text {{answer}} stands for the latest answer and {{now}} for the
// time of the step (RFC 3339 with nanoseconds, UTC). A finish whose text is
// JSON as written gives a JSON result, with the answer escaped inside its
// strings. A script that ends without finish or fail finishes with
// {"answers": […]}, all the answers it got.
//
// A script that was interrupted by a crash goes on where it was: no thought is
// said twice, and a wait begins again.
package script

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// fill puts the latest answer and the time into a text.
func fill(text, answer string) string {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return strings.NewReplacer("{{answer}}", answer, "{{now}}", now).Replace(text)
}

// Agent runs scripts.
type Agent struct{}

// state is where a session's script stands. Session and Message name the turn
// that it was saved in: other turns begin a new script or bring an answer.
type state struct {
	Session string   `json:"session"`
	Message int      `json:"message"`
	Script  string   `json:"script"`
	Next    int      `json:"next"` // index of the step to do next
	Answers []string `json:"answers"`
}

// Run implements [agent.Agent].
func (Agent) Run(ctx context.Context, t *agent.Turn) agent.Outcome {
	st, err := resume(t)
	if err != nil {
		return agent.Failed(err.Error())
	}
	steps, err := parse(st.Script)
	if err != nil {
		return agent.Failed("The script has an error: " + err.Error() + ".")
	}
	for st.Next < len(steps) {
		s := steps[st.Next]
		if s.word == wait {
			if err := t.Wait(ctx, s.wait); err != nil {
				return agent.Failed(err.Error())
			}
		}
		st.Next++
		if err := t.Save(st); err != nil {
			return agent.Failed(err.Error())
		}
		text := fill(s.text, st.answer())
		switch s.word {
		case think:
			err = t.Think(ctx, text)
		case log:
			err = t.Log(ctx, text)
		case ask:
			return agent.Ask(text)
		case finish:
			return agent.Finished(result(s.text, st.answer()))
		case fail:
			return agent.Failed(text)
		}
		if err != nil {
			return agent.Failed(err.Error())
		}
	}
	return agent.Finished(map[string][]string{"answers": st.Answers})
}

// resume finds out where to go on: at the first step of a new script, behind
// the question that was answered, or where this very turn was interrupted.
func resume(t *agent.Turn) (state, error) {
	var st state
	if t.State != nil {
		if err := json.Unmarshal(t.State, &st); err != nil {
			return state{}, fmt.Errorf("the saved position in the script cannot be read: %w", err)
		}
	}
	here := st.Session == t.SessionID
	switch {
	case here && st.Message == t.Message.ID:
	case here && t.Answering:
		st.Message = t.Message.ID
		st.Answers = append(st.Answers, t.Message.Text())
	default:
		st = state{Session: t.SessionID, Message: t.Message.ID, Script: t.Message.Text(), Answers: []string{}}
	}
	return st, nil
}

func (st state) answer() string {
	if len(st.Answers) == 0 {
		return ""
	}
	return st.Answers[len(st.Answers)-1]
}

// result is the result that a finish gives.
func result(text, answer string) any {
	if !json.Valid([]byte(text)) {
		return fill(text, answer)
	}
	quoted, err := json.Marshal(answer)
	if err != nil {
		return text
	}
	return json.RawMessage(fill(text, string(quoted[1:len(quoted)-1])))
}
