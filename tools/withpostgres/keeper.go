//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// keeperFlag makes this program the keeper of the folder named behind it.
const keeperFlag = "-keeper-of"

// keeperProcess is our end of the keeper: it does nothing until the pipe closes.
type keeperProcess struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// startKeeper starts this program once more, in a session of its own, to clean up after us should we be killed.
func startKeeper(dir string) (*keeperProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.Command(self, keeperFlag, dir)
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make the keeper's pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the keeper: %w", err)
	}
	return &keeperProcess{cmd, pipe}, nil
}

// dismiss tells the keeper that all is cleaned up and waits for its end.
func (k *keeperProcess) dismiss() error {
	_, err := k.pipe.Write([]byte("done"))
	return errors.Join(err, k.pipe.Close(), k.cmd.Wait())
}

// keep is the keeper's life: the pipe closed without a word means that the other process was killed.
func keep(dir string) int {
	word, err := io.ReadAll(os.Stdin)
	if err == nil && len(word) > 0 {
		return 0
	}
	if lines := pidFile(dir); len(lines) > 0 {
		pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
		if err == nil && pid > 1 {
			send(pid, syscall.SIGQUIT)
		}
	}
	for end := time.Now().Add(stopGrace); pidFile(dir) != nil && time.Now().Before(end); {
		time.Sleep(pollInterval)
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres: remove the server's files:", err)
		return 1
	}
	return 0
}
