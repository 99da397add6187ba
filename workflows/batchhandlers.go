package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"
)

// register sets the handlers of the query and the updates.
func (b *batch) register(ctx workflow.Context) error {
	return errors.Join(
		workflow.SetQueryHandler(ctx, QueryState, func() (BatchState, error) { return b.state(), nil }),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdatePause, b.handlePause,
			workflow.UpdateHandlerOptions{Validator: b.validateCommand, Description: "start no more items"}),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateResume, b.handleResume,
			workflow.UpdateHandlerOptions{Validator: b.validateCommand, Description: "go on starting items"}),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateConcurrency, b.handleConcurrency,
			workflow.UpdateHandlerOptions{Validator: b.validateConcurrency, Description: "change how many items are open at once"}),
	)
}

func (b *batch) validateCommand() error {
	switch {
	case b.end != "":
		return fmt.Errorf("the batch has ended (%s)", b.end)
	case b.stopping:
		return errors.New("the batch is being cancelled")
	}
	return nil
}

func (b *batch) validateConcurrency(n int) error {
	if err := CheckConcurrency(n); err != nil {
		return err
	}
	return b.validateCommand()
}

// handlePause starts no more items. Those that are open go on.
func (b *batch) handlePause(ctx workflow.Context) (Status, error) {
	if !b.s.Paused {
		b.s.Paused = true
		b.change(ctx)
	}
	return b.status(), nil
}

func (b *batch) handleResume(ctx workflow.Context) (Status, error) {
	if b.s.Paused {
		b.s.Paused, b.s.Drained = false, false
		b.change(ctx)
	}
	return b.status(), nil
}

func (b *batch) handleConcurrency(ctx workflow.Context, n int) (int, error) {
	if b.s.Concurrency != n {
		b.s.Concurrency = n
		b.s.Window = max(b.s.Window, n)
		b.change(ctx)
	}
	return b.s.Concurrency, nil
}

// change has the new settings take effect, and returns once they have.
func (b *batch) change(ctx workflow.Context) {
	b.changes++
	mine := b.changes
	if b.interrupt != nil && !b.stopping {
		b.interrupt()
	}
	// Only a batch that ends meanwhile cancels the wait, and then nothing is left to change.
	_ = workflow.Await(ctx, func() bool { return b.applied >= mine || b.end != "" })
}
