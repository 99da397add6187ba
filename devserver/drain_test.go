package devserver

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestADrainEndsACallInFlightWithUnavailable(t *testing.T) {
	d := newDrain()
	waiting := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := d.intercept(t.Context(), nil, nil, func(ctx context.Context, _ any) (any, error) {
			close(waiting)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		ended <- err
	}()
	<-waiting
	d.start()
	require.Equal(t, codes.Unavailable, status.Code(<-ended))
}

func TestADrainLeavesAnswersAndEarlierErrorsAlone(t *testing.T) {
	d := newDrain()
	_, err := d.intercept(t.Context(), nil, nil, func(context.Context, any) (any, error) {
		return nil, context.DeadlineExceeded
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)

	d.start()
	answer, err := d.intercept(t.Context(), "request", nil, func(_ context.Context, req any) (any, error) {
		return req, nil
	})
	require.NoError(t, err)
	require.Equal(t, "request", answer)
}
