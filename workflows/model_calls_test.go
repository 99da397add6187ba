package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// calls notes the calls of a workflow where it makes them, and runs local
// activities as regular ones that are tried once: in the test environment only
// those can take time and be cancelled meanwhile.
type calls struct {
	interceptor.WorkerInterceptorBase
	begin func(name string, first bool, in any)
}

func (c *calls) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &callsInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, c}
}

type callsInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	*calls
}

func (i *callsInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&callsOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: next}, i.calls, 0})
}

type callsOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	*calls
	firsts int
}

func (o *callsOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	if ctx.Err() == nil {
		o.begin(name, false, args[0])
	}
	return o.Next.ExecuteActivity(ctx, name, args...)
}

const firstTry = "first-try-"

func (o *callsOutbound) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	if ctx.Err() == nil {
		o.begin(name, true, args[0])
	}
	o.firsts++
	return o.Next.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:          fmt.Sprint(firstTry, o.firsts),
		StartToCloseTimeout: time.Hour,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	}), name, args...)
}

// isFirstTry reports whether the activity would be a local one.
func isFirstTry(info activity.Info) bool { return strings.HasPrefix(info.ActivityID, firstTry) }
