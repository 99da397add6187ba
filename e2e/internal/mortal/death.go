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

// reaper looks for the call among those that the worker makes.
type reaper struct {
	Death

	mu       sync.Mutex
	seen     int
	activity map[string]string // type by task token, of activities under way
}

func newReaper(d Death) *reaper {
	d.Nth = max(1, d.Nth)
	return &reaper{Death: d, activity: map[string]string{}}
}

func (r *reaper) intercept(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	meant := r.means(request)
	if meant && !r.Accepted {
		die()
	}
	err := invoke(ctx, method, request, reply, conn, opts...)
	if err != nil {
		return err
	}
	if meant {
		die()
	}
	r.learn(reply)
	return nil
}

// means reports whether the request is the one to die at.
func (r *reaper) means(request any) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.seen
	switch request := request.(type) {
	case *workflowservice.RespondWorkflowTaskCompletedRequest:
		for _, command := range request.GetCommands() {
			if localActivity(command) == r.Report {
				r.seen++
			}
		}
	case *workflowservice.RespondActivityTaskCompletedRequest:
		if r.activity[string(request.GetTaskToken())] == r.Report {
			r.seen++
		}
	case *workflowservice.RecordActivityTaskHeartbeatRequest:
		if r.Report == Heartbeat {
			r.seen++
		}
	}
	return before < r.Nth && r.seen >= r.Nth
}

// learn notes the types of activities: their completions do not tell.
func (r *reaper) learn(reply any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch reply := reply.(type) {
	case *workflowservice.PollActivityTaskQueueResponse:
		r.activity[string(reply.GetTaskToken())] = reply.GetActivityType().GetName()
	case *workflowservice.RespondWorkflowTaskCompletedResponse: // activities that start eagerly
		for _, task := range reply.GetActivityTasks() {
			r.activity[string(task.GetTaskToken())] = task.GetActivityType().GetName()
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
