//go:build unix

package exec

import (
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"syscall"
)

const supported = true

// The signals for a process group.
const (
	pause   = syscall.SIGSTOP
	resume  = syscall.SIGCONT
	finish  = syscall.SIGTERM
	destroy = syscall.SIGKILL
)

// ownGroup makes a command the leader of a new process group.
func ownGroup(cmd *osexec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signal signals all processes of a group; one that is gone is no error.
func signal(group int, s syscall.Signal) error {
	if err := syscall.Kill(-group, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// alive tells whether a group has any process, be it one not reaped yet.
func alive(group int) bool { return !errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) }

// groupOf gives the group of a process, -1 if there is no such process.
func groupOf(pid int) int {
	group, err := syscall.Getpgid(pid)
	if err != nil {
		return -1
	}
	return group
}

// killedBy names the signal that ended a process, if one did.
func killedBy(s *os.ProcessState) string {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Sprintf("%d (%v)", status.Signal(), status.Signal())
	}
	return ""
}
