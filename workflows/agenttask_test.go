package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
)

func TestATaskThatFinishesDeletesItsSession(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, finished("5", `{"price":"19.50"}`), nil)

	result, err := s.run(task())

	require.NoError(t, err)
	require.Equal(t, []string{"create", "send Report the price", "delete"}, s.calls)
	require.Equal(t, "https://shop.example/p", s.waits[0].Message.StartURL)
	require.Equal(t, StatusCompleted, result.Status)
	require.JSONEq(t, `{"price":"19.50"}`, string(result.Result))
	require.Equal(t, &Session{ID: "s-1", ViewURL: "https://vendor.example/s-1", Deleted: true}, result.Session)
	require.Equal(t, 1, result.SessionsCreated)
	require.Equal(t, 1, result.Turns)
	require.Equal(t, time.Minute, result.FinishedAt.Sub(result.StartedAt))
	require.Empty(t, s.listed, "nobody waits for a change of status here, and each costs an Action")
}

func TestAQuestionWaitsForAPersonAndGoesOnWithTheAnswer(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Which size?"), nil)
	s.turn(time.Minute, finished("7", `"done"`), nil)
	var before AgentTaskState
	var answer *reply
	s.at(72*time.Hour, func() {
		before = s.state()
		answer = s.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "M", By: "ada"})
	})

	result, err := s.run(task())

	require.NoError(t, err)
	require.Equal(t, StatusWaiting, before.Status)
	require.Equal(t, PhaseWaiting, before.Phase)
	require.Equal(t, "q-1", before.Question.ID)
	require.Equal(t, "Which size?", before.Question.Text)
	require.Nil(t, before.Question.Deadline)
	answer.requireTaken(t)
	require.Equal(t, []string{"create", "send Report the price", "send M", "delete"}, s.calls)
	require.Equal(t, provider.Watermark("3"), s.waits[1].After, "an old outcome must not end the new turn")
	require.Equal(t, []Status{StatusWaiting, StatusRunning}, s.listed)
	require.Equal(t, 2, result.Turns)
	require.Nil(t, result.Question)
	require.Len(t, result.Answers, 1)
	require.Equal(t, "ada", result.Answers[0].By)
}

func TestAnswersThatDoNotFitAreRefusedAndChangeNothing(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Which size?"), nil)
	s.turn(time.Minute, question("6", "Which colour?"), nil)
	s.turn(time.Minute, finished("9", `1`), nil)
	refused := map[string]*reply{}
	var taken []*reply
	s.at(30*time.Second, func() { refused["too early"] = s.update(UpdateAnswer, AnswerInput{Text: "M"}) })
	s.at(time.Hour, func() {
		refused["unknown"] = s.update(UpdateAnswer, AnswerInput{QuestionID: "q-7", Text: "M"})
		refused["empty"] = s.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "  "})
		taken = append(taken, s.update(UpdateAnswer, AnswerInput{Text: "M", By: "ada"}))
		refused["second"] = s.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "L", By: "bob"})
	})
	s.at(2*time.Hour, func() {
		refused["stale"] = s.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "L", By: "bob"})
		taken = append(taken, s.update(UpdateAnswer, AnswerInput{QuestionID: "q-2", Text: "red", By: "bob"}))
	})

	result, err := s.run(task())

	require.NoError(t, err)
	for _, r := range taken {
		r.requireTaken(t)
	}
	refused["too early"].requireRefused(t, "no question is open")
	refused["unknown"].requireRefused(t, "q-7 is not open, q-1 is: Which size?")
	refused["empty"].requireRefused(t, "the answer is empty")
	refused["second"].requireRefused(t, "q-1 was already answered by ada")
	refused["stale"].requireRefused(t, "q-1 was already answered by ada")
	require.Equal(t, []string{"create", "send Report the price", "send M", "send red", "delete"}, s.calls)
	require.Len(t, result.Answers, 2)
}

