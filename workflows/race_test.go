package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/activities"
)

// An answer and the deadline come so close that either may be first. Who was
// told that the answer is taken finds it with the agent, and in the result; who
// was refused finds the default.
func TestAnAnswerAtTheDeadlineIsTakenOrRefusedButNeverBoth(t *testing.T) {
	const deadline = time.Minute + 3*time.Hour
	for offset, first := range map[time.Duration]string{-time.Millisecond: "ada", 0: "", time.Millisecond: ByDefault} {
		for _, by := range []string{"update", "signal"} {
			s := newStory(t)
			s.turn(time.Minute, question("3", "Size?"), nil)
			s.turn(time.Hour, finished("5", `1`), nil)
			in := task()
			in.QuestionTimeout, in.DefaultAnswer = 3*time.Hour, "L"
			answer := &reply{}
			s.at(deadline+offset, func() {
				in := AnswerInput{QuestionID: "q-1", Text: "M", By: "ada"}
				if by == "signal" {
					s.SignalWorkflow(SignalAnswer, in)
					return
				}
				answer = s.update(UpdateAnswer, in)
			})

			result, err := s.run(in)

			require.NoError(t, err)
			require.Len(t, result.Answers, 1)
			winner := result.Answers[0]
			if first != "" {
				require.Equal(t, first, winner.By, "%s %s after the deadline", by, offset)
			}
			require.Equal(t, map[string]string{"ada": "M", ByDefault: "L"}[winner.By], winner.Text)
			require.Equal(t, []string{"create", "send Report the price", "send " + winner.Text, "delete"}, s.calls)
			switch {
			case by == "signal":
			case winner.By == "ada":
				answer.requireTaken(t)
			default:
				answer.requireRefused(t, "already answered by default")
			}
		}
	}
}

func TestAnAnswerAtTheDeadlineThatEndsTheTaskIsTakenOrRefused(t *testing.T) {
	for _, offset := range []time.Duration{-time.Millisecond, 0, time.Millisecond} {
		s := newStory(t)
		s.turn(time.Minute, question("3", "Size?"), nil)
		s.turn(time.Hour, finished("5", `1`), nil)
		s.fail["DeleteSession"] = []error{retryable(activities.ErrTypeUnavailable, time.Minute)} // the end takes a while
		in := task()
		in.QuestionTimeout = 3 * time.Hour
		var answer *reply
		s.at(time.Minute+3*time.Hour+offset, func() { answer = s.update(UpdateAnswer, AnswerInput{Text: "M", By: "ada"}) })

		result, err := s.run(in)

		if answer.err == nil {
			answer.requireTaken(t)
			require.NoError(t, err)
			require.Contains(t, s.calls, "send M")
			require.Equal(t, "ada", result.Answers[0].By)
			continue
		}
		answer.requireRefused(t, "no question is open")
		requireType(t, err, ErrTypeQuestionTimeout)
		require.NotContains(t, s.calls, "send M")
		require.Empty(t, result.Answers)
	}
}

func TestAnAnswerAfterACancelIsRefusedAndChangesNothing(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Size?"), nil)
	s.fail["DeleteSession"] = []error{retryable(activities.ErrTypeUnavailable, time.Minute)} // the end takes a while
	s.at(time.Hour, s.CancelWorkflow)
	var update *reply
	s.at(time.Hour+30*time.Second, func() {
		update = s.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "M", By: "ada"})
		s.SignalWorkflow(SignalAnswer, AnswerInput{QuestionID: "q-1", Text: "M", By: "bob"})
	})

	result, err := s.run(task())

	require.True(t, temporal.IsCanceledError(err), "%v", err)
	update.requireRefused(t, "q-1 is not open")
	require.Equal(t, []string{"create", "send Report the price", "delete", "delete"}, s.calls)
	require.Empty(t, result.Answers)
}

// An answer and a cancel come in one moment: the task ends as cancelled, and its
// account says whether the answer was taken.
func TestAnAnswerTogetherWithACancelIsOnRecordIfItWasTaken(t *testing.T) {
	for _, answerFirst := range []bool{true, false} {
		s := newStory(t)
		s.turn(time.Minute, question("3", "Size?"), nil)
		s.turn(time.Hour, finished("5", `1`), nil)
		var answer *reply
		s.at(time.Hour, func() {
			if !answerFirst {
				s.CancelWorkflow()
			}
			answer = s.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "M", By: "ada"})
			if answerFirst {
				s.CancelWorkflow()
			}
		})

		result, err := s.run(task())

		require.True(t, temporal.IsCanceledError(err), "%v", err)
		taken := answer.done && answer.err == nil
		require.Equal(t, taken, len(result.Answers) == 1)
		require.True(t, result.Session.Deleted)
		require.Equal(t, "delete", s.calls[len(s.calls)-1])
	}
}

func TestTwoAnswersInOneMomentLeaveOne(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Size?"), nil)
	s.turn(time.Minute, finished("5", `1`), nil)
	var update *reply
	s.at(time.Hour, func() {
		s.SignalWorkflow(SignalAnswer, AnswerInput{QuestionID: "q-1", Text: "M", By: "ada"})
		update = s.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "L", By: "bob"})
	})

	result, err := s.run(task())

	require.NoError(t, err)
	require.Len(t, result.Answers, 1)
	winner := result.Answers[0]
	require.Equal(t, []string{"create", "send Report the price", "send " + winner.Text, "delete"}, s.calls)
	if winner.By == "bob" {
		update.requireTaken(t)
		return
	}
	update.requireRefused(t, "already answered by ada")
}

func TestAPausedTasksQuestionStillHasItsDeadline(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Size?"), nil)
	s.turn(time.Minute, finished("5", `1`), nil)
	in := task()
	in.QuestionTimeout, in.DefaultAnswer = 3*time.Hour, "L"
	s.at(time.Hour, func() { s.update(UpdatePause) })
	var late *reply
	s.at(4*time.Hour, func() {
		require.Equal(t, []string{"create", "send Report the price"}, s.calls, "what was answered waits for the resume")
		late = s.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "M"})
		s.update(UpdateResume)
	})

	result, err := s.run(in)

	require.NoError(t, err)
	late.requireRefused(t, "already answered by default")
	require.Equal(t, time.Minute+3*time.Hour, result.Answers[0].At.Sub(result.StartedAt))
	require.Equal(t, []string{"create", "send Report the price", "send L", "delete"}, s.calls)
}
