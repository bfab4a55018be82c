package store

import "syscall"

// tcpUserTimeout is TCP_USER_TIMEOUT, which package syscall does not name.
const tcpUserTimeout = 0x12

// loseUnanswered has the kernel close a connection whose bytes nobody acknowledges: keep-alive looks at silent ones alone.
func loseUnanswered(network, _ string, c syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int((aliveAfter + aliveTries*aliveEvery).Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
