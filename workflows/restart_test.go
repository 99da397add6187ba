package workflows

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
)

func TestATaskWhoseSessionDiesStartsAgainFromItsPrompt(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Which size?"), nil)
	s.turn(time.Minute, finished("6", `1`), nil)
	s.turn(time.Minute, activities.Turn{}, final(activities.ErrTypeSessionGone)) // in the follow-up
	s.turn(time.Minute, question("2", "Which size?"), nil)
	s.turn(time.Minute, finished("5", `2`), nil)
	s.turn(time.Minute, finished("8", `3`), nil)
	s.at(2*time.Minute, func() { s.update(UpdateAnswer, AnswerInput{Text: "M", By: "ada"}) })
	in := task()
	in.FollowUps, in.MaxRestarts = []string{"more"}, 1

	result, err := s.run(in)

	require.NoError(t, err)
	require.Equal(t, []string{
		"create", "send Report the price", "send M", "send more", "delete",
		"create", "send Report the price", "send M", "send more", "delete",
	}, s.calls, "nobody is asked the same twice")
	require.JSONEq(t, `3`, string(result.Result))
	require.Equal(t, "s-2", result.Session.ID)
	require.Equal(t, 2, result.SessionsCreated)
	require.Equal(t, 6, result.Turns)
	require.Equal(t, []string{"q-1 ada", "q-2 ada"}, []string{
		result.Answers[0].QuestionID + " " + result.Answers[0].By, result.Answers[1].QuestionID + " " + result.Answers[1].By,
	})
	require.Len(t, result.Restarts, 1)
	require.Equal(t, "s-1", result.Restarts[0].SessionID)
	require.Equal(t, TaskError{Type: activities.ErrTypeSessionGone, Message: "no"}, result.Restarts[0].Error)
	require.Equal(t, []int{0, 1}, []int{s.creates[0].Number, s.creates[1].Number})
	require.Equal(t, "ref-s-1", s.deletes[0].Ref)
	require.Equal(t, provider.Watermark(""), s.waits[3].After, "nothing of the old session counts in the new one")
}

func TestAStalledAgentIsStoppedAndItsSnapshotGoesOn(t *testing.T) {
	s := newStory(t)
	s.turn(time.Hour, activities.Turn{}, final(activities.ErrTypeStalled))
	s.turn(time.Minute, finished("5", `2`), nil)
	in := task()
	in.MaxRestarts = 3
	in.RestoreSession = "s-0"
	in.Snapshot = Snapshot{Mode: provider.SnapshotFilesystem, SaveAsDefault: true}

	result, err := s.run(in)

	require.NoError(t, err)
	require.Equal(t, []string{
		"create", "send Report the price", "cancel", "delete keeping filesystem default=false",
		"create", "send Report the price", "delete keeping filesystem default=true",
	}, s.calls)
	require.Equal(t, []string{"s-0", "s-1"}, []string{s.creates[0].RestoreSession, s.creates[1].RestoreSession})
	require.Equal(t, "s-1", result.Restarts[0].RestoredFrom)
	require.Equal(t, activities.ErrTypeStalled, result.Restarts[0].Error.Type)
	require.Equal(t, "s-2", result.Snapshot.SessionID)
}

func TestASessionThatIsGoneIsRestoredFromWhatTheTaskBeganWith(t *testing.T) {
	s := newStory(t)
	s.deletion.Found = false
	s.turn(0, activities.Turn{}, final(activities.ErrTypeSessionGone))
	s.turn(0, finished("5", `2`), nil)
	in := task()
	in.MaxRestarts, in.RestoreSession = 1, "s-0"
	result, err := s.run(in)
	require.NoError(t, err)
	require.Equal(t, "s-0", s.creates[1].RestoreSession)
	require.Equal(t, "s-0", result.Restarts[0].RestoredFrom)
}

