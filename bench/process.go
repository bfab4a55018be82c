package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a process that listens.
type server struct {
	name    string
	address string
	profile string // address of its profiles
	cmd     *exec.Cmd
	log     io.Closer
}

// ticksPerSecond is the unit of processor time in /proc; Linux has it fixed for programs.
const ticksPerSecond = 100

// cpuOf is the processor time that a process has used, user and system.
func cpuOf(pid int) (time.Duration, error) { return ticksOf(pid, 11, 13) }

// ticksOf adds up fields of a process's line in /proc, counted from the one behind its name.
func ticksOf(pid, from, to int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := bytes.Cut(text, []byte(") ")) // the name before may hold spaces
	words := strings.Fields(string(after))
	if len(words) < to {
		return 0, fmt.Errorf("/proc/%d/stat is short", pid)
	}
	var ticks int64
	for _, word := range words[from:to] {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// childrenCPU is the processor time of a process and of its children, those that have ended included.
func childrenCPU(pid int) (time.Duration, error) {
	sum, err := ticksOf(pid, 11, 15)
	if err != nil {
		return 0, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	for _, word := range strings.Fields(string(children)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			return 0, err
		}
		if used, err := cpuOf(child); err == nil { // it may have ended since
			sum += used
		}
	}
	return sum, nil
}

// memoryPeak is the largest resident size that a process has had, in bytes.
func memoryPeak(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmHWM", pid)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// start runs a server and waits until it accepts. Its variables are the only ones it knows besides the path.
func (b *bench) start(ctx context.Context, name, address string, variables []string, stdin []byte, command ...string) (*server, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(variables, "PATH="+os.Getenv("PATH"), "HOME="+b.dir)
	cmd.Dir, cmd.Stdin = b.dir, bytes.NewReader(stdin)
	s := &server{name: name, address: address, cmd: cmd}
	if b.logs != "" {
		file, err := os.Create(filepath.Join(b.logs, fmt.Sprintf("%s-%d.log", name, len(b.servers))))
		if err != nil {
			return nil, err
		}
		cmd.Stdout, cmd.Stderr, s.log = file, file, file
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	b.servers = append(b.servers, s)
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return s, conn.Close()
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return nil, fmt.Errorf("%s does not listen on %s: %w", name, address, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stop ends a server as an operator would, and waits for it.
func (s *server) stop() error {
	if s.cmd.ProcessState != nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	err := s.cmd.Wait()
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
	}
	if err != nil {
		return fmt.Errorf("%s ended: %w", s.name, err)
	}
	return nil
}

// role runs this program in another role to its end and reads its answer.
func role[Answer any](ctx context.Context, name string, of any) (answer Answer, err error) {
	input, err := json.Marshal(of)
	if err != nil {
		return answer, err
	}
	self, err := os.Executable()
	if err != nil {
		return answer, err
	}
	cmd := exec.CommandContext(ctx, self, name)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return answer, fmt.Errorf("%s: %w", name, err)
	}
	return answer, json.Unmarshal(output, &answer)
}
