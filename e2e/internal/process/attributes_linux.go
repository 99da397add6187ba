package process

import "syscall"

// attributes let the kernel kill the process when ours dies, however it does,
// and keep a terminal's Ctrl-C from it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
