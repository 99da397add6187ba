package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
)

func TestAPausedTaskWaitsForNothingAndGoesOnWhereItWas(t *testing.T) {
	s := newStory(t)
	s.turn(time.Hour, finished("5", `1`), nil) // abandoned by the pause
	s.turn(time.Minute, finished("5", `2`), nil)
	var paused, resumed *reply
	s.at(time.Minute, func() { paused = s.update(UpdatePause) })
	s.at(2*time.Minute, func() { require.Equal(t, StatusPaused, s.state().Status) })
	s.at(48*time.Hour, func() { resumed = s.update(UpdateResume) })

	result, err := s.run(task())

	require.NoError(t, err)
	paused.requireTaken(t)
	resumed.requireTaken(t)
	require.Equal(t, []string{"create", "send Report the price", "pause", "resume", "look for Report the price", "delete"}, s.calls)
	require.JSONEq(t, `2`, string(result.Result))
	last := s.waits[len(s.waits)-1]
	require.Equal(t, provider.Watermark(""), last.After)
	require.Equal(t, DefaultTurnTimeout-time.Minute, last.TurnTimeout, "the time paused is not held against the turn")
	require.Equal(t, []Status{StatusPaused, StatusRunning}, s.listed)
}

func TestAVendorWithoutPauseStopsTheTaskAfterTheTurn(t *testing.T) {
	s := newStory(t)
	s.fail["pause"] = []error{final(activities.ErrTypeUnsupported)}
	s.turn(time.Hour, finished("3", `1`), nil)
	s.turn(time.Minute, finished("6", `2`), nil)
	in := task()
	in.FollowUps = []string{"more"}
	s.at(time.Minute, func() { s.update(UpdatePause) })
	s.at(5*time.Hour, func() {
		require.Equal(t, []string{"create", "send Report the price", "pause"}, s.calls)
		s.update(UpdateResume)
	})

	result, err := s.run(in)

	require.NoError(t, err)
	require.Equal(t, []string{"create", "send Report the price", "pause", "send more", "delete"}, s.calls)
	require.JSONEq(t, `2`, string(result.Result))
}

func TestAnAnswerGivenWhilePausedIsSentAfterTheResume(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Size?"), nil)
	s.turn(time.Minute, finished("6", `1`), nil)
	s.at(time.Hour, func() { s.SignalWorkflow(SignalPause, nil) })
	s.at(2*time.Hour, func() {
		require.Equal(t, StatusPaused, s.state().Status)
		s.update(UpdateAnswer, AnswerInput{Text: "M"})
	})
	s.at(3*time.Hour, func() {
		require.Equal(t, []string{"create", "send Report the price"}, s.calls)
		s.SignalWorkflow(SignalResume, nil)
	})

	_, err := s.run(task())

	require.NoError(t, err)
	require.Equal(t, []string{"create", "send Report the price", "send M", "delete"}, s.calls)
}

func TestPauseAndResumeSayTheSameWhenRepeated(t *testing.T) {
	s := newStory(t)
	s.turn(time.Hour, finished("5", `1`), nil)
	s.turn(time.Minute, finished("5", `1`), nil)
	var replies []*reply
	for i, name := range []string{UpdateResume, UpdatePause, UpdatePause, UpdateResume} {
		s.at(time.Duration(i+1)*time.Minute, func() { replies = append(replies, s.update(name)) })
	}

	_, err := s.run(task())

	require.NoError(t, err)
	require.Equal(t, []string{"create", "send Report the price", "pause", "resume", "look for Report the price", "delete"}, s.calls)
	for i, status := range []Status{StatusRunning, StatusPaused, StatusPaused, StatusRunning} {
		replies[i].requireTaken(t)
		require.Equal(t, status, replies[i].got)
	}
}

func TestAPauseThatTheVendorRefusesIsReportedAndChangesNothing(t *testing.T) {
	s := newStory(t)
	s.fail["pause"] = []error{final(activities.ErrTypeInvalidRequest)}
	s.turn(time.Hour, finished("5", `1`), nil)
	var refused *reply
	s.at(time.Minute, func() { refused = s.update(UpdatePause) })
	s.at(2*time.Minute, func() { require.Equal(t, StatusRunning, s.state().Status) })

	_, err := s.run(task())

	require.NoError(t, err)
	refused.requireRefused(t, "no")
}

func TestAResumeOfASessionThatHasEndedLetsTheTaskGoOn(t *testing.T) {
	s := newStory(t)
	s.fail["resume"] = []error{final(activities.ErrTypeSessionGone)}
	s.turn(time.Hour, finished("5", `1`), nil) // abandoned by the pause
	s.turn(0, activities.Turn{}, final(activities.ErrTypeSessionGone))
	s.turn(time.Minute, finished("5", `2`), nil)
	var resumed *reply
	s.at(time.Minute, func() { s.update(UpdatePause) })
	s.at(48*time.Hour, func() { resumed = s.update(UpdateResume) })
	in := task()
	in.MaxRestarts = 1

	result, err := s.run(in)

	require.NoError(t, err)
	resumed.requireTaken(t)
	require.Equal(t, StatusRunning, resumed.got)
	require.Equal(t, []string{
		"create", "send Report the price", "pause", "resume", "look for Report the price", "delete",
		"create", "send Report the price", "delete",
	}, s.calls)
	require.JSONEq(t, `2`, string(result.Result))
}

func TestAMessageThatIsToBeSentAgainWaitsWhilePaused(t *testing.T) {
	s := newStory(t)
	s.fail["pause"] = []error{final(activities.ErrTypeUnsupported)}
	s.turn(time.Minute, activities.Turn{}, final(activities.ErrTypeAmbiguousSend))
	s.turn(time.Minute, finished("5", `1`), nil)
	s.at(time.Hour, func() { s.update(UpdatePause) })
	s.at(2*time.Hour, func() { s.update(UpdateAnswer, AnswerInput{Text: DeliveryResend}) })
	s.at(3*time.Hour, func() {
		require.Equal(t, []string{"create", "send Report the price", "pause"}, s.calls)
		s.update(UpdateResume)
	})

	_, err := s.run(task())

	require.NoError(t, err)
	require.Equal(t, []string{"create", "send Report the price", "pause", "send Report the price", "delete"}, s.calls)
}

func TestAPauseThatMeetsARestartStopsTheNewAgent(t *testing.T) {
	s := newStory(t)
	s.fail["pause"] = []error{retryable(activities.ErrTypeUnavailable, 30*time.Second)}
	s.turn(70*time.Second, activities.Turn{}, final(activities.ErrTypeSessionGone)) // before the second try
	s.turn(time.Hour, finished("5", `1`), nil)                                      // abandoned by the pause
	s.turn(time.Minute, finished("5", `2`), nil)
	var paused *reply
	s.at(time.Minute, func() { paused = s.update(UpdatePause) })
	s.at(10*time.Minute, func() {
		require.Equal(t, []string{"s-1", "s-1", "s-2"}, s.paused)
		s.update(UpdateResume)
	})
	in := task()
	in.MaxRestarts = 1

	_, err := s.run(in)

	require.NoError(t, err)
	paused.requireTaken(t)
	require.Equal(t, StatusPaused, paused.got)
}
