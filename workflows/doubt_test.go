package workflows

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
)

func TestAPersonDecidesWhetherAMessageHasArrived(t *testing.T) {
	for _, test := range []struct {
		answer string
		calls  []string
	}{
		{DeliverySent, []string{"create", "send Report the price", "delete"}},
		{DeliveryResend, []string{"create", "send Report the price", "send Report the price", "delete"}},
	} {
		t.Run(test.answer, func(t *testing.T) {
			s := newStory(t)
			s.turn(time.Minute, activities.Turn{}, final(activities.ErrTypeAmbiguousSend))
			s.turn(time.Minute, finished("5", `1`), nil)
			var other *reply
			var asked AgentTaskState
			s.at(time.Hour, func() {
				asked = s.state()
				other = s.update(UpdateAnswer, AnswerInput{Text: "what?"})
				s.update(UpdateAnswer, AnswerInput{Text: test.answer, By: "ada"})
			})
			in := task()
			in.Answers, in.DefaultAnswer = []string{"M"}, "L" // for the agent's questions alone

			result, err := s.run(in)

			require.NoError(t, err)
			require.Equal(t, StatusWaiting, asked.Status)
			require.Equal(t, QuestionDelivery, asked.Question.Kind)
			require.Contains(t, asked.Question.Text, "Report the price")
			other.requireRefused(t, `takes the answer "sent" or "resend"`)
			require.Equal(t, test.calls, s.calls)
			require.Equal(t, 1, result.Turns)
			require.Equal(t, test.answer, result.Answers[0].Text)
			require.Equal(t, []Status{StatusWaiting, StatusRunning}, s.listed)
		})
	}
}

func TestAPolicyDecidesAboutAnAmbiguousSend(t *testing.T) {
	ambiguous := final(activities.ErrTypeAmbiguousSend)
	t.Run("fail", func(t *testing.T) {
		s := newStory(t)
		s.turn(0, activities.Turn{}, ambiguous)
		in := task()
		in.OnAmbiguousSend = AmbiguousSendFail
		result, err := s.run(in)
		requireType(t, err, activities.ErrTypeAmbiguousSend)
		require.Equal(t, StatusFailed, result.Status)
		require.Equal(t, []string{"create", "send Report the price", "cancel", "delete"}, s.calls)
	})
	t.Run("resend", func(t *testing.T) {
		s := newStory(t)
		s.turn(0, activities.Turn{}, ambiguous)
		s.turn(0, finished("5", `1`), nil)
		in := task()
		in.OnAmbiguousSend = AmbiguousSendResend
		_, err := s.run(in)
		require.NoError(t, err)
		require.Equal(t, []string{"create", "send Report the price", "send Report the price", "delete"}, s.calls)
	})
	t.Run("resend, but not for ever", func(t *testing.T) {
		s := newStory(t)
		for range mostResends + 1 {
			s.turn(0, activities.Turn{}, ambiguous)
		}
		in := task()
		in.OnAmbiguousSend = AmbiguousSendResend
		_, err := s.run(in)
		requireType(t, err, activities.ErrTypeAmbiguousSend)
	})
	t.Run("ask, and nobody answers", func(t *testing.T) {
		s := newStory(t)
		s.turn(0, activities.Turn{}, ambiguous)
		in := task()
		in.QuestionTimeout, in.DefaultAnswer = time.Hour, "M"
		result, err := s.run(in)
		requireType(t, err, ErrTypeQuestionTimeout)
		require.Empty(t, result.Answers)
		require.Equal(t, []string{"create", "send Report the price", "cancel", "delete"}, s.calls)
	})
}

func TestAnAnswerThatIsSentAgainHasTheFirstOutcome(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Size?"), nil)
	s.turn(time.Hour, question("6", "Colour?"), nil)
	s.turn(time.Hour, finished("9", `1`), nil)
	var replies []*reply
	send := func(in AnswerInput) *reply {
		r := s.update(UpdateAnswer, in)
		replies = append(replies, r)
		return r
	}
	var late, signalled *reply
	s.at(2*time.Minute, func() {
		send(AnswerInput{QuestionID: "q-1", Text: "M", By: "ada", ID: "one"})
		send(AnswerInput{QuestionID: "q-1", Text: "M", By: "ada", ID: "one"})
	})
	s.at(90*time.Minute, func() {
		late = send(AnswerInput{Text: "M", By: "ada", ID: "one"}) // another question is open by now
		s.SignalWorkflow(SignalAnswer, AnswerInput{Text: "M", ID: "one"})
		signalled = s.update(UpdateAnswer, AnswerInput{Text: "red", By: "bob", ID: "two"})
	})
	result, err := s.run(task())
	require.NoError(t, err)
	for _, r := range replies {
		r.requireTaken(t)
		require.Equal(t, result.Answers[0], r.got)
	}
	require.Equal(t, "q-1", late.got.(Answer).QuestionID)
	signalled.requireTaken(t)
	require.Equal(t, []string{"create", "send Report the price", "send M", "send red", "delete"}, s.calls)
	require.Len(t, result.Answers, 2)
}

