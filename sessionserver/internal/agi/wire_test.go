package agi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

func TestStatusesOnBothAxes(t *testing.T) {
	tests := []struct {
		status    sessions.Status
		session   sessionStatus
		execution executionStatus
	}{
		{sessions.Status{Phase: sessions.Ready}, "ready", "ready"},
		{sessions.Status{Phase: sessions.Running}, "running", "running"},
		{sessions.Status{Phase: sessions.Waiting}, "running", "waiting_for_input"},
		{sessions.Status{Phase: sessions.Finished}, "ready", "finished"},
		{sessions.Status{Phase: sessions.Failed}, "error", "error"},
		{sessions.Status{Phase: sessions.Running, Paused: true}, "paused", "paused"},
		{sessions.Status{Phase: sessions.GivenUp}, "ready", "ready"},
		{sessions.Status{Phase: sessions.Ready, Starting: true}, "initializing", "ready"},
		{sessions.Status{Phase: sessions.Waiting, Paused: true}, "paused", "paused"},
	}
	o, err := Options{}.Filled()
	require.NoError(t, err)
	for _, tt := range tests {
		session, execution := o.statuses(tt.status)
		require.Equal(t, tt.session, session, tt.status)
		require.Equal(t, tt.execution, execution, tt.status)
	}
}
