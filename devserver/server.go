package devserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/temporal"
)

// Options says what server to start. Only Dir is required.
type Options struct {
	// Dir is the folder of the database file temporal.db, made if it is not there.
	Dir string
	// Host is the IP address the frontend and the Web UI listen on, 127.0.0.1 by default.
	Host string
	// Port of the frontend; 0 takes a free one.
	Port int
	// UI serves the Temporal Web UI on UIPort; 0 takes a free one.
	UI     bool
	UIPort int
	// Namespace is made if it is not there, "default" by default.
	Namespace string
	// SearchAttributes the namespace shall have. Those it lacks are added, none is removed.
	SearchAttributes map[string]enumspb.IndexedValueType
	// Retention of closed workflows, 30 days by default.
	Retention time.Duration
	// Logger receives the server's warnings and errors; nil drops them.
	Logger *slog.Logger
	// Metrics receives the server's metrics; nil collects none.
	Metrics metrics.Handler
	// Pragmas replaces the SQLite settings of the server's connection, for comparisons only.
	Pragmas map[string]string
	// DynamicConfig replaces single settings of the embedded profile, by Temporal's names,
	// for tests only.
	DynamicConfig map[string]any
	// PersistenceFaults makes calls to the database fail, for tests only.
	PersistenceFaults *config.FaultInjection
}

func (o Options) withDefaults() Options {
	if o.Host == "" {
		o.Host = loopback
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	if o.Retention == 0 {
		o.Retention = 30 * 24 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = metrics.NoopMetricsHandler
	}
	if o.Pragmas == nil {
		o.Pragmas = defaultPragmas
	}
	return o
}

// Server is a running Temporal server.
type Server struct {
	temporal temporal.Server
	ui       *webUI
	database *database
	host     string
	port     int
	drain    *drain
	logLevel slog.LevelVar
	stop     func() error
}

// Start starts a server and returns when it serves; ctx bounds the start alone.
// A damaged file is ErrDamaged, a file of another program ErrSchema; neither is
// touched. A port in use is syscall.EADDRINUSE.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{drain: newDrain()}
	s.stop = sync.OnceValue(s.shutdown)
	if err := s.start(ctx, o.withDefaults()); err != nil {
		return nil, fmt.Errorf("start temporal server: %w", err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	if net.ParseIP(o.Host) == nil {
		return fmt.Errorf("host %q is not an IP address", o.Host)
	}
	ports, release, err := reservePorts(o.Host, o.Port)
	if err != nil {
		return err
	}
	defer release()
	s.host, s.port = o.Host, ports.frontend
	if s.database, err = openDatabase(ctx, o.Dir, o.Pragmas); err != nil {
		return err
	}
	if err := s.database.ensureNamespace(ctx, o); err != nil {
		return err
	}
	if o.UI {
		if s.ui, err = newWebUI(o, s.Address()); err != nil {
			return err
		}
	}
	release()
	if err := s.startTemporal(o, ports); err != nil {
		return errors.Join(err, s.ui.close())
	}
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), s.Stop())
	}
	s.ui.serve()
	s.logLevel.Set(slog.LevelWarn)
	return nil
}

// startTemporal runs the server's constructors and start hooks in a goroutine of
// their own, because a fatal message ends the goroutine that says it.
func (s *Server) startTemporal(o Options, p ports) error {
	fatal := make(chan error, 1)
	s.logLevel.Set(slog.LevelError)
	logger := logger{slog: o.Logger, level: &s.logLevel, fatal: func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}}
	done := make(chan error, 1)
	go func() {
		err := errors.New("the server gave up")
		defer func() { done <- err }()
		s.temporal, err = temporal.NewServer(
			temporal.WithConfig(staticConfig(o.Host, p, config.DataStore{SQL: s.database.config, FaultInjection: o.PersistenceFaults})),
			temporal.ForServices(temporal.DefaultServices),
			temporal.WithStaticHosts(p.hosts()),
			temporal.WithLogger(logger),
			temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
			temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
				return authorization.NewNoopClaimMapper()
			}),
			temporal.WithDynamicConfigClient(dynamicConfig(o.DynamicConfig)),
			temporal.WithCustomMetricsHandler(o.Metrics),
			temporal.WithChainedFrontendGrpcInterceptors(s.drain.intercept),
		)
		if err == nil {
			err = s.temporal.Start()
		}
	}()
	err := <-done
	select {
	case cause := <-fatal:
		return cause
	default:
		return err
	}
}

// Address is the frontend's host:port, as a client on this machine dials it.
func (s *Server) Address() string {
	return dialAddress(s.host, s.port)
}

// UIAddress is the Web UI's host:port, empty without one.
func (s *Server) UIAddress() string {
	if s.ui == nil {
		return ""
	}
	return dialAddress(s.host, s.ui.port())
}

// Stop ends all calls in flight, stops the server and leaves the database in one
// file. Workers stopped before it spare it their complaints. A second call waits
// for the first and returns the same.
func (s *Server) Stop() error {
	return s.stop()
}

func (s *Server) shutdown() error {
	s.logLevel.Set(levelSilent)
	s.drain.start()
	err := errors.Join(s.ui.close(), s.temporal.Stop(), s.database.close())
	if err != nil {
		return fmt.Errorf("stop temporal server: %w", err)
	}
	return nil
}
