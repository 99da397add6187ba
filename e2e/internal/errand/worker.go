package errand

import (
	"context"
	"regexp"

	"github.com/errand-dev/errand/e2e/internal/process"
)

var workerReady = regexp.MustCompile(`ready: working on tasks`)

// Worker starts `errand worker` on a namespace, with the configuration and the
// data in dir, which workers may share.
func (c Command) Worker(ctx context.Context, dir, address, namespace string) (*Server, error) {
	s, err := serve(ctx, func(ctx context.Context) (*process.Process, error) {
		p, _, err := c.launch(ctx, dir, workerReady, "worker", "--address", address, "--namespace", namespace)
		return p, err
	})
	return &s, err
}
