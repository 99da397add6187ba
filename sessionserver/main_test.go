package sessionserver

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// childDir makes the test binary a server on that folder, to be killed or
// measured from outside.
const childDir = "SESSIONSERVER_TEST_DIR"

// childTruth is where such a server writes its truth log; empty: nowhere.
const childTruth = "SESSIONSERVER_TEST_TRUTH"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := serveChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// serveChild prints its address and serves until it gets a SIGTERM.
func serveChild(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := New(Config{Dir: dir, Truth: os.Getenv(childTruth), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	<-ctx.Done()
	if err := s.Close(context.Background()); err != nil {
		return err
	}
	return <-served
}
