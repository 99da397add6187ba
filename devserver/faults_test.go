package devserver_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence"

	"github.com/errand-dev/errand/devserver"
)

func TestTheDatabaseCanBeMadeToFail(t *testing.T) {
	var ill atomic.Bool
	s := start(t, devserver.Options{Dir: t.TempDir(), PersistenceFaults: &config.FaultInjection{
		Injector: func(target config.FaultInjectionTarget) error {
			if target.Method == "CreateWorkflowExecution" && ill.Load() {
				return &persistence.TimeoutError{Msg: "the disk is slow today"}
			}
			return nil
		},
	}})
	c := dial(t, s)
	startWorker(t, c, nil)

	ill.Store(true)
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, wait)
	require.ErrorContains(t, err, "the disk is slow today")

	ill.Store(false)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, wait)
	require.NoError(t, err)
	finish(t, c, run.GetID())
}