func TestAnAnswerThatIsSentAgainAfterContinueAsNewHasTheFirstOutcome(t *testing.T) {
	first := newStory(t)
	first.turn(time.Minute, question("3", "Size?"), nil)
	first.at(time.Hour, func() {
		first.SignalWorkflow(SignalPause, nil)
		first.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "M", By: "ada", ID: "one"})
	})
	first.at(2*time.Hour, func() { first.SetContinueAsNewSuggested(true) })
	_, err := first.run(task())
	carried := nextRun(t, err)

	second := newStory(t)
	second.turn(time.Minute, finished("6", `1`), nil)
	var again, other *reply
	second.at(time.Minute, func() {
		again = second.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "M", By: "ada", ID: "one"})
		other = second.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "L", By: "bob", ID: "two"})
		second.update(UpdateResume)
	})
	_, err = second.run(carried)
	require.NoError(t, err)
	again.requireTaken(t)
	other.requireRefused(t, "already answered by ada")
	require.Equal(t, []string{"send M", "delete"}, second.calls)
}

func TestLostCreatesAreCounted(t *testing.T) {
	t.Run("of a task that goes on", func(t *testing.T) {
		s := newStory(t)
		s.lost = 2
		s.turn(0, finished("5", `1`), nil)
		result, err := s.run(task())
		require.NoError(t, err)
		require.Equal(t, 3, result.SessionsCreated)
		require.Equal(t, "ref-s-1", s.deletes[0].Ref)
	})
	t.Run("of a task that never had one", func(t *testing.T) {
		s := newStory(t)
		away := retryable(activities.ErrTypeUnavailable, 0)
		for range 100 {
			s.fail["CreateSession"] = append(s.fail["CreateSession"], away)
		}
		in := task()
		in.Timeout = time.Minute
		result, err := s.run(in)
		require.Error(t, err)
		require.Zero(t, result.SessionsCreated)
		require.Nil(t, result.Session)
	})
}

func TestASnapshotThatFailsDoesNotKeepTheSessionAlive(t *testing.T) {
	s := newStory(t)
	s.turn(0, finished("5", `1`), nil)
	s.fail["snapshot"] = []error{final(activities.ErrTypeInvalidRequest)}
	in := task()
	in.Snapshot = Snapshot{Mode: provider.SnapshotFilesystem, SaveAsDefault: true}

	result, err := s.run(in)

	require.NoError(t, err)
	require.Equal(t, StatusCompleted, result.Status)
	require.JSONEq(t, `1`, string(result.Result))
	require.Equal(t, []string{"create", "send Report the price", "delete keeping filesystem default=true", "delete"}, s.calls)
	require.True(t, result.Session.Deleted)
	require.Nil(t, result.Snapshot)
	require.Equal(t, "no", result.SnapshotError)
}

func TestASnapshotThatGoesOnFailingIsGivenUpInTime(t *testing.T) {
	s := newStory(t)
	s.turn(0, finished("5", `1`), nil)
	for range 200 {
		s.fail["snapshot"] = append(s.fail["snapshot"], retryable(activities.ErrTypeUnavailable, time.Minute))
	}
	in := task()
	in.Snapshot.Mode = provider.SnapshotFilesystem

	result, err := s.run(in)

	require.NoError(t, err)
	require.True(t, result.Session.Deleted)
	require.Nil(t, result.Snapshot)
	require.Contains(t, result.SnapshotError, "away")
	require.Less(t, result.FinishedAt.Sub(result.StartedAt), 2*snapshotPatience)
}

func TestASnapshotThatNobodyCanTellOfIsNotPromised(t *testing.T) {
	for words, deletion := range map[string]activities.DeleteSessionOutput{
		"it is not known whether the snapshot was kept": {Doubtful: true},
		"gone before its snapshot could be kept":        {},
	} {
		s := newStory(t)
		s.deletion = deletion
		s.turn(0, finished("5", `1`), nil)
		in := task()
		in.Snapshot.Mode = provider.SnapshotFilesystem
		result, err := s.run(in)
		require.NoError(t, err)
		require.Nil(t, result.Snapshot)
		require.Contains(t, result.SnapshotError, words)
	}
}

func TestTheRecordOfAnswersStaysWithinAPayload(t *testing.T) {
	s := newStory(t)
	long := strings.Repeat("é", MaxText)
	const asked = 20
	for i := range asked {
		s.turn(0, question(provider.Watermark(fmt.Sprint(i)), "More?"), nil)
	}
	s.turn(0, finished("99", `1`), nil)
	in := task()
	in.DefaultAnswer = long
	result, err := s.run(in)
	require.NoError(t, err)
	require.Len(t, result.Answers, asked)
	size := 0
	for _, a := range result.Answers {
		size += len(a.Text)
	}
	require.LessOrEqual(t, size, mostAnswered+asked*100)
	require.Equal(t, long, result.Answers[asked-1].Text, "the latest are whole")
	require.Equal(t, strings.Repeat("é", 40)+"…", result.Answers[0].Text)
}
