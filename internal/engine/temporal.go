package engine

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/errand-dev/errand/devserver"
)

// frontendService is the name of Temporal's frontend in gRPC's health protocol.
const frontendService = "temporal.api.workflowservice.v1.WorkflowService"

// temporalServer starts a devserver.
type temporalServer struct {
	options devserver.Options
}

func (t temporalServer) start(ctx context.Context, last record) (record, stopFunc, error) {
	o := t.options
	if o.Port == 0 {
		o.Port = stillFree(port(last.Address))
	}
	if o.UIPort == 0 {
		o.UIPort = stillFree(port(last.UIAddress))
	}
	s, err := devserver.Start(ctx, o)
	if err != nil {
		return record{}, nil, err
	}
	return record{Address: s.Address(), UIAddress: s.UIAddress(), Namespace: o.Namespace}, s.Stop, nil
}

func (temporalServer) ping(ctx context.Context, r record) error {
	conn, err := grpc.NewClient("passthrough:///"+r.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: frontendService})
	return errors.Join(err, conn.Close())
}
