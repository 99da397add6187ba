package worker

import (
	"sync"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// closings tells whoever waits for a workflow when a run of it has come to its
// end on this worker. It spares a waiter the asking; a workflow that ends
// elsewhere it does not know of. The zero value is ready.
type closings struct {
	interceptor.WorkerInterceptorBase

	mu      sync.Mutex
	waiters map[string]chan string // of run ids, by workflow id
}

// expect returns where the run id of a workflow that ends is told, and whether
// somebody has asked before. One who expects a workflow before it is started
// misses nothing.
func (c *closings) expect(workflowID string) (told <-chan string, before bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiters == nil {
		c.waiters = map[string]chan string{}
	}
	ch, before := c.waiters[workflowID]
	if !before {
		ch = make(chan string, 1)
		c.waiters[workflowID] = ch
	}
	return ch, before
}

// forget ends what expect began.
func (c *closings) forget(workflowID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiters, workflowID)
}

// tell says that a run is about to close. The server learns of it next.
func (c *closings) tell(workflowID, runID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch, ok := c.waiters[workflowID]; ok {
		select {
		case ch <- runID:
		default: // one is there to be heard of
		}
	}
}

// InterceptWorkflow implements [interceptor.WorkerInterceptor].
func (c *closings) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &closingRun{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, closings: c}
}

type closingRun struct {
	interceptor.WorkflowInboundInterceptorBase
	closings *closings
}

// ExecuteWorkflow changes nothing about the workflow: it runs again in a replay
// and may then say the same once more.
func (r *closingRun) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	out, err := r.Next.ExecuteWorkflow(ctx, in)
	execution := workflow.GetInfo(ctx).WorkflowExecution
	r.closings.tell(execution.ID, execution.RunID)
	return out, err
}
