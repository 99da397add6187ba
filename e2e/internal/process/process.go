// Package process starts programs that are to be killed: what they say is
// kept, and none outlives this process.
package process

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
)

// Process is a running program.
type Process struct {
	cmd    *exec.Cmd
	output *output
	exited chan struct{}
}

// Start starts the command, whose output becomes the process's.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, output: newOutput(), exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(p.exited)
	}()
	return p, nil
}

// Exited is closed once the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Life is a context that ends with the process.
func (p *Process) Life(ctx context.Context) (context.Context, context.CancelFunc) {
	life, end := context.WithCancel(ctx)
	go func() {
		defer end()
		select {
		case <-p.exited:
		case <-life.Done():
		}
	}()
	return life, end
}

// Kill ends the process as a crash would, with SIGKILL, and returns once it is
// gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.exited
}

// Freeze makes the process stand still until it is thawed or killed.
func (p *Process) Freeze() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) } // an error means that it has ended

// Thaw lets a frozen process go on.
func (p *Process) Thaw() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// Stop asks the process to end, with SIGTERM, and returns once it has.
func (p *Process) Stop(ctx context.Context) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s does not end: %s", p, p.Output()), ctx.Err())
	}
}

// Killed reports whether a SIGKILL has ended the process.
func (p *Process) Killed() bool {
	select {
	case <-p.exited:
	default:
		return false
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// Says waits until the process has said what fits the expression, and returns
// the match and its groups.
func (p *Process) Says(ctx context.Context, what *regexp.Regexp) ([]string, error) {
	for {
		said, more := p.output.read()
		if match := what.FindStringSubmatch(said); match != nil {
			return match, nil
		}
		select {
		case <-more:
		case <-p.exited:
			if match := what.FindStringSubmatch(p.Output()); match != nil {
				return match, nil
			}
			return nil, fmt.Errorf("%s has ended (%s): %s", p, p.cmd.ProcessState, p.Output())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%s has not said %s, but: %s", p, what, p.Output()), ctx.Err())
		}
	}
}

// Output is all that the process has said so far.
func (p *Process) Output() string {
	said, _ := p.output.read()
	return said
}

func (p *Process) String() string {
	return fmt.Sprintf("%s (process %d)", filepath.Base(p.cmd.Path), p.cmd.Process.Pid)
}
