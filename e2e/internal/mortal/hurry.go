package mortal

import (
	"context"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
)

// hurry shortens the timeouts of the activities that a worker schedules.
func hurry(most time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if completed, ok := request.(*workflowservice.RespondWorkflowTaskCompletedRequest); ok {
			for _, command := range completed.GetCommands() {
				activity := command.GetScheduleActivityTaskCommandAttributes()
				if activity != nil && activity.GetHeartbeatTimeout().AsDuration() == 0 && activity.GetStartToCloseTimeout().AsDuration() > most {
					activity.StartToCloseTimeout = durationpb.New(most)
				}
			}
		}
		return invoke(ctx, method, request, reply, conn, opts...)
	}
}
