//go:build !unix

package exec

import (
	"errors"
	"os"
	osexec "os/exec"
	"syscall"
)

const supported = false

// The signals for a process group.
const (
	pause   = syscall.SIGKILL
	resume  = syscall.SIGKILL
	finish  = syscall.SIGKILL
	destroy = syscall.SIGKILL
)

func ownGroup(*osexec.Cmd) {}

func signal(int, syscall.Signal) error { return errors.ErrUnsupported }

func alive(int) bool { return false }

func groupOf(int) int { return -1 }

func killedBy(*os.ProcessState) string { return "" }