func TestAnAnswerNamesWhatItAnswersWhereTheVendorWantsThat(t *testing.T) {
	s := newStory(t)
	asked := question("3", "Which size?")
	asked.ReplyTo = "call-1"
	s.turn(time.Minute, asked, nil)
	s.turn(time.Minute, finished("7", `1`), nil)
	s.turn(time.Minute, finished("9", `2`), nil)
	in := task()
	in.Answers, in.FollowUps = []string{"M"}, []string{"And now?"}

	_, err := s.run(in)

	require.NoError(t, err)
	require.Equal(t, activities.Message{Text: "Report the price", StartURL: "https://shop.example/p", Number: 1}, *s.waits[0].Message)
	require.Equal(t, activities.Message{Text: "M", Number: 2, ReplyTo: "call-1"}, *s.waits[1].Message)
	require.Equal(t, activities.Message{Text: "And now?", Number: 3}, *s.waits[2].Message, "it answers nothing")
}

func TestASessionThatTheVendorCannotDeleteIsSaidToRemain(t *testing.T) {
	s := newStory(t)
	s.fail["DeleteSession"] = []error{final(activities.ErrTypeUnsupported)}
	s.turn(time.Minute, finished("5", `1`), nil)
	in := task()
	in.Options = provider.SessionOptions{Branch: "fix", AutoCommit: true}

	result, err := s.run(in)

	require.NoError(t, err)
	require.True(t, result.Session.Remains)
	require.False(t, result.Session.Deleted)
	require.Equal(t, in.Options, s.creates[0].Options)
}

func TestASignalAnswersTooAndAStaleOneIsDropped(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Which size?"), nil)
	s.turn(time.Minute, finished("7", `1`), nil)
	s.at(time.Hour, func() {
		s.SignalWorkflow(SignalAnswer, AnswerInput{QuestionID: "q-9", Text: "stale"})
		s.SignalWorkflow(SignalAnswer, AnswerInput{QuestionID: "q-1", Text: "M"})
		s.SignalWorkflow(SignalAnswer, AnswerInput{QuestionID: "q-1", Text: "L"})
	})

	result, err := s.run(task())

	require.NoError(t, err)
	require.Equal(t, []string{"create", "send Report the price", "send M", "delete"}, s.calls)
	require.Equal(t, "someone", result.Answers[0].By)
}

func TestAnswersFromTheInputAreGivenInOrderThenTheDefault(t *testing.T) {
	s := newStory(t)
	s.turn(0, question("3", "Size?"), nil)
	s.turn(0, question("5", "Colour?"), nil)
	s.turn(0, question("7", "Sure?"), nil)
	s.turn(0, finished("9", `1`), nil)
	in := task()
	in.Answers, in.DefaultAnswer = []string{"M", "red"}, "yes"

	result, err := s.run(in)

	require.NoError(t, err)
	require.Equal(t, []string{"create", "send Report the price", "send M", "send red", "send yes", "delete"}, s.calls)
	require.Equal(t, []string{ByScript, ByScript, ByDefault},
		[]string{result.Answers[0].By, result.Answers[1].By, result.Answers[2].By})
	require.Empty(t, s.listed, "no person was waited for")
}

func TestAQuestionsDeadlineBringsTheDefaultAnswer(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Size?"), nil)
	s.turn(time.Minute, finished("5", `1`), nil)
	in := task()
	in.QuestionTimeout, in.DefaultAnswer = 3*time.Hour, "M"

	result, err := s.run(in)

	require.NoError(t, err)
	require.Equal(t, ByDefault, result.Answers[0].By)
	require.Equal(t, 3*time.Hour+2*time.Minute, result.FinishedAt.Sub(result.StartedAt))
}

func TestAQuestionsDeadlineWithoutADefaultEndsTheTask(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Size?"), nil)
	in := task()
	in.QuestionTimeout = 3 * time.Hour

	result, err := s.run(in)

	requireType(t, err, ErrTypeQuestionTimeout)
	require.Equal(t, StatusTimedOut, result.Status)
	require.Contains(t, result.Error.Message, "Size?")
	require.Equal(t, []string{"create", "send Report the price", "delete"}, s.calls)
	require.Equal(t, []Status{StatusWaiting, StatusTimedOut}, s.listed)
}

