package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"
)

// trapped are the calls by which a database reaches its files.
var trapped = []int{syscall.SYS_PWRITE64, syscall.SYS_PWRITEV, syscall.SYS_FTRUNCATE, syscall.SYS_FALLOCATE, syscall.SYS_FSYNC, syscall.SYS_FDATASYNC}

// diskCall is one system call on a file.
type diskCall struct {
	kind   string // "write", "truncate", "allocate" or "sync"
	path   string
	offset int64 // truncate: the new length
	size   int64
	data   []byte        // of a write, when the trap keeps it
	failed syscall.Errno // what the process was told instead
}

// diskTrap stands between a process with all its children and its files.
type diskTrap struct {
	dir     string // calls on files elsewhere pass unseen
	watched func(diskCall)
	keep    bool // the bytes of writes
	memory  map[uint32]*os.File

	mu   sync.Mutex // held while a call is judged: what comes after is another's
	fail func(diskCall) syscall.Errno
}

// trapDisk has a command's calls on files below dir judged by the trap; nothing fails until failing says so. It must be
// called before the command is started, and follow after.
func trapDisk(t testing.TB, cmd *exec.Cmd, in inside, dir string) (trap *diskTrap, follow func()) {
	t.Helper()
	d := &diskTrap{dir: dir, memory: map[uint32]*os.File{}, fail: func(diskCall) syscall.Errno { return 0 }, watched: func(diskCall) {}}
	in.Trapped = true
	in.around(t, cmd)
	own := handover(t, cmd)
	return d, func() {
		t.Helper()
		cmd.ExtraFiles[0].Close()
		defer own.Close()
		listener, err := receiveDescriptor(own)
		if err != nil {
			t.Fatalf("no descriptor comes from inside: %v; user namespaces or seccomp may be forbidden here", err)
		}
		go d.serve(listener)
	}
}

func receiveDescriptor(c *net.UnixConn) (int, error) {
	rights := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := c.ReadMsgUnix(make([]byte, 1), rights)
	if err != nil {
		return 0, err
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return 0, errors.Join(err, fmt.Errorf("%d control messages", len(messages)))
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return 0, err
	}
	return fds[0], nil
}

// failing has calls fail from now on as f says; nil: none.
func (d *diskTrap) failing(f func(diskCall) syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail = f; f == nil {
		d.fail = func(diskCall) syscall.Errno { return 0 }
	}
}

// The structs of <linux/seccomp.h>.
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	call  int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

type verdict struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

const (
	notifyReceive  = 0xC0502100
	notifySend     = 0xC0182101
	verdictProceed = 1
	pollIn         = 1
	pollHangup     = 0x10
)

// serve judges calls until the last process has ended.
func (d *diskTrap) serve(listener int) {
	defer syscall.Close(listener)
	defer func() {
		for _, m := range d.memory {
			m.Close()
		}
	}()
	for {
		poll := struct {
			fd              int32
			events, revents int16
		}{int32(listener), pollIn, 0}
		_, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, 0, 0, 0, 0)
		if errno != 0 && errno != syscall.EINTR || poll.revents&pollHangup != 0 {
			return
		}
		if poll.revents&pollIn == 0 {
			continue
		}
		var n notification
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(listener), notifyReceive, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue // it was killed meanwhile
		}
		d.judge(listener, &n)
	}
}

func (d *diskTrap) judge(listener int, n *notification) {
	d.mu.Lock()
	defer d.mu.Unlock()
	answer := verdict{id: n.id, flags: verdictProceed}
	c, ours := d.call(n)
	if ours {
		if c.failed = d.fail(c); c.failed != 0 {
			answer = verdict{id: n.id, errno: -int32(c.failed)}
		}
		d.watched(c) // before it happens: whoever hears of its effect finds it noted
	}
	syscall.Syscall(syscall.SYS_IOCTL, uintptr(listener), notifySend, uintptr(unsafe.Pointer(&answer))) //nolint:errcheck // it was killed meanwhile
}

// call reads what a process is about to do.
func (d *diskTrap) call(n *notification) (c diskCall, ours bool) {
	path, err := os.Readlink("/proc/" + strconv.Itoa(int(n.pid)) + "/fd/" + strconv.Itoa(int(int32(n.args[0]))))
	if err != nil || path != d.dir && !strings.HasPrefix(path, d.dir+string(filepath.Separator)) {
		return c, false
	}
	c.path = path
	switch int(n.call) {
	case syscall.SYS_FSYNC, syscall.SYS_FDATASYNC:
		c.kind = "sync"
	case syscall.SYS_FTRUNCATE:
		c.kind, c.offset = "truncate", int64(n.args[1])
	case syscall.SYS_FALLOCATE:
		c.kind = "allocate"
	case syscall.SYS_PWRITEV:
		c.kind = "write" // of PostgreSQL, whose bytes nobody keeps
	case syscall.SYS_PWRITE64:
		c.kind, c.offset, c.size = "write", int64(n.args[3]), int64(n.args[2])
		if d.keep {
			c.data = make([]byte, c.size)
			if err := d.peek(n.pid, c.data, int64(n.args[1])); err != nil {
				return c, false // it was killed meanwhile
			}
		}
	}
	return c, true
}

func (d *diskTrap) peek(pid uint32, into []byte, at int64) error {
	m := d.memory[pid]
	if m == nil {
		var err error
		if m, err = os.Open(fmt.Sprintf("/proc/%d/mem", pid)); err != nil {
			return err
		}
		d.memory[pid] = m
	}
	_, err := m.ReadAt(into, at)
	return err
}
