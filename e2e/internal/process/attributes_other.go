//go:build !linux

package process

import "syscall"

// attributes leave the process to itself when ours dies: only Linux can tell it.
func attributes() *syscall.SysProcAttr { return nil }
