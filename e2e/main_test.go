// Package e2e tests the whole of Errand as its users meet it: the errand
// command in processes of its own, on the embedded engine, with the real
// session server, killed and started again.
//
// The test binary is the errand command too, under an environment variable:
// what is tested is what was built, and with -race all of it is checked.
package e2e

import (
	"context"
	"os"
	"testing"

	"github.com/errand-dev/errand/internal/cli"
)

const playErrand = "ERRAND_E2E_PLAY_ERRAND"

func TestMain(m *testing.M) {
	if os.Getenv(playErrand) != "" {
		os.Exit(cli.Main(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// long leaves a test out where time is short: one that starts many processes,
// each of which takes seconds to start with the race detector.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long; go test without -short has it")
	}
}
