package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/errand-dev/errand/sessionserver"
)

// rolePrefix marks the first argument of a process that plays a part.
const rolePrefix = "role="

// A role reads its orders from the arguments, says in one JSON line on stdout
// that it is ready, and plays until its stdin closes: so none outlives us.
var roles = map[string]func(ctx context.Context, args []string) error{
	"sessions": playSessions,
	"engine":   playEngine,
	"worker":   playWorker,
	"cost":     playCost,
}

func playRole(name string, args []string) int {
	play, ok := roles[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such role:", name)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when our parent does
		cancel()
	}()
	stopProfile, err := startProfile(name)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stopProfile()
	if err := play(ctx, args); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(os.Stderr, "role %s: %v\n", name, err)
		return 1
	}
	return 0
}

// startProfile writes a CPU profile of the role into the folder that
// BENCH_PROFILE names, if it names one.
func startProfile(role string) (stop func(), err error) {
	dir := os.Getenv("BENCH_PROFILE")
	if dir == "" {
		return func() {}, nil
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.pprof", role, os.Getpid())))
	if err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, pprof.StartCPUProfile(f)
}

func say(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// part is a process that plays a role for us.
type part struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Reader
}

// start starts a role; what it says when ready goes into ready.
func start(ctx context.Context, ready any, role string, args ...string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{rolePrefix + role}, args...)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &part{cmd: cmd, stdin: stdin, lines: bufio.NewReader(stdout)}
	if ready != nil {
		if err := p.hear(ready); err != nil {
			p.stop()
			return nil, fmt.Errorf("starting role %s: %w", role, err)
		}
	}
	return p, nil
}

// hear reads what the role says next.
func (p *part) hear(v any) error {
	line, err := p.lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}

func (p *part) stop() {
	_ = p.stdin.Close()
	done := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(done) }() // how it ended does not matter
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}

// kill ends the role as a crash would.
func (p *part) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // killed: an error by design
}

// resident is the memory of the process now, in bytes.
func (p *part) resident() (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// playSessions is the session server: sessions DIR [TRUTH].
func playSessions(ctx context.Context, args []string) error {
	config := sessionserver.Config{Dir: args[0], Logger: slog.New(slog.DiscardHandler)}
	if len(args) > 1 {
		config.Truth = args[1]
	}
	s, err := sessionserver.New(config)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		closeCtx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Close(closeCtx)
	}()
	if err := say("http://" + l.Addr().String()); err != nil {
		return err
	}
	return s.Serve(l)
}
