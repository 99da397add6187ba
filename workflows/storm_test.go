package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/activities"
)

// A vendor that answers nothing but errors for minutes, whatever the task is at:
// it is asked seldom, and once it is well the task goes on soon. The test
// environment tries nothing more than ten times, so this storm is a short one;
// reading weathers one of half an hour in the tests of activities.
func TestATaskWeathersAStormOfErrors(t *testing.T) {
	const storm = 140 * time.Second
	for name, test := range map[string]struct {
		activity, call string // as in story.called, and in story.calls
		most           int    // tries, with the one that succeeds
	}{
		"while its session is created": {"CreateSession", "create", 10},
		"while its agent works":        {"TakeTurn", "send Report the price", 10},
		"while its session is deleted": {"DeleteSession", "delete", 10},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			var began time.Time
			s.weather = func(activity string) error {
				if activity != test.activity {
					return nil
				}
				if began.IsZero() {
					began = s.Now()
				}
				if s.Now().Sub(began) < storm {
					return retryable(activities.ErrTypeUnavailable, 0)
				}
				return nil
			}
			s.OnActivity(acts.TakeTurn, mock.Anything, mock.Anything).Return(
				func(context.Context, activities.TakeTurnInput) (activities.Turn, error) {
					return finished("5", `1`), s.weather("TakeTurn")
				})

			result, err := s.run(task())

			require.NoError(t, err)
			tries := 0
			for _, call := range s.calls {
				if call == test.call {
					tries++
				}
			}
			require.GreaterOrEqual(t, tries, 7, "the storm was felt: %v", s.calls)
			require.LessOrEqual(t, tries, test.most)
			require.Equal(t, 1, result.SessionsCreated)
			require.True(t, result.Session.Deleted)
			require.LessOrEqual(t, result.FinishedAt.Sub(began), storm+time.Minute)
		})
	}
}
