//go:build !windows

package main

import "syscall"

// filesMax is how many files and connections this process may have open.
func filesMax() (most uint64, known bool) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return limit.Cur, err == nil
}
