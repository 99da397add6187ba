package main

import (
	"context"
	"time"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/sessionserver/faults"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// scenario is one way that an agent task, or another workflow, can go.
type scenario struct {
	name        string
	input       workflows.AgentTaskInput // the stage adds id, connection and agent
	faults      []faults.Rule            // of the session server
	longHistory int                      // events after which the server suggests to continue as new; 0: Temporal's own

	// play is what people do; nil for a task that nobody touches. An open task
	// is recorded as play leaves it.
	play func(context.Context, *stage) error

	want      workflows.Status
	wantError string // the type of the task's error

	// other plays another workflow instead, whole, and says what is recorded.
	other func(context.Context, *stage) ([]execution, error)
}

func prompt(script string) workflows.AgentTaskInput {
	return workflows.AgentTaskInput{Prompt: script}
}

func with(in workflows.AgentTaskInput, change func(*workflows.AgentTaskInput)) workflows.AgentTaskInput {
	change(&in)
	return in
}

// first lets the first calls of those kinds fail.
func first(n int, kind faults.Kind, on ...string) []faults.Rule {
	var rules []faults.Rule
	for _, op := range on {
		rules = append(rules, faults.Rule{On: []string{op}, Fault: kind, Times: n})
	}
	return rules
}

const (
	asking  = `think looking; ask Which size?; finish {"size":"{{answer}}"}`
	working = `think looking; wait 1h; finish 1`
	soon    = `think looking; wait 2s; finish {"price":"19.50"}`
)

var scenarios = []scenario{
	{
		name: "finish",
		input: with(prompt(`think looking; finish {"price":"19.50"}`), func(in *workflows.AgentTaskInput) {
			in.StartURL = "http://shop.localhost/teapot"
			in.Labels = map[string]string{"team": "west", "run": "7"}
		}),
		want: workflows.StatusCompleted,
	},
	{name: "answered-by-update", input: prompt(asking), want: workflows.StatusCompleted, play: answerByUpdate},
	{name: "answered-by-signal", input: prompt(asking), want: workflows.StatusCompleted, play: answerBySignal},
	{name: "answered-while-paused", input: prompt(asking), want: workflows.StatusCompleted, play: answerWhilePaused},
	{
		name:  "answered-from-input",
		input: with(prompt("ask Size?; ask Sure?; finish 1"), answers("", "M")),
		play: func(ctx context.Context, g *stage) error { // the second question is a person's
			if err := g.untilAsked(ctx); err != nil {
				return err
			}
			_, err := g.Answer(ctx, g.taskID, workflows.AnswerInput{Text: "yes", By: "someone else"})
			return err
		},
		want: workflows.StatusCompleted,
	},
	{name: "answered-by-default-at-once", input: with(prompt(asking), answers("L")), want: workflows.StatusCompleted},
	{
		name: "answered-by-default-in-the-end",
		input: with(prompt(asking), func(in *workflows.AgentTaskInput) {
			in.DefaultAnswer, in.QuestionTimeout = "L", time.Second
		}),
		want: workflows.StatusCompleted,
	},
	{
		name: "answered-before-deadline",
		input: with(prompt(asking), func(in *workflows.AgentTaskInput) {
			in.DefaultAnswer, in.QuestionTimeout, in.Timeout = "L", time.Hour, 2*time.Hour
		}),
		want: workflows.StatusCompleted,
		play: answerByUpdate,
	},
	{
		name:      "nobody-answers",
		input:     with(prompt(asking), func(in *workflows.AgentTaskInput) { in.QuestionTimeout = time.Second }),
		want:      workflows.StatusTimedOut,
		wantError: workflows.ErrTypeQuestionTimeout,
	},
	{name: "question-open", input: prompt(asking), want: workflows.StatusWaiting, play: func(ctx context.Context, g *stage) error {
		return g.untilAsked(ctx)
	}},
	{
		name: "question-open-with-deadline",
		input: with(prompt(asking), func(in *workflows.AgentTaskInput) {
			in.DefaultAnswer, in.QuestionTimeout, in.Timeout = "L", time.Hour, 2*time.Hour
		}),
		want: workflows.StatusWaiting,
		play: func(ctx context.Context, g *stage) error { return g.untilAsked(ctx) },
	},
	{name: "working-open", input: prompt(working), want: workflows.StatusRunning, play: func(ctx context.Context, g *stage) error {
		return g.untilWorking(ctx)
	}},
	{name: "paused-and-resumed", input: prompt(soon), want: workflows.StatusCompleted, play: pauseAndResume},
	{name: "paused-and-resumed-by-signal", input: prompt(soon), want: workflows.StatusCompleted, play: pauseAndResumeBySignal},
	{
		name:  "paused-and-resumed-before-deadline",
		input: with(prompt(soon), func(in *workflows.AgentTaskInput) { in.Timeout = time.Hour }),
		want:  workflows.StatusCompleted,
		play:  pauseAndResume,
	},
	{name: "paused-open", input: prompt(working), want: workflows.StatusPaused, play: pause},
	{
		name: "cancelled-while-working", input: prompt(working), want: workflows.StatusCancelled, wantError: workflows.ErrTypeCancelled,
		play: func(ctx context.Context, g *stage) error {
			if err := g.untilWorking(ctx); err != nil {
				return err
			}
			return g.Cancel(ctx, g.taskID)
		},
	},
	{
		name: "cancelled-while-asking", input: prompt(asking), want: workflows.StatusCancelled, wantError: workflows.ErrTypeCancelled,
		play: func(ctx context.Context, g *stage) error {
			if err := g.untilAsked(ctx); err != nil {
				return err
			}
			return g.Cancel(ctx, g.taskID)
		},
	},
	{
		name: "cancelled-while-paused", input: prompt(working), want: workflows.StatusCancelled, wantError: workflows.ErrTypeCancelled,
		play: func(ctx context.Context, g *stage) error {
			if err := pause(ctx, g); err != nil {
				return err
			}
			return g.Cancel(ctx, g.taskID)
		},
	},
	{
		name:        "continued",
		input:       prompt(asking),
		longHistory: 30,
		want:        workflows.StatusCompleted,
		play:        continueWhileAsking,
	},
	{
		name: "agent-failed", input: prompt("think looking; fail the page has no price"),
		want: workflows.StatusFailed, wantError: workflows.ErrTypeAgentError,
	},
	{
		name:      "no-such-connection",
		input:     with(prompt("finish 1"), func(in *workflows.AgentTaskInput) { in.Connection = "elsewhere" }),
		want:      workflows.StatusFailed,
		wantError: activities.ErrTypeUnknownConnection,
	},
	{
		name:   "outage-survived",
		input:  prompt("think looking; finish 1"),
		faults: first(2, faults.InternalError, "create", "message", "delete"),
		want:   workflows.StatusCompleted,
	},
	{
		name:      "outage-then-failed",
		input:     prompt("think looking; fail the page has no price"),
		faults:    first(2, faults.InternalError, "create", "messages", "delete"),
		want:      workflows.StatusFailed,
		wantError: workflows.ErrTypeAgentError,
	},
	{
		name:      "outage-too-long",
		input:     with(prompt("finish 1"), func(in *workflows.AgentTaskInput) { in.Timeout = 4 * time.Second }),
		faults:    []faults.Rule{{On: []string{"create"}, Fault: faults.BadGateway}},
		want:      workflows.StatusFailed, // Temporal starts no try that the deadline would cut short
		wantError: activities.ErrTypeUnavailable,
	},
	{
		name:   "rate-limited",
		input:  prompt("think looking; finish 1"),
		faults: []faults.Rule{{On: []string{"message"}, Fault: faults.TooMany, Times: 1, RetryAfter: faults.Duration(time.Second)}},
		want:   workflows.StatusCompleted,
	},
	{
		name: "snapshot",
		input: with(prompt("think looking; finish 1"), func(in *workflows.AgentTaskInput) {
			in.Snapshot = workflows.Snapshot{Mode: provider.SnapshotFilesystem, SaveAsDefault: true}
		}),
		want: workflows.StatusCompleted,
	},
	{
		name: "follow-ups",
		input: with(prompt("think looking; finish 1"), func(in *workflows.AgentTaskInput) {
			in.FollowUps = []string{"ask Sure?; finish 2", "finish 3"}
			in.Answers = []string{"yes"}
			in.ResultSchema = []byte(`{"type":"integer"}`)
		}),
		want: workflows.StatusCompleted,
	},
	{
		name:  "task-timed-out",
		input: with(prompt(working), func(in *workflows.AgentTaskInput) { in.Timeout = 2 * time.Second }),
		want:  workflows.StatusTimedOut, wantError: workflows.ErrTypeTaskTimeout,
	},
	{
		name:  "turn-timed-out",
		input: with(prompt(working), func(in *workflows.AgentTaskInput) { in.TurnTimeout = 2 * time.Second }),
		want:  workflows.StatusTimedOut, wantError: activities.ErrTypeTurnTimeout,
	},
	{
		name:   "session-vanished",
		input:  prompt(working),
		faults: []faults.Rule{{On: []string{"messages"}, Fault: faults.Vanish, Skip: 1, Times: 1}}, // the first looks before the send
		want:   workflows.StatusFailed, wantError: activities.ErrTypeSessionGone,
	},
	{
		name:   "restarted",
		input:  with(prompt(soon), restarts(1)),
		faults: first(1, faults.Vanish, "messages"),
		want:   workflows.StatusCompleted,
	},
	{
		name:   "restarted-and-failed",
		input:  with(prompt(soon), restarts(1)),
		faults: first(2, faults.Vanish, "messages"),
		want:   workflows.StatusFailed, wantError: activities.ErrTypeSessionGone,
	},
	{
		name: "restarted-from-a-snapshot",
		input: with(with(prompt(asking), restarts(2)), func(in *workflows.AgentTaskInput) {
			in.StallTimeout = 2 * time.Second
			in.Answers = []string{"M"}
			in.Snapshot.Mode = provider.SnapshotFilesystem
		}),
		faults: first(1, faults.Stuck, "turn"),
		want:   workflows.StatusCompleted,
	},
}

func restarts(n int) func(*workflows.AgentTaskInput) {
	return func(in *workflows.AgentTaskInput) { in.MaxRestarts = n }
}

func answers(fallback string, list ...string) func(*workflows.AgentTaskInput) {
	return func(in *workflows.AgentTaskInput) { in.DefaultAnswer, in.Answers = fallback, list }
}

func answerByUpdate(ctx context.Context, g *stage) error {
	if err := g.untilAsked(ctx); err != nil {
		return err
	}
	_, err := g.Answer(ctx, g.taskID, workflows.AnswerInput{QuestionID: "q-1", Text: "M", By: "someone else"})
	return err
}

// answerBySignal sends a stale answer, too, which has no effect.
func answerBySignal(ctx context.Context, g *stage) error {
	if err := g.untilAsked(ctx); err != nil {
		return err
	}
	if err := g.signal(ctx, workflows.SignalAnswer, workflows.AnswerInput{QuestionID: "q-9", Text: "S"}); err != nil {
		return err
	}
	return g.signal(ctx, workflows.SignalAnswer, workflows.AnswerInput{QuestionID: "q-1", Text: "M"})
}

// answerWhilePaused lets the pause hold the answer back.
func answerWhilePaused(ctx context.Context, g *stage) error {
	if err := g.untilAsked(ctx); err != nil {
		return err
	}
	if _, err := g.Pause(ctx, g.taskID); err != nil {
		return err
	}
	if _, err := g.Answer(ctx, g.taskID, workflows.AnswerInput{Text: "M"}); err != nil {
		return err
	}
	_, err := g.Resume(ctx, g.taskID)
	return err
}

func pause(ctx context.Context, g *stage) error {
	if err := g.untilWorking(ctx); err != nil {
		return err
	}
	_, err := g.Pause(ctx, g.taskID)
	return err
}

func pauseAndResume(ctx context.Context, g *stage) error {
	if err := pause(ctx, g); err != nil {
		return err
	}
	_, err := g.Resume(ctx, g.taskID)
	return err
}

func pauseAndResumeBySignal(ctx context.Context, g *stage) error {
	if err := g.untilWorking(ctx); err != nil {
		return err
	}
	if err := g.signal(ctx, workflows.SignalPause, nil); err != nil {
		return err
	}
	if err := g.untilStatus(ctx, workflows.StatusPaused); err != nil {
		return err
	}
	return g.signal(ctx, workflows.SignalResume, nil)
}

// continueWhileAsking makes the history long with stale answers, until the
// task has gone on in another run, and answers there.
func continueWhileAsking(ctx context.Context, g *stage) error {
	if err := g.untilAsked(ctx); err != nil {
		return err
	}
	inFirstRun := true
	for inFirstRun {
		if err := g.signal(ctx, workflows.SignalAnswer, workflows.AnswerInput{QuestionID: "q-9", Text: "S"}); err != nil {
			return err
		}
		err := g.until(ctx, "the question", func(t starter.AgentTask) bool {
			inFirstRun = t.RunID == g.firstRun
			return t.Question != nil
		})
		if err != nil {
			return err
		}
	}
	return answerByUpdate(ctx, g)
}
