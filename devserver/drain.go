package devserver

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// drain ends the calls in flight when the server stops. A graceful stop would
// wait for every long poll, for up to a minute.
type drain struct {
	ctx   context.Context
	start context.CancelFunc
}

func newDrain() *drain {
	ctx, cancel := context.WithCancel(context.Background())
	return &drain{ctx: ctx, start: cancel}
}

// intercept turns the error of a call that the drain has ended into "unavailable",
// upon which clients try again and find the next server on the same port.
func (d *drain) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	resp, err := handle(ctx, req)
	if err != nil && d.ctx.Err() != nil {
		return nil, status.Error(codes.Unavailable, "the server is stopping")
	}
	return resp, err
}
