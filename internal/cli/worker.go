package cli

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"

	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/workflows"
)

func (a *app) workerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "worker",
		Short: "Run a worker against a Temporal cluster",
		Long: "Works on agent tasks of a Temporal cluster until it is interrupted. Tasks can name\n" +
			"the connections that are configured here; with none, the local session server.",
		Example: example(`worker --address localhost:7233`),
		Args:    exactly(),
		RunE:    func(c *cobra.Command, _ []string) error { return a.work(c.Context()) },
	}
}

func (a *app) work(ctx context.Context) (err error) {
	c, err := a.load()
	if err != nil {
		return err
	}
	if !c.Temporal.Named {
		return usagef("worker needs a Temporal server: name one with --address or TEMPORAL_ADDRESS, or run errand dev, which has its own")
	}
	logger := a.logger(slog.LevelInfo)
	l, err := a.open(ctx, c, linkOptions{logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if name, err := c.DefaultName(); err == nil && name == config.Local {
		if _, err := l.connections.Provider(name); err != nil {
			return usage(err)
		}
	}
	warnOfMissingKeys(c, logger)
	if err := l.registerSearchAttributes(ctx); err != nil {
		logger.Warn("search attributes not registered, and where they are missing no task can start: register them with the temporal CLI",
			"names", slices.Sorted(maps.Keys(workflows.SearchAttributes())), "error", err)
	}
	fatal := make(chan error, 1)
	if err := l.startWorker(func(err error) { fatal <- err }); err != nil {
		return err
	}
	a.note("ready: working on tasks of %s with the connections %s", c.Temporal, strings.Join(c.Names(), ", "))
	select {
	case <-ctx.Done():
		a.note("stopping; other workers go on with open tasks")
		return nil
	case err := <-fatal:
		return err
	}
}

// registerSearchAttributes adds those of Errand's search attributes that the
// namespace lacks.
func (l *link) registerSearchAttributes(ctx context.Context) error {
	namespace := l.config.Temporal.Namespace
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	known, err := l.temporal.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return err
	}
	missing := workflows.SearchAttributes()
	maps.DeleteFunc(missing, func(name string, _ enumspb.IndexedValueType) bool {
		_, ok := known.GetCustomAttributes()[name]
		return ok
	})
	if len(missing) == 0 {
		return nil
	}
	_, err = l.temporal.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: missing,
	})
	if err == nil {
		l.logger.Info("search attributes registered", "names", slices.Sorted(maps.Keys(missing)))
	}
	return err
}
