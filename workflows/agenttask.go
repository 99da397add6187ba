// Package workflows holds Errand's durable stories and their public contract:
// names, inputs, results, ids.
//
// A story is deterministic. Whatever touches the world is an activity, and the
// time is the workflow's.
package workflows

import (
	"go.temporal.io/sdk/workflow"
)

// AgentTask runs one goal with one agent: it creates a session, sends the
// prompt, waits for the agent, lets people answer its questions, and deletes
// the session whatever happened.
func AgentTask(ctx workflow.Context, in AgentTaskInput) (AgentTaskResult, error) {
	t, err := newAgentTask(ctx, in)
	if err != nil {
		return AgentTaskResult{}, err
	}
	if err := t.register(ctx); err != nil {
		return AgentTaskResult{}, err
	}
	return t.run(ctx)
}

// run takes one step after the other. Between two steps the whole story is in
// t.s, so it can go on in a new run there.
func (t *agentTask) run(ctx workflow.Context) (AgentTaskResult, error) {
	for {
		step := t.next()
		if step == nil {
			return t.finish(ctx, nil)
		}
		if err := step(ctx); err != nil {
			if err := t.startAgain(ctx, err); err != nil {
				return t.finish(ctx, err)
			}
		}
		if t.historyIsLong(ctx) {
			return AgentTaskResult{}, t.continueAsNew(ctx)
		}
	}
}

// next is the story of an agent task.
func (t *agentTask) next() func(workflow.Context) error {
	switch {
	case t.held():
		return t.hold
	case t.s.Session == nil:
		return t.createSession
	case t.s.Question != nil:
		return t.awaitAnswer
	case t.s.TurnOpen:
		return t.awaitTurn
	case t.s.Outbox != nil:
		return t.openTurn
	case t.s.FollowUpsSent < len(t.in.FollowUps):
		return t.followUp
	default:
		return nil
	}
}

// held reports whether a pause stops the story here. An agent that its vendor
// cannot pause works on to the end of its turn, and a question stays open; a
// message that is still to be sent waits.
func (t *agentTask) held() bool {
	if !t.s.Paused || t.s.Question != nil {
		return false
	}
	working := t.s.TurnOpen && !t.s.SessionPaused
	return !working || t.s.Outbox != nil
}
