package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
)

// patience is what a story may take that should take a moment.
const patience = time.Minute

// story is one agent task in the test environment, with a vendor that plays
// the turns it is given and writes down what it was called for.
type story struct {
	*testsuite.TestWorkflowEnvironment
	t        *testing.T
	calls    []string
	waits    []activities.TakeTurnInput
	creates  []activities.CreateSessionInput
	deletes  []activities.DeleteSessionInput
	paused   []string                       // sessions
	lost     int                            // what a create says of lost ones
	deletion activities.DeleteSessionOutput // what a delete says
	listed   []Status
	fail     map[string][]error          // errors of the next calls, by activity
	weather  func(activity string) error // of each call besides; nil: fair

	updates []*reply
}

func newStory(t *testing.T) *story {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	s := &story{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, fail: map[string][]error{}}
	s.deletion.Found = true
	s.SetTestTimeout(patience) // of the wall clock, on a busy machine
	s.RegisterWorkflow(AgentTask)
	s.RegisterActivity(acts)
	s.OnActivity(acts.CreateSession, mock.Anything, mock.Anything).Maybe().Return(
		func(_ context.Context, in activities.CreateSessionInput) (activities.Session, error) {
			s.creates = append(s.creates, in)
			id := fmt.Sprintf("s-%d", in.Number+1)
			return activities.Session{ID: id, ViewURL: "https://vendor.example/" + id, Ref: "ref-" + id, Lost: s.lost},
				s.called("create", "CreateSession")
		})
	s.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		if name := info.ActivityType.Name; name != "TakeTurn" && name != "AwaitTurn" {
			return
		}
		var in activities.TakeTurnInput
		require.NoError(t, args.Get(&in))
		s.waits = append(s.waits, in)
		switch m := in.Message; {
		case m == nil:
		case m.Before != activities.FateNone:
			s.calls = append(s.calls, "look for "+m.Text)
		default:
			s.calls = append(s.calls, "send "+m.Text)
		}
	})
	for name, activity := range map[string]any{
		"pause": acts.PauseSession, "resume": acts.ResumeSession, "cancel": acts.CancelSession,
	} {
		s.OnActivity(activity, mock.Anything, mock.Anything).Maybe().Return(
			func(_ context.Context, in activities.SessionInput) error {
				if name == "pause" {
					s.paused = append(s.paused, in.SessionID)
				}
				return s.called(name, name)
			})
	}
	s.OnActivity(acts.DeleteSession, mock.Anything, mock.Anything).Maybe().Return(
		func(_ context.Context, in activities.DeleteSessionInput) (activities.DeleteSessionOutput, error) {
			what, kind := "delete", "DeleteSession"
			if in.Snapshot != "" {
				what += fmt.Sprintf(" keeping %s default=%t", in.Snapshot, in.SaveAsDefault)
				kind = "snapshot"
			}
			s.deletes = append(s.deletes, in)
			return s.deletion, s.called(what, kind)
		})
	s.OnUpsertTypedSearchAttributes(mock.Anything).Maybe().Run(func(args mock.Arguments) {
		if status, ok := args.Get(0).(temporal.SearchAttributes).GetKeyword(AttributeStatus); ok {
			s.listed = append(s.listed, Status(status))
		}
	}).Return(nil)
	return s
}

func (s *story) called(what, activity string) error {
	s.calls = append(s.calls, what)
	if errs := s.fail[activity]; len(errs) > 0 {
		s.fail[activity] = errs[1:]
		return errs[0]
	}
	if s.weather != nil {
		return s.weather(activity)
	}
	return nil
}

// turn lets the next turn end so, after the agent has worked for so long.
func (s *story) turn(work time.Duration, turn activities.Turn, err error) {
	s.turnOf(acts.TakeTurn, work, turn, err)
}

// turnOf is turn for an activity of that name.
func (s *story) turnOf(activity any, work time.Duration, turn activities.Turn, err error) {
	s.OnActivity(activity, mock.Anything, mock.Anything).Once().After(work).Return(
		func(context.Context, activities.TakeTurnInput) (activities.Turn, error) { return turn, err })
}

func finished(cursor provider.Watermark, result string) activities.Turn {
	return activities.Turn{Outcome: provider.OutcomeFinished, Result: json.RawMessage(result), Cursor: cursor}
}

func question(cursor provider.Watermark, text string) activities.Turn {
	return activities.Turn{Outcome: provider.OutcomeQuestion, Text: text, Cursor: cursor}
}

func (s *story) at(after time.Duration, do func()) { s.RegisterDelayedCallback(do, after) }

// run runs the task to its end and returns its account, wherever the workflow
// put it.
func (s *story) run(in AgentTaskInput) (AgentTaskResult, error) {
	s.t.Helper()
	s.ExecuteWorkflow(AgentTask, in)
	require.True(s.t, s.IsWorkflowCompleted())
	return accountOf(s.t, s.TestWorkflowEnvironment)
}

// accountOf is the account of a task that has ended, and its error.
func accountOf(t require.TestingT, env *testsuite.TestWorkflowEnvironment) (AgentTaskResult, error) {
	var result AgentTaskResult
	err := env.GetWorkflowError()
	var app *temporal.ApplicationError
	var canceled *temporal.CanceledError
	switch {
	case err == nil:
		require.NoError(t, env.GetWorkflowResult(&result))
	case errors.As(err, &canceled) && canceled.HasDetails():
		require.NoError(t, canceled.Details(&result))
	case errors.As(err, &app) && app.HasDetails():
		require.NoError(t, app.Details(&result))
	}
	return result, err
}

func (s *story) state() AgentTaskState {
	s.t.Helper()
	value, err := s.QueryWorkflow(QueryState)
	require.NoError(s.t, err)
	var state AgentTaskState
	require.NoError(s.t, value.Get(&state))
	return state
}

// reply is what came of an update; it is there when the story has ended.
type reply struct {
	err  error
	done bool
	got  any
}

func (r *reply) Accept()                 {}
func (r *reply) Reject(err error)        { r.err, r.done = err, true }
func (r *reply) Complete(v any, e error) { r.got, r.err, r.done = v, e, true }

func (s *story) update(name string, args ...any) *reply {
	r := &reply{}
	s.updates = append(s.updates, r)
	s.UpdateWorkflow(name, fmt.Sprintf("update-%d", len(s.updates)), r, args...)
	return r
}

func (r *reply) requireTaken(t *testing.T) {
	t.Helper()
	require.NotNil(t, r)
	require.True(t, r.done, "the update was not answered")
	require.NoError(t, r.err)
}

func (r *reply) requireRefused(t *testing.T, words string) {
	t.Helper()
	require.NotNil(t, r)
	require.True(t, r.done, "the update was not answered")
	require.ErrorContains(t, r.err, words)
}

func task() AgentTaskInput {
	return AgentTaskInput{TaskID: "t-1", Prompt: "Report the price", StartURL: "https://shop.example/p", Connection: "agi"}
}

// quiet drops the SDK's chatter.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
