package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/provider"
)

// nextRun returns the input of the run that the story continues as.
func nextRun(t require.TestingT, err error) AgentTaskInput {
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next, "%v", err)
	var in AgentTaskInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	return in
}

func TestASecondRunGoesOnWithTheOpenQuestionAndItsDeadline(t *testing.T) {
	first := newStory(t)
	first.turn(time.Minute, question("3", "Size?"), nil)
	first.at(time.Hour, func() {
		first.SetContinueAsNewSuggested(true)
		first.SignalWorkflow(SignalAnswer, AnswerInput{QuestionID: "q-8", Text: "stale"}) // something to wake up for
	})
	in := task()
	in.QuestionTimeout = 24 * time.Hour
	_, err := first.run(in)
	carried := nextRun(t, err)
	require.Equal(t, "q-1", carried.Carried.Question.ID)
	require.Equal(t, []string{"create", "send Report the price"}, first.calls, "the session lives on")

	second := newStory(t)
	second.SetStartTime(carried.Carried.StartedAt.Add(2 * time.Hour))
	second.turn(time.Minute, finished("6", `1`), nil)
	var unknown *reply
	second.at(time.Minute, func() {
		require.Equal(t, StatusWaiting, second.state().Status)
		unknown = second.update(UpdateAnswer, AnswerInput{QuestionID: "q-2", Text: "M"})
		second.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "M", By: "ada"})
	})
	result, err := second.run(carried)

	require.NoError(t, err)
	unknown.requireRefused(t, "q-2 is not open")
	require.Equal(t, []string{"send M", "delete"}, second.calls, "no second session, no message twice")
	require.Equal(t, provider.Watermark("3"), second.waits[0].After)
	require.Equal(t, 1, result.SessionsCreated)
	require.Equal(t, 2, result.Turns)
	require.Equal(t, carried.Carried.StartedAt, result.StartedAt)
	require.Equal(t, []Status{StatusRunning}, second.listed, "lists know already that it waits")
}

func TestADeadlineSurvivesTheSecondRun(t *testing.T) {
	first := newStory(t)
	first.turn(time.Minute, question("3", "Size?"), nil)
	first.at(time.Hour, func() {
		first.SetContinueAsNewSuggested(true)
		first.SignalWorkflow(SignalAnswer, AnswerInput{QuestionID: "q-8", Text: "stale"})
	})
	in := task()
	in.QuestionTimeout, in.DefaultAnswer = 24*time.Hour, "L"
	_, err := first.run(in)
	carried := nextRun(t, err)

	second := newStory(t)
	second.SetStartTime(carried.Carried.StartedAt.Add(2 * time.Hour))
	second.turn(0, finished("6", `1`), nil)
	result, err := second.run(carried)

	require.NoError(t, err)
	require.Equal(t, ByDefault, result.Answers[0].By)
	require.WithinDuration(t, result.StartedAt.Add(24*time.Hour+time.Minute), result.Answers[0].At, time.Second)
}

func TestAnAnswerThatAPauseHoldsBackSurvivesTheSecondRun(t *testing.T) {
	first := newStory(t)
	first.turn(time.Minute, question("3", "Size?"), nil)
	first.at(time.Hour, func() {
		first.SignalWorkflow(SignalPause, nil)
		first.SignalWorkflow(SignalAnswer, AnswerInput{QuestionID: "q-1", Text: "M", By: "ada"})
	})
	first.at(2*time.Hour, func() { first.SetContinueAsNewSuggested(true) })
	_, err := first.run(task())
	carried := nextRun(t, err)

	require.Nil(t, carried.Carried.Question)
	require.Equal(t, "M", carried.Carried.Outbox.Text)
	require.True(t, carried.Carried.Paused)

	second := newStory(t)
	second.turn(time.Minute, finished("6", `1`), nil)
	var late *reply
	second.at(time.Hour, func() {
		require.Equal(t, StatusPaused, second.state().Status)
		late = second.update(UpdateAnswer, AnswerInput{QuestionID: "q-1", Text: "L"})
		second.update(UpdateResume)
	})
	_, err = second.run(carried)

	require.NoError(t, err)
	late.requireRefused(t, "already answered by ada")
	require.Equal(t, []string{"send M", "delete"}, second.calls)
}

func TestATurnOfOlderCodeKeepsItsDeadlineOverAPause(t *testing.T) {
	s := newStory(t)
	deadline := time.Now().Add(24 * time.Hour).UTC()
	s.SetStartTime(deadline.Add(-24 * time.Hour))
	s.turnOf(acts.AwaitTurn, time.Hour, finished("5", `1`), nil)
	s.turnOf(acts.AwaitTurn, time.Minute, finished("5", `2`), nil)
	s.at(time.Minute, func() { s.update(UpdatePause) })
	s.at(time.Hour, func() { s.update(UpdateResume) })
	in := task()
	in.Carried = &taskState{
		StartedAt: deadline.Add(-25 * time.Hour), Session: &Session{ID: "s-1"}, SessionsCreated: 1,
		TurnOpen: true, TurnDeadline: deadline, Turns: 1, Listed: StatusRunning,
	}
	_, err := s.run(in)
	require.NoError(t, err)
	last := s.waits[len(s.waits)-1]
	require.Zero(t, last.TurnTimeout, "the turn has a deadline instead")
	require.WithinDuration(t, deadline.Add(59*time.Minute), last.Deadline, time.Second)
}

func TestAnAnswerToOlderCodesQuestionHasATurnOfItsOwn(t *testing.T) {
	s := newStory(t)
	began := time.Now().UTC()
	s.SetStartTime(began)
	s.turn(time.Minute, finished("9", `1`), nil)
	s.at(time.Minute, func() { s.update(UpdateAnswer, AnswerInput{Text: "M"}) })
	in := task()
	in.Carried = &taskState{
		StartedAt: began.Add(-72 * time.Hour), Session: &Session{ID: "s-1"}, SessionsCreated: 1, Turns: 1,
		TurnDeadline: began.Add(-48 * time.Hour), // of the turn that asked
		Question:     &Question{ID: "q-1", Text: "Size?"}, QuestionsSeen: 1, Listed: StatusWaiting,
	}
	_, err := s.run(in)
	require.NoError(t, err)
	require.Zero(t, s.waits[0].Deadline, "the deadline of a turn that is over does not count")
	require.Equal(t, DefaultTurnTimeout, s.waits[0].TurnTimeout)
}
