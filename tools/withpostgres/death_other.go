//go:build unix && !linux

package main

import "syscall"

// tieToParent is for kernels that cannot do it: there the keeper process alone sees this one end.
func tieToParent(*syscall.SysProcAttr, syscall.Signal) {}

// dieWithParent is for kernels that cannot do it: a signal to `go run` alone is not seen there.
func dieWithParent() error { return nil }
