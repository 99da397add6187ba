// Package errand runs the errand command as the servers of a rehearsal: a
// Temporal server and a session server in processes of their own, which can be
// killed and come back with the same data on the same ports.
package errand

import (
	"context"
	"errors"
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
func Build(ctx context.Context, dir string) (Command, error) {
	return build(ctx, ".", filepath.Join(dir, "errand"), Race)
}

// BuildTemporal builds it for a Temporal server that others share: without the
// race detector, which would make it too slow for them, and whose business it
// is not.
func BuildTemporal(ctx context.Context, dir string) (Command, error) {
	return build(ctx, ".", filepath.Join(dir, "errand"), false)
}

// BuildRevision builds the command of another revision of this repository into
// dir.
func BuildRevision(ctx context.Context, dir, revision string) (_ Command, err error) {
	tree := filepath.Join(dir, "errand-"+revision)
	if err := run(ctx, ".", "git", "worktree", "add", "--detach", tree, revision); err != nil {
		return Command{}, err
	}
	defer func() {
		err = errors.Join(err, run(context.WithoutCancel(ctx), ".", "git", "worktree", "remove", "--force", tree))
	}()
	return build(ctx, tree, filepath.Join(dir, "errand-of-"+revision), Race)
}

// build builds the command of the module in a folder.
func build(ctx context.Context, module, path string, race bool) (Command, error) {
	args := []string{"build"}
	if race {
		path += "-race"
		args = append(args, "-race")
	}
	return Command{path: path}, run(ctx, module, "go", append(args, "-o", path, "github.com/errand-dev/errand/cmd/errand")...)
}

// run runs a program to its end in a folder.
func run(ctx context.Context, dir, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, args[0], err, out)
	}
	return nil
}

// startPatience is what a server gets to start, on a small and busy machine
// with the race detector on.
const startPatience = 90 * time.Second

// Server is a server in a process of its own.
type Server struct {
	process *process.Process
	start   func(context.Context) (*process.Process, error)
}

func serve(ctx context.Context, start func(context.Context) (*process.Process, error)) (Server, error) {
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

// Stop asks the server to end, and returns once it has.
func (s *Server) Stop(ctx context.Context) error { return s.process.Stop(ctx) }

// Do runs errand to its end, with its data and its home in dir.
func (c Command) Do(ctx context.Context, dir string, args ...string) error {
	if out, err := c.command(ctx, dir, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(c.path), args[0], err, out)
	}
	return nil
}

// command is errand with its data and its home in dir.
func (c Command) command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.path, append(args, "--log-level", "warn")...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "ERRAND_DATA_DIR=" + filepath.Join(dir, "data")}
	return cmd
}

// launch starts errand with its data and its home in dir, and waits until it
// has said what it says when ready.
func (c Command) launch(ctx context.Context, dir string, ready *regexp.Regexp, args ...string) (*process.Process, []string, error) {
	p, err := process.Start(c.command(context.Background(), dir, args...)) // it outlives ctx
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
