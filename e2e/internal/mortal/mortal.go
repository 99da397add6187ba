// Package mortal runs Errand's worker in a process of its own, which others
// can kill, or which kills itself with SIGKILL at one chosen call to Temporal.
//
// The process is this same program, started again under an environment
// variable: its main or TestMain calls [Play] first.
package mortal

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"

	"github.com/errand-dev/errand/e2e/internal/process"
	"github.com/errand-dev/errand/ledger"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/worker"
)

const orders = "ERRAND_E2E_PLAY_WORKER"

// Config is what a worker works with.
type Config struct {
	Temporal   string // host:port
	Namespace  string
	Connection string // name of the one connection
	Vendor     string // its base URL
	SettleTime time.Duration
	Ledger     string // folder, shared with the workers after it; empty: none
	Death      *Death `json:",omitempty"`
}

// Start starts a worker.
func Start(c Config) (*process.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = []string{orders + "=" + string(raw), "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	return process.Start(cmd)
}

// Play is a worker until the process ends, if this process was started as one,
// and returns at once otherwise.
func Play() {
	raw := os.Getenv(orders)
	if raw == "" {
		return
	}
	if err := play(raw); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func play(raw string) error {
	var c Config
	if err := json.Unmarshal([]byte(raw), &c); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	connections, err := provider.NewSet(provider.Connection{
		Name: c.Connection, Provider: "agi", BaseURL: c.Vendor, Agent: "script", SettleTime: c.SettleTime,
	})
	if err != nil {
		return err
	}
	options := client.Options{
		HostPort:  c.Temporal,
		Namespace: c.Namespace,
		Logger:    log.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	}
	if c.Death != nil {
		options.ConnectionOptions.DialOptions = []grpc.DialOption{grpc.WithChainUnaryInterceptor(newFate(*c.Death).intercept)}
	}
	temporal, err := dial(ctx, options)
	if err != nil {
		return err
	}
	defer temporal.Close()
	fatal := make(chan error, 1)
	config := worker.Config{
		Client:       temporal,
		Connections:  connections,
		OnFatalError: func(err error) { fatal <- err },
	}
	if c.Ledger != "" {
		sessions, err := ledger.Open(ctx, c.Ledger)
		if err != nil {
			return err
		}
		defer sessions.Close()
		config.Ledger = sessions
	}
	w := worker.New(config)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return err
	}
}

// dial tries until Temporal is there, as whoever supervises a worker would.
func dial(ctx context.Context, options client.Options) (client.Client, error) {
	for {
		c, err := client.DialContext(ctx, options)
		if err == nil || ctx.Err() != nil {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
