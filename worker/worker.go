// Package worker makes the Temporal worker that runs Errand's workflows and
// activities, for the errand command and for programs of your own.
package worker

import (
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/workflows"
)

// Config is what a worker works with.
type Config struct {
	Client      client.Client          // to Temporal; stays the caller's to close
	Connections activities.Connections // the vendors that tasks can name
	Transcripts activities.Transcripts // nil: what sessions say is not kept
	Ledger      activities.Ledger      // shared by all workers of a connection; nil: orphans are found on exclusive connections alone

	Batches       activities.BatchStore    // shared by all workers of the namespace; nil: batches are left to other workers
	Notifications activities.Notifications // where alerts go, and what signs them; nil: to URLs alone, unsigned

	// OnFatalError is told why the worker has stopped by itself; nil: nobody is.
	OnFatalError func(error)
}

const (
	// maxTurns is how many turns one worker waits for at once. A waiting turn
	// costs a goroutine and an event stream, no thread.
	maxTurns = 20_000

	// stopTimeout is what activities get to hand over when the worker stops.
	stopTimeout = 10 * time.Second
)

// New makes a worker; its Start, Run and Stop are the SDK's.
func New(c Config) worker.Worker {
	closed := &closings{}
	w := worker.New(c.Client, workflows.TaskQueue, worker.Options{
		Interceptors:                       []interceptor.WorkerInterceptor{closed},
		MaxConcurrentActivityExecutionSize: maxTurns,
		WorkerStopTimeout:                  stopTimeout,
		OnFatalError:                       c.OnFatalError,
	})
	Register(w, &activities.Activities{
		Connections: c.Connections,
		Transcripts: c.Transcripts,
		Ledger:      c.Ledger,
		Temporal:    &server{client: c.Client},
		Batches:     c.Batches,
		Tasks:       &tasks{client: c.Client, closed: closed},

		Notifications: c.Notifications,
	})
	return w
}

// Register makes all workflows and activities known to a worker or a test
// environment.
func Register(r worker.Registry, a *activities.Activities) {
	RegisterWorkflows(r)
	r.RegisterActivity(a)
}

// RegisterWorkflows makes all workflows known, to a replayer for example.
func RegisterWorkflows(r interface{ RegisterWorkflow(workflow any) }) {
	r.RegisterWorkflow(workflows.AgentTask)
	r.RegisterWorkflow(workflows.Ask)
	r.RegisterWorkflow(workflows.Reaper)
	r.RegisterWorkflow(workflows.Batch)
	r.RegisterWorkflow(workflows.Monitor)
}
