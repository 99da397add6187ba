// Package errand runs the errand command as the servers of a rehearsal: a
// Temporal server and a session server in processes of their own, which can be
// killed and come back with the same data on the same ports.
package errand

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/errand-dev/errand/e2e/internal/process"
)

// Command is the errand command, built.
type Command struct{ path string }

// Build builds the command into dir, with the race detector if this program
// has it. The Temporal server in it takes minutes the first time.
func Build(ctx context.Context, dir string) (Command, error) { return build(ctx, dir, Race) }

// BuildTemporal builds it for a Temporal server that others share: without the
// race detector, which would make it too slow for them, and whose business it
// is not.
func BuildTemporal(ctx context.Context, dir string) (Command, error) { return build(ctx, dir, false) }

func build(ctx context.Context, dir string, race bool) (Command, error) {
	c := Command{path: filepath.Join(dir, "errand")}
	args := []string{"build", "-o", c.path}
	if race {
		c.path += "-race"
		args = []string{"build", "-race", "-o", c.path}
	}
	build := exec.CommandContext(ctx, "go", append(args, "github.com/errand-dev/errand/cmd/errand")...)
	if out, err := build.CombinedOutput(); err != nil {
		return Command{}, fmt.Errorf("go build: %w: %s", err, out)
	}
	return c, nil
}

// startPatience is what a server gets to start, on a small and busy machine
// with the race detector on.
const startPatience = 90 * time.Second

// Server is a server in a process of its own.
type Server struct {
	process *process.Process
	start   func(context.Context) (*process.Process, error)
}

func run(ctx context.Context, start func(context.Context) (*process.Process, error)) (Server, error) {
	p, err := start(ctx)
	return Server{process: p, start: start}, err
}

// Ours says that this program has started the server and may kill it.
func (s *Server) Ours() bool { return s.start != nil }

// Kill ends the server as a crash would, if it has ever started.
func (s *Server) Kill() {
	if s.process != nil {
		s.process.Kill()
	}
}

// Restart starts a server that has ended again, where it was, and returns once
// it serves.
func (s *Server) Restart(ctx context.Context) error {
	<-s.process.Exited()
	p, err := s.start(ctx)
	if err == nil {
		s.process = p
	}
	return err
}

// Output is what the server has said since its last start.
func (s *Server) Output() string { return s.process.Output() }

// launch starts errand with its data and its home in dir, and waits until it
// has said what it says when ready.
func (c Command) launch(ctx context.Context, dir string, ready *regexp.Regexp, args ...string) (*process.Process, []string, error) {
	cmd := exec.Command(c.path, append(args, "--log-level", "warn")...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "ERRAND_DATA_DIR=" + filepath.Join(dir, "data")}
	p, err := process.Start(cmd)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	said, err := p.Says(ctx, ready)
	if err != nil {
		p.Kill()
		return nil, nil, err
	}
	return p, said, nil
}
