// Package worker makes the Temporal worker that runs Errand's workflows and
// activities, for the errand command and for programs of your own.
package worker

import (
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/workflows"
)

// Config is what a worker works with.
type Config struct {
	Client      client.Client          // to Temporal; stays the caller's to close
	Connections activities.Connections // the vendors that tasks can name
	Transcripts activities.Transcripts // nil: what sessions say is not kept
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
	w := worker.New(c.Client, workflows.TaskQueue, worker.Options{
		MaxConcurrentActivityExecutionSize: maxTurns,
		WorkerStopTimeout:                  stopTimeout,
	})
	Register(w, &activities.Activities{Connections: c.Connections, Transcripts: c.Transcripts})
	return w
}

// Register makes all workflows and activities known to a worker, a test
// environment or a replayer.
func Register(r worker.Registry, a *activities.Activities) {
	r.RegisterWorkflow(workflows.AgentTask)
	r.RegisterActivity(a)
}
