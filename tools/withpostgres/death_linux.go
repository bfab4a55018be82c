package main

import "syscall"

// tieToParent makes the kernel send s to the process about to be started when this one ends, however it ends.
func tieToParent(attr *syscall.SysProcAttr, s syscall.Signal) { attr.Pdeathsig = s }

// dieWithParent makes the kernel send SIGTERM to this process when its parent ends: `go run` hands no SIGTERM on.
func dieWithParent() error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