func TestATaskDoesNotStartAgain(t *testing.T) {
	gone := final(activities.ErrTypeSessionGone)
	for name, test := range map[string]struct {
		restarts int
		turns    []error
		errType  string
		sessions int
		before   func(*story, *AgentTaskInput)
	}{
		"without leave to":                 {0, []error{gone}, activities.ErrTypeSessionGone, 1, nil},
		"more often than it may":           {2, []error{gone, gone, gone}, activities.ErrTypeSessionGone, 3, nil},
		"for a failure of another kind":    {5, []error{final(activities.ErrTypeUnauthorized)}, activities.ErrTypeUnauthorized, 1, nil},
		"for an agent that took too long":  {5, []error{final(activities.ErrTypeTurnTimeout)}, activities.ErrTypeTurnTimeout, 1, nil},
		"when it is cancelled in the turn": {5, []error{gone}, "", 1, func(s *story, _ *AgentTaskInput) { s.at(time.Second, s.CancelWorkflow) }},
		"after its own deadline": {5, []error{gone}, ErrTypeTaskTimeout, 1,
			func(_ *story, in *AgentTaskInput) { in.Timeout = time.Minute }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			for _, err := range test.turns {
				s.turn(time.Minute, activities.Turn{}, err)
			}
			in := task()
			in.MaxRestarts = test.restarts
			if test.before != nil {
				test.before(s, &in)
			}
			result, err := s.run(in)
			if test.errType == "" {
				require.True(t, temporal.IsCanceledError(err), "%v", err)
			} else {
				requireType(t, err, test.errType)
			}
			require.Equal(t, test.sessions, result.SessionsCreated)
			require.Len(t, result.Restarts, test.sessions-1)
			require.True(t, result.Session.Deleted)
		})
	}
}

func TestACancelWhileStartingAgainStillDeletesTheSession(t *testing.T) {
	s := newStory(t)
	s.fail["DeleteSession"] = []error{retryable(activities.ErrTypeUnavailable, time.Hour)}
	s.turn(time.Minute, activities.Turn{}, final(activities.ErrTypeSessionGone))
	s.at(2*time.Minute, s.CancelWorkflow) // while the Retry-After of the delete passes
	in := task()
	in.MaxRestarts = 1

	result, err := s.run(in)

	require.True(t, temporal.IsCanceledError(err), "%v", err)
	require.Equal(t, []string{"create", "send Report the price", "delete", "cancel", "delete"}, s.calls)
	require.Equal(t, "s-1", result.Session.ID)
	require.True(t, result.Session.Deleted)
	require.Equal(t, 1, result.SessionsCreated)
	require.Empty(t, result.Restarts)
}

func TestARestartSurvivesTheSecondRun(t *testing.T) {
	first := newStory(t)
	first.turn(time.Minute, question("3", "Size?"), nil)
	first.turn(time.Minute, activities.Turn{}, final(activities.ErrTypeSessionGone))
	first.at(2*time.Minute, func() { first.update(UpdateAnswer, AnswerInput{Text: "M", By: "ada"}) })
	first.at(2*time.Minute+30*time.Second, func() { first.SetContinueAsNewSuggested(true) })
	in := task()
	in.MaxRestarts = 1
	_, err := first.run(in)
	carried := nextRun(t, err)
	require.Nil(t, carried.Carried.Session)
	require.Equal(t, []string{"create", "send Report the price", "send M", "delete"}, first.calls)

	second := newStory(t)
	second.turn(time.Minute, question("3", "Size?"), nil)
	second.turn(time.Minute, activities.Turn{}, final(activities.ErrTypeSessionGone))
	result, err := second.run(carried)
	requireType(t, err, activities.ErrTypeSessionGone)
	require.Equal(t, []string{"create", "send Report the price", "send M", "cancel", "delete"}, second.calls)
	require.Len(t, result.Restarts, 1)
	require.Equal(t, 2, result.SessionsCreated)
}

func TestAQuestionThatIsAskedAgainInTheSameSessionGoesToPeople(t *testing.T) {
	s := newStory(t)
	s.turn(0, question("3", "Size?"), nil)
	s.turn(0, activities.Turn{}, final(activities.ErrTypeSessionGone))
	s.turn(0, question("3", "Size?"), nil) // answered from memory
	s.turn(0, question("6", "Size?"), nil) // the agent was not content
	s.turn(0, finished("9", `1`), nil)
	s.at(time.Minute, func() { s.update(UpdateAnswer, AnswerInput{Text: "XS", By: "ada"}) })
	s.at(2*time.Minute, func() {
		require.Equal(t, StatusWaiting, s.state().Status)
		s.update(UpdateAnswer, AnswerInput{Text: "M", By: "bob"})
	})
	in := task()
	in.MaxRestarts = 1
	result, err := s.run(in)
	require.NoError(t, err)
	texts := []string{}
	for _, a := range result.Answers {
		texts = append(texts, a.Text)
	}
	require.Equal(t, "XS XS M", strings.Join(texts, " "))
}
