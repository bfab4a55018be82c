package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"unsafe"
)

// inside is what a process gets around it before the program of its arguments takes its place: the test's own binary is
// started, makes it, and becomes that program.
type inside struct {
	Trapped  bool   // its writes to files and its syncs ask the test first
	UID, GID int    // of another account; 0: it stays
	Mount    string // this folder becomes a disk of its own, of Size bytes, that holds a copy of From
	Size     int64
	From     string
	Args     []string
}

// insideVariable holds an inside; TestMain looks at it.
const insideVariable = "XYRA_TEST_INSIDE"

// around makes a command run inside. What it is told by the caller (folder, environment, output) stays.
func (in inside) around(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in.Args = append([]string{cmd.Path}, cmd.Args[1:]...)
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Args = self, []string{self}
	cmd.Env = append(cmd.Env, insideVariable+"="+string(text))
	if in.Mount != "" {
		cmd.SysProcAttr = ownMounts(cmd.SysProcAttr)
	}
}

// insideUser is who a process with mounts of its own is inside: not root, as which PostgreSQL would refuse to run.
const insideUser = 1000

const capSysAdmin = 21

// ownMounts gives a process mounts of its own. That needs no rights where the kernel lets users make namespaces.
func ownMounts(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Cloneflags |= syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: insideUser, HostID: os.Getuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: insideUser, HostID: os.Getgid(), Size: 1}}
	attr.AmbientCaps = []uintptr{capSysAdmin}
	return attr
}

// enterInside ends this process by becoming another program, if it was started for that.
func enterInside() {
	text := os.Getenv(insideVariable)
	if text == "" {
		return
	}
	runtime.LockOSThread() // a filter is a thread's, and exec makes that thread the process
	var in inside
	err := json.Unmarshal([]byte(text), &in)
	for _, step := range []func() error{in.mount, in.become, in.trap} {
		if err == nil {
			err = step()
		}
	}
	if err == nil {
		environ := slices.DeleteFunc(os.Environ(), func(v string) bool { return len(v) > len(insideVariable) && v[:len(insideVariable)] == insideVariable })
		err = syscall.Exec(in.Args[0], in.Args, environ)
	}
	fmt.Fprintf(os.Stderr, "inside: %v\n", err)
	os.Exit(97)
}

// mount puts a disk of limited size in place of a folder, for this process and its children alone.
func (in *inside) mount() error {
	if in.Mount == "" {
		return nil
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts private: %w", err)
	}
	if err := syscall.Mount("disk", in.Mount, "tmpfs", 0, "mode=0700,size="+strconv.FormatInt(in.Size, 10)); err != nil {
		return fmt.Errorf("mount a small disk: %w", err)
	}
	if in.From == "" {
		return nil
	}
	return os.CopyFS(in.Mount, os.DirFS(in.From))
}

func (in *inside) become() error {
	if in.GID != 0 {
		if err := syscall.Setgroups(nil); err != nil {
			return err
		}
		if err := syscall.Setgid(in.GID); err != nil {
			return err
		}
	}
	if in.UID != 0 {
		return syscall.Setuid(in.UID)
	}
	return nil
}

// What <linux/seccomp.h> and <linux/prctl.h> name.
const (
	prSetNoNewPrivs    = 38
	seccompModeFilter  = 1
	seccompNewListener = 1 << 3
	seccompKillable    = 1 << 5 // signals do not break off a call that the test has heard of
	seccompAllow       = 0x7fff0000
	seccompAsk         = 0x7fc00000
	bpfLoadWord        = 0x20
	bpfJumpEqual       = 0x15
	bpfReturn          = 0x06
)

// seccompOf is the number of seccomp(2) and the kernel's name of the processor.
var seccompOf = map[string]struct{ call, arch uint32 }{"amd64": {317, 0xC000003E}, "arm64": {277, 0xC00000B7}}

// trap has the kernel ask at the descriptor that it hands to the test, over the socket that is file 3.
func (in *inside) trap() error {
	if !in.Trapped {
		return nil
	}
	numbers, known := seccompOf[runtime.GOARCH]
	if !known {
		return fmt.Errorf("no numbers of system calls for %s", runtime.GOARCH)
	}
	filter := []syscall.SockFilter{{Code: bpfLoadWord, K: 4}, {Code: bpfJumpEqual, Jf: uint8(len(trapped)) + 1, K: numbers.arch}, {Code: bpfLoadWord, K: 0}}
	for i, call := range trapped {
		filter = append(filter, syscall.SockFilter{Code: bpfJumpEqual, Jt: uint8(len(trapped) - i), K: uint32(call)})
	}
	filter = append(filter, syscall.SockFilter{Code: bpfReturn, K: seccompAllow}, syscall.SockFilter{Code: bpfReturn, K: seccompAsk})
	program := syscall.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("give up new rights: %w", errno)
	}
	fd, _, errno := syscall.RawSyscall(uintptr(numbers.call), seccompModeFilter, seccompNewListener|seccompKillable, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("have the kernel ask about system calls (Linux 5.19 or newer): %w", errno)
	}
	if err := syscall.Sendmsg(3, []byte{0}, syscall.UnixRights(int(fd)), nil, 0); err != nil {
		return fmt.Errorf("hand over the descriptor: %w", err)
	}
	if err := syscall.Close(int(fd)); err != nil {
		return err
	}
	return syscall.Close(3)
}

// handover is a socket to a process about to be started; its end becomes file 3 there.
func handover(t testing.TB, cmd *exec.Cmd) (own *net.UnixConn) {
	t.Helper()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(ends[1]), "handover")
	cmd.ExtraFiles = []*os.File{theirs}
	t.Cleanup(func() { theirs.Close() })
	file := os.NewFile(uintptr(ends[0]), "handover")
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.UnixConn)
}

// onDisk is where a file inside a process's own mounts is seen from here.
func onDisk(cmd *exec.Cmd, path string) string {
	return filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "root", path)
}
