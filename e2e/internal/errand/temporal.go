package errand

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"regexp"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/errand-dev/errand/e2e/internal/process"
	"github.com/errand-dev/errand/workflows"
)

// Temporal is a Temporal server of a rehearsal.
type Temporal struct {
	Server
	Address string // host:port
}

var devReady = regexp.MustCompile(`"temporal": *"([^"]+)"(?s:.*)\n}`)

// Temporal starts `errand dev` with its data in dir, of which a rehearsal uses
// the Temporal server. Its own worker works in the namespace "default" alone.
func (c Command) Temporal(ctx context.Context, dir string) (*Temporal, error) {
	return NewTemporal(ctx, func(ctx context.Context, _ string) (*process.Process, string, error) {
		// With port 0 it takes the port that it had before, if it had one.
		p, said, err := c.launch(ctx, dir, devReady, "dev", "--port", "0", "--ui-port", "0", "-o", "json")
		if err != nil {
			return nil, "", err
		}
		return p, said[1], nil
	})
}

// NewTemporal starts a Temporal server, which start does: it gets the address
// that the server had before, empty at first, and returns the one that it has.
func NewTemporal(ctx context.Context, start func(ctx context.Context, before string) (*process.Process, string, error)) (*Temporal, error) {
	t := &Temporal{}
	var err error
	t.Server, err = serve(ctx, func(ctx context.Context) (*process.Process, error) {
		ctx, cancel := context.WithTimeout(ctx, startPatience)
		defer cancel()
		p, address, err := start(ctx, t.Address)
		if err == nil {
			t.Address = address
		}
		return p, err
	})
	return t, err
}

// TemporalAt is a Temporal server that is there already. It is not ours to kill.
func TemporalAt(address string) *Temporal { return &Temporal{Address: address} }

// TemporalBy starts a Temporal server by a command of the shell, which is to
// serve at the address until it is killed.
func TemporalBy(ctx context.Context, command, address string) (*Temporal, error) {
	return NewTemporal(ctx, func(ctx context.Context, _ string) (*process.Process, string, error) {
		p, err := process.Start(exec.Command("sh", "-c", "exec "+command))
		if err != nil {
			return nil, "", err
		}
		life, end := p.Life(ctx)
		defer end()
		err = eventually(life, func() error {
			c, err := TemporalAt(address).Dial(life, client.DefaultNamespace)
			if err == nil {
				c.Close()
			}
			return err
		})
		if err != nil {
			p.Kill()
			return nil, "", fmt.Errorf("%s does not serve at %s: %w: %s", command, address, err, p.Output())
		}
		return p, address, nil
	})
}

// Dial connects to a namespace of the server.
func (t *Temporal) Dial(ctx context.Context, namespace string) (client.Client, error) {
	return client.DialContext(ctx, client.Options{
		HostPort: t.Address, Namespace: namespace, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
}

// cacheRefresh is how often each part of the server reads the namespaces anew.
const cacheRefresh = 2 * time.Second

// Namespace makes a namespace with Errand's search attributes, so that tasks
// and workers of a rehearsal have a Temporal of their own, and connects to it.
func (t *Temporal) Namespace(ctx context.Context, name string) (_ client.Client, err error) {
	c, err := t.Dial(ctx, client.DefaultNamespace)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	err = eventually(ctx, func() error {
		_, err := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
		})
		if _, there := errors.AsType[*serviceerror.NamespaceAlreadyExists](err); there {
			return nil // a former try made it
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = eventually(ctx, func() error {
		_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: name, SearchAttributes: workflows.SearchAttributes(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	// The part that takes requests can be asked whether it knows them, that
	// which takes a worker's commands cannot.
	query := &workflowservice.ListWorkflowExecutionsRequest{Namespace: name, Query: workflows.AttributeStatus.GetName() + " = 'running'"}
	err = eventually(ctx, func() error {
		_, err := c.WorkflowService().ListWorkflowExecutions(ctx, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(cacheRefresh):
	}
	return t.Dial(ctx, name)
}

// eventually tries until it succeeds.
func eventually(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