func TestTheTasksDeadlineCountsWhereverItIs(t *testing.T) {
	t.Run("while a question waits", func(t *testing.T) {
		s := newStory(t)
		s.turn(time.Minute, question("3", "Size?"), nil)
		in := task()
		in.Timeout = time.Hour
		result, err := s.run(in)
		requireType(t, err, ErrTypeTaskTimeout)
		require.Equal(t, StatusTimedOut, result.Status)
		require.Equal(t, time.Hour, result.FinishedAt.Sub(result.StartedAt))
	})
	t.Run("while the agent works", func(t *testing.T) {
		s := newStory(t)
		s.turn(time.Hour, activities.Turn{}, final(activities.ErrTypeTurnTimeout))
		in := task()
		in.Timeout = time.Hour
		result, err := s.run(in)
		requireType(t, err, ErrTypeTaskTimeout)
		require.Equal(t, result.StartedAt.Add(time.Hour), s.waits[0].Deadline)
		require.Equal(t, DefaultTurnTimeout, s.waits[0].TurnTimeout)
		require.Equal(t, []string{"create", "send Report the price", "cancel", "delete"}, s.calls)
	})
	t.Run("while paused", func(t *testing.T) {
		s := newStory(t)
		s.turn(10*time.Hour, finished("5", `1`), nil)
		in := task()
		in.Timeout = time.Hour
		s.at(time.Minute, func() { s.update(UpdatePause) })
		_, err := s.run(in)
		requireType(t, err, ErrTypeTaskTimeout)
		require.Equal(t, []string{"create", "send Report the price", "pause", "cancel", "delete"}, s.calls)
	})
}

func TestATurnsDeadlineAndAStallEndTheTaskInTime(t *testing.T) {
	for _, errType := range []string{activities.ErrTypeTurnTimeout, activities.ErrTypeStalled} {
		s := newStory(t)
		s.turn(time.Minute, activities.Turn{}, final(errType))
		result, err := s.run(task())
		requireType(t, err, errType)
		require.Equal(t, StatusTimedOut, result.Status)
		require.Equal(t, []string{"create", "send Report the price", "cancel", "delete"}, s.calls)
	}
}

func TestACancelledTaskStopsTheAgentThenDeletes(t *testing.T) {
	s := newStory(t)
	s.turn(10*time.Hour, finished("5", `1`), nil)
	s.at(time.Minute, s.CancelWorkflow)
	in := task()
	in.Snapshot = Snapshot{Mode: provider.SnapshotFilesystem, SaveAsDefault: true}

	result, err := s.run(in)

	require.True(t, temporal.IsCanceledError(err), "%v", err)
	require.Equal(t, []string{"create", "send Report the price", "cancel", "delete keeping filesystem default=false"}, s.calls)
	require.Equal(t, StatusCancelled, result.Status)
	require.True(t, result.Session.Deleted)
	require.Equal(t, time.Minute, result.FinishedAt.Sub(result.StartedAt), "a cancel does not wait for the agent")
}

func TestACancelWhileAQuestionWaitsDeletesTheSession(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Size?"), nil)
	s.at(time.Hour, s.CancelWorkflow)

	result, err := s.run(task())

	require.True(t, temporal.IsCanceledError(err), "%v", err)
	require.Equal(t, []string{"create", "send Report the price", "delete"}, s.calls, "an idle agent needs no stop")
	require.Equal(t, StatusCancelled, result.Status)
}

func TestACancelDuringCreateStillDeletesTheSession(t *testing.T) {
	s := newStory(t)
	s.fail["CreateSession"] = []error{retryable(activities.ErrTypeUnavailable, time.Hour)}
	s.at(time.Minute, s.CancelWorkflow) // while the first try's Retry-After passes
	_, err := s.run(task())
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	require.Equal(t, []string{"create"}, s.calls, "nothing was created, nothing is deleted")
}

func TestTheAgentsOwnErrorFailsTheTaskInItsWords(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, activities.Turn{Outcome: provider.OutcomeFailed, Text: "the page has no price", Cursor: "4"}, nil)

	result, err := s.run(task())

	requireType(t, err, ErrTypeAgentError)
	require.Equal(t, StatusFailed, result.Status)
	require.Equal(t, &TaskError{Type: ErrTypeAgentError, Message: "the page has no price"}, result.Error)
	require.Equal(t, []string{"create", "send Report the price", "delete"}, s.calls)
}

func TestASnapshotIsKeptAndNamedInTheResult(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, finished("5", `1`), nil)
	in := task()
	in.Snapshot = Snapshot{Mode: provider.SnapshotFilesystem, SaveAsDefault: true}

	result, err := s.run(in)

	require.NoError(t, err)
	require.Equal(t, "delete keeping filesystem default=true", s.calls[2])
	require.Equal(t, &SavedSnapshot{Mode: provider.SnapshotFilesystem, SessionID: "s-1", Default: true}, result.Snapshot)
}

