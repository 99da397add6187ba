// Package shaky runs a Temporal server whose database fails now and then, in a
// process of its own, which others can kill.
//
// The process is this same program, started again under an environment
// variable: its main calls [Play] first.
package shaky

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/errand-dev/errand/devserver"
	"github.com/errand-dev/errand/e2e/internal/process"
)

const orders = "ERRAND_E2E_PLAY_TEMPORAL"

// Config is what a server serves with.
type Config struct {
	Dir         string  // of its database, and of the record of faults
	Address     string  // host:port, empty for any port
	Probability float64 // of a fault, for each call to the database
	Seed        uint64
}

var ready = regexp.MustCompile(`serving at (\S+)`)

// Start starts a server and returns its address once it serves.
func Start(ctx context.Context, c Config) (*process.Process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(self)
	cmd.Env = []string{orders + "=" + string(raw), "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	p, err := process.Start(cmd)
	if err != nil {
		return nil, "", err
	}
	said, err := p.Says(ctx, ready)
	if err != nil {
		p.Kill()
		return nil, "", err
	}
	return p, said[1], nil
}

// Play is a server until the process is killed, if this process was started as
// one, and returns at once otherwise.
func Play() {
	raw := os.Getenv(orders)
	if raw == "" {
		return
	}
	fmt.Fprintln(os.Stderr, "temporal:", play(raw))
	os.Exit(1)
}

func play(raw string) error {
	var c Config
	if err := json.Unmarshal([]byte(raw), &c); err != nil {
		return err
	}
	port := 0
	if _, digits, err := net.SplitHostPort(c.Address); err == nil {
		if port, err = strconv.Atoi(digits); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	record, err := os.OpenFile(filepath.Join(c.Dir, recordFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s, err := devserver.Start(context.Background(), devserver.Options{
		Dir: c.Dir, Port: port,
		Logger:            slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Metrics:           newRecorder(record),
		PersistenceFaults: plan(c.Probability, c.Seed),
	})
	if err != nil {
		return err
	}
	fmt.Println("serving at", s.Address())
	select {}
}
