package mortal

import (
	"context"
	"os"
	"sync"
	"syscall"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
)

// Death is the call to Temporal at which a worker kills itself.
type Death struct {
	Report   string // a type of activity, whose completion it is, or Heartbeat
	Nth      int    // of that type, in this process; 0 is the first, as 1 is
	Accepted bool   // not before the call but once Temporal has accepted it
}

// Heartbeat is the Report of a Death at the heartbeat of an activity.
const Heartbeat = "heartbeat"

// fate looks for the call among those that the worker makes.
type fate struct {
	Death

	mu       sync.Mutex
	accepted int               // reports so far
	activity map[string]string // type by task token, of activities under way
}

func newFate(d Death) *fate {
	d.Nth = max(1, d.Nth)
	return &fate{Death: d, activity: map[string]string{}}
}

func (f *fate) intercept(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	reports := f.count(request)
	if f.due(reports) && !f.Accepted {
		die()
	}
	err := invoke(ctx, method, request, reply, conn, opts...)
	if err != nil { // Temporal wants to hear it again
		return err
	}
	if f.due(reports) {
		die()
	}
	f.accept(reports, reply)
	return nil
}

// due reports whether a request with so many of the reports is the one to die
// at.
func (f *fate) due(reports int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return reports > 0 && f.accepted+reports >= f.Nth
}

// count tells how many of the reports a request has.
func (f *fate) count(request any) (reports int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch request := request.(type) {
	case *workflowservice.RespondWorkflowTaskCompletedRequest:
		for _, command := range request.GetCommands() {
			if localActivity(command) == f.Report {
				reports++
			}
		}
	case *workflowservice.RespondActivityTaskCompletedRequest:
		if f.activity[string(request.GetTaskToken())] == f.Report {
			reports++
		}
	case *workflowservice.RecordActivityTaskHeartbeatRequest:
		if f.Report == Heartbeat {
			reports++
		}
	}
	return reports
}

// accept counts the reports that Temporal has, and notes the types of the
// activities that it hands out: their completions do not tell.
func (f *fate) accept(reports int, reply any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepted += reports
	switch reply := reply.(type) {
	case *workflowservice.PollActivityTaskQueueResponse:
		f.activity[string(reply.GetTaskToken())] = reply.GetActivityType().GetName()
	case *workflowservice.RespondWorkflowTaskCompletedResponse: // activities that start eagerly
		for _, task := range reply.GetActivityTasks() {
			f.activity[string(task.GetTaskToken())] = task.GetActivityType().GetName()
		}
	}
}

// localActivity is the type of the local activity whose completion the command
// records, if it does.
func localActivity(command *commandpb.Command) string {
	if command.GetCommandType() != enumspb.COMMAND_TYPE_RECORD_MARKER {
		return ""
	}
	marker := command.GetRecordMarkerCommandAttributes()
	if marker.GetMarkerName() != "LocalActivity" {
		return ""
	}
	var data struct{ ActivityType string }
	if err := converter.GetDefaultDataConverter().FromPayloads(marker.GetDetails()["data"], &data); err != nil {
		return ""
	}
	return data.ActivityType
}

// die ends this process as a crash would.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // nothing goes on until the signal has arrived
}
