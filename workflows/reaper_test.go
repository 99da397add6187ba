package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/errand-dev/errand/activities"
)

// reaping is one reaper in the test environment.
type reapingStory struct {
	*testsuite.TestWorkflowEnvironment
	deleted []activities.DeleteOrphansInput
	waited  time.Duration
}

func newReaping(found activities.ReapReport, err error) *reapingStory {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	s := &reapingStory{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment()}
	s.SetTestTimeout(patience)
	s.RegisterWorkflow(Reaper)
	s.RegisterActivity(acts)
	began := s.Now()
	s.OnActivity(acts.FindOrphans, mock.Anything, mock.Anything).Return(found, err)
	s.OnActivity(acts.DeleteOrphans, mock.Anything, mock.Anything).Maybe().Return(
		func(_ context.Context, in activities.DeleteOrphansInput) (activities.ReapReport, error) {
			s.deleted = append(s.deleted, in)
			s.waited = s.Now().Sub(began)
			return activities.ReapReport{Deleted: len(in.SessionIDs)}, nil
		})
	return s
}

func (s *reapingStory) run(t *testing.T, in ReaperInput) (activities.ReapReport, error) {
	t.Helper()
	s.ExecuteWorkflow(Reaper, in)
	var report activities.ReapReport
	if err := s.GetWorkflowError(); err != nil {
		return report, err
	}
	require.NoError(t, s.GetWorkflowResult(&report))
	return report, nil
}

func TestTheReaperLooksTwiceAndDeletesWhatItFoundTheFirstTime(t *testing.T) {
	s := newReaping(activities.ReapReport{Orphans: 1, Sessions: []activities.ReapedSession{
		{ID: "a", Verdict: activities.VerdictOrphan}, {ID: "b", Verdict: activities.VerdictDoubt},
	}}, nil)
	report, err := s.run(t, ReaperInput{Connection: "agi", Exclusive: true})
	require.NoError(t, err)
	require.Equal(t, 1, report.Deleted)
	require.Equal(t, []activities.DeleteOrphansInput{{
		ReapInput:  activities.ReapInput{Connection: "agi", Exclusive: true, Grace: DefaultReapGrace},
		SessionIDs: []string{"a"},
	}}, s.deleted)
	require.Equal(t, DefaultReapRecheck, s.waited)
}

func TestTheReaperDeletesNothing(t *testing.T) {
	orphan := activities.ReapReport{Orphans: 1, Sessions: []activities.ReapedSession{{ID: "a", Verdict: activities.VerdictOrphan}}}
	t.Run("when it only looks", func(t *testing.T) {
		s := newReaping(orphan, nil)
		report, err := s.run(t, ReaperInput{Connection: "agi", DryRun: true})
		require.NoError(t, err)
		require.Equal(t, 1, report.Orphans)
		require.Empty(t, s.deleted)
	})
	t.Run("when it cannot look", func(t *testing.T) {
		s := newReaping(activities.ReapReport{}, retryable(activities.ErrTypeUnavailable, 0))
		_, err := s.run(t, ReaperInput{Connection: "agi"})
		require.Error(t, err)
		require.Empty(t, s.deleted)
	})
	t.Run("when there is nothing", func(t *testing.T) {
		s := newReaping(activities.ReapReport{}, nil)
		_, err := s.run(t, ReaperInput{Connection: "agi"})
		require.NoError(t, err)
		require.Empty(t, s.deleted)
	})
}

func TestTheReaperSettlesLostCreatesThatMadeNothing(t *testing.T) {
	s := newReaping(activities.ReapReport{LostCreates: 1}, nil)
	_, err := s.run(t, ReaperInput{Connection: "agi"})
	require.NoError(t, err)
	require.Len(t, s.deleted, 1)
	require.Empty(t, s.deleted[0].SessionIDs)
}
