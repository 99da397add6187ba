package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/activities"
)

// What follows is for workflows that began before turns sent their own
// messages. It can go when none of them is open any more.

// sendMessage sends what is in the outbox and opens a turn.
func (t *agentTask) sendMessage(ctx workflow.Context) error {
	t.enter(ctx, PhaseSending)
	_, err := call[activities.SendMessageOutput](t, ctx, callPlan{
		summary: "send a message",
		once:    patientCall,
		total:   t.remaining(ctx, outage),
	}, acts.SendMessage, activities.SendMessageInput{
		Connection: t.in.Connection,
		SessionID:  t.s.Session.ID,
		Text:       t.s.Outbox.Text,
		StartURL:   t.s.Outbox.StartURL,
		After:      t.s.Watermark,
	})
	if err != nil {
		return err
	}
	t.s.Outbox = nil
	t.s.TurnOpen = true
	t.s.TurnDeadline = workflow.Now(ctx).Add(t.in.TurnTimeout)
	t.s.Turns++
	return nil
}

// turnActivity is what takes care of the open turn.
func (t *agentTask) turnActivity() any {
	if t.s.TurnDeadline.IsZero() {
		return acts.TakeTurn
	}
	return acts.AwaitTurn
}

// legacyDeadline is that of a turn that did not send its message.
func (t *agentTask) legacyDeadline() *time.Time {
	if t.s.TurnDeadline.IsZero() {
		return nil
	}
	return &t.s.TurnDeadline
}

// extendDeadline does not hold a pause against such a turn.
func (t *agentTask) extendDeadline(ctx workflow.Context) {
	if !t.s.TurnDeadline.IsZero() {
		t.s.TurnDeadline = t.s.TurnDeadline.Add(workflow.Now(ctx).Sub(t.s.PausedAt))
	}
}