func TestFollowUpsGoIntoTheSameSessionOneAfterTheOther(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, finished("3", `1`), nil)
	s.turn(time.Minute, finished("6", `2`), nil)
	s.turn(time.Minute, finished("9", `3`), nil)
	in := task()
	in.FollowUps = []string{"And the stock?", "And the colour?"}
	in.ResultSchema = []byte(`{"type":"integer"}`)

	result, err := s.run(in)

	require.NoError(t, err)
	require.Equal(t, []string{"create", "send Report the price", "send And the stock?", "send And the colour?", "delete"}, s.calls)
	require.Equal(t, []provider.Watermark{"", "3", "6"}, []provider.Watermark{s.waits[0].After, s.waits[1].After, s.waits[2].After})
	require.Empty(t, s.waits[0].ResultSchema, "the schema is for the last turn's result")
	require.NotEmpty(t, s.waits[2].ResultSchema)
	require.JSONEq(t, `3`, string(result.Result))
}

func TestAVendorThatIsAwayIsRetriedWithPatience(t *testing.T) {
	s := newStory(t)
	away := retryable(activities.ErrTypeUnavailable, 0)
	s.fail["CreateSession"] = []error{away, away, away}
	s.fail["DeleteSession"] = []error{away, away}
	s.turn(0, activities.Turn{}, retryable(activities.ErrTypeRateLimited, 40*time.Second))
	s.turn(0, finished("5", `1`), nil)

	result, err := s.run(task())

	require.NoError(t, err)
	require.Equal(t, []string{"create", "create", "create", "create",
		"send Report the price", "send Report the price", "delete", "delete", "delete"}, s.calls)
	require.Equal(t, 1, result.SessionsCreated)
	require.GreaterOrEqual(t, result.FinishedAt.Sub(result.StartedAt), 40*time.Second, "Retry-After is kept")
}

func TestWhileAVendorIsAwayTheTaskSaysWhy(t *testing.T) {
	s := newStory(t)
	s.fail["CreateSession"] = []error{retryable(activities.ErrTypeUnavailable, time.Minute)}
	s.turn(time.Minute, finished("5", `1`), nil)
	var during, after AgentTaskState
	s.at(30*time.Second, func() { during = s.state() })
	s.at(90*time.Second, func() { after = s.state() })

	_, err := s.run(task())

	require.NoError(t, err)
	require.Equal(t, PhaseCreating, during.Phase)
	require.Equal(t, "away", during.Trouble)
	require.Empty(t, after.Trouble)
}

func TestARefusalIsNotRetried(t *testing.T) {
	s := newStory(t)
	s.fail["CreateSession"] = []error{final(activities.ErrTypeUnauthorized)}

	result, err := s.run(task())

	requireType(t, err, activities.ErrTypeUnauthorized)
	require.Equal(t, []string{"create"}, s.calls)
	require.Equal(t, StatusFailed, result.Status)
	require.Nil(t, result.Session)
}

func TestASessionThatCannotBeDeletedDoesNotChangeTheOutcome(t *testing.T) {
	for _, errType := range []string{activities.ErrTypeUnauthorized, activities.ErrTypeUnsupported} {
		s := newStory(t)
		s.fail["DeleteSession"] = []error{final(errType)}
		s.turn(0, finished("5", `1`), nil)
		result, err := s.run(task())
		require.NoError(t, err)
		require.Equal(t, StatusCompleted, result.Status)
		require.False(t, result.Session.Deleted)
	}
}

func TestAnInputThatBreaksARuleStartsNothing(t *testing.T) {
	s := newStory(t)
	in := task()
	in.Prompt = ""
	_, err := s.run(in)
	requireType(t, err, ErrTypeInvalidInput)
	require.Empty(t, s.calls)
}

func requireType(t *testing.T, err error, errType string) {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app, "%v", err)
	require.Equal(t, errType, app.Type(), "%v", err)
}

func final(errType string) error {
	return temporal.NewNonRetryableApplicationError("no", errType, nil)
}

func retryable(errType string, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("away", errType, temporal.ApplicationErrorOptions{NextRetryDelay: after})
}
