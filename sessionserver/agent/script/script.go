// Package script is an agent that does what the message tells it, step by
// step: made for rehearsals and tests, where an agent must be predictable.
//
// The message is the script. Steps are separated by line breaks, or by a
// semicolon before a step word:
//
//	think TEXT            say a thought
//	log TEXT              say a log line
//	wait DURATION         do nothing for a while, such as 200ms or 5s
//	write FILE TEXT       write a file of the session's working directory
//	ask TEXT              ask; the next message is the answer
//	finish TEXT-or-JSON   end the task with this result
//	fail TEXT             fail the task
//
// In every text {{answer}} stands for the latest answer, {{now}} for the time
// of the step (RFC 3339 with nanoseconds, UTC) and {{file NAME}} for what is in
// a file of the working directory, nothing if there is none. A finish whose
// text is JSON as written gives a JSON result, with what is put in escaped
// inside its strings. A script that ends without finish or fail finishes with
// {"answers": […]}, all the answers it got.
//
// A script that was interrupted by a crash goes on where it was: no thought is
// said twice, and a wait begins again.
package script

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/errand-dev/errand/sessionserver/agent"
)

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

// Open implements [agent.Agent].
func (a Agent) Open(agent.Session) agent.Worker { return agent.PerTurn(a.run) }

// run does the steps of one turn.
func (Agent) run(ctx context.Context, t *agent.Turn) agent.Outcome {
	st, err := resume(t)
	if err != nil {
		return agent.Failed(err.Error())
	}
	steps, err := parse(st.Script)
	if err != nil {
		return agent.Failed("The script has an error: " + err.Error() + ".")
	}
	for st.Next < len(steps) {
		place := place{t.Session, st.answer()}
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
		text, err := place.fill(s.text, plain)
		if err != nil {
			return agent.Failed(err.Error())
		}
		switch s.word {
		case think:
			err = t.Think(ctx, text)
		case log:
			err = t.Log(ctx, text)
		case write:
			err = place.write(s.file, text)
		case ask:
			return agent.Ask(text)
		case finish:
			result, err := place.result(s.text)
			if err != nil {
				return agent.Failed(err.Error())
			}
			return agent.Finished(result)
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
	here := st.Session == t.Session.ID
	switch {
	case here && st.Message == t.Message.ID:
	case here && t.Answering:
		st.Message = t.Message.ID
		st.Answers = append(st.Answers, t.Message.Text())
	default:
		st = state{Session: t.Session.ID, Message: t.Message.ID, Script: t.Message.Text(), Answers: []string{}}
	}
	return st, nil
}

func (st state) answer() string {
	if len(st.Answers) == 0 {
		return ""
	}
	return st.Answers[len(st.Answers)-1]
}
