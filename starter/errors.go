package starter

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/errand-dev/errand/workflows"
)

// ErrUnknownTask means that Temporal has no task of that id, or has it no more.
var ErrUnknownTask = errors.New("no such task")

// InvalidInputError means that nothing was started, because the input breaks a
// rule.
type InvalidInputError struct{ Err error }

func (e *InvalidInputError) Error() string { return e.Err.Error() }
func (e *InvalidInputError) Unwrap() error { return e.Err }

// RefusedError means that the task understood the message and refused it.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// NoWorkerError means that nobody is there to do the work.
type NoWorkerError struct{ Queue string }

func (e *NoWorkerError) Error() string {
	if e.Queue != workflows.TaskQueue {
		return fmt.Sprintf("no worker is polling the task queue %q", e.Queue)
	}
	return fmt.Sprintf("no worker is polling the task queue %q: start one with `errand worker`", e.Queue)
}

// explain brings Temporal's errors to words that say what to do.
func explain(err error) error {
	var (
		notFound    *serviceerror.NotFound
		namespace   *serviceerror.NamespaceNotFound
		unavailable *serviceerror.Unavailable
		argument    *serviceerror.InvalidArgument
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &namespace):
		return fmt.Errorf("temporal has no namespace %q: create it, or choose another with --namespace", namespace.Namespace)
	case errors.As(err, &notFound):
		return fmt.Errorf("%w (%s)", ErrUnknownTask, notFound.Error())
	case errors.As(err, &unavailable):
		return fmt.Errorf("temporal cannot be reached: %w", err)
	case errors.As(err, &argument):
		return fmt.Errorf("temporal refused the request (are Errand's search attributes registered in the namespace?): %w", err)
	default:
		return err
	}
}

// isAway reports whether the server may answer if asked again.
func isAway(err error) bool {
	_, unavailable := errors.AsType[*serviceerror.Unavailable](err)
	_, busy := errors.AsType[*serviceerror.ResourceExhausted](err)
	return unavailable || busy || isDeadline(err)
}

func isDeadline(err error) bool {
	var deadline *serviceerror.DeadlineExceeded
	var timeout *client.WorkflowUpdateServiceTimeoutOrCanceledError
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &deadline) || errors.As(err, &timeout)
}
