//go:build unix

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// variable is what the command finds the server by; when it is set already, no server is started.
const variable = "XYRA_TEST_POSTGRES"

// folderVariable is where the command finds the server's files: data/, with the server's pid, and server.log.
const folderVariable = "XYRA_TEST_POSTGRES_DIR"

// commandGrace is how long a command that was asked to end may take before it is killed.
const commandGrace = 20 * time.Second

const usage = `usage: withpostgres [-keep] COMMAND ARGUMENT…

Starts a private PostgreSQL server, runs COMMAND with XYRA_TEST_POSTGRES set to the address of its
maintenance database and XYRA_TEST_POSTGRES_DIR to the folder of its files, stops the server, removes
the files and ends with the exit code of COMMAND. With XYRA_TEST_POSTGRES set already it only runs COMMAND.
  -keep   leave the server's files and its log where they are, and say where (the server is stopped all the same)
PG_BIN names the folder of initdb and postgres when they are in no usual place.
`

func main() {
	// The kernel ties "parent" to the thread that started us and ours; a locked main thread lives as long as the process.
	runtime.LockOSThread()
	if len(os.Args) == 3 && os.Args[1] == keeperFlag {
		os.Exit(keep(os.Args[2]))
	}
	flags := flag.NewFlagSet("withpostgres", flag.ContinueOnError)
	flags.Usage = func() {} // printed below for no command too
	leaveFiles := flags.Bool("keep", false, "")
	if err := flags.Parse(os.Args[1:]); err != nil || flags.NArg() == 0 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	code, err := run(flags.Args(), *leaveFiles)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
	}
	os.Exit(code)
}

// run is the whole life: server up, command, server down. The code is the command's own, or 1 when it could not be started.
func run(command []string, leaveFiles bool) (code int, err error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	if err := dieWithParent(); err != nil {
		return 1, fmt.Errorf("ask to be told of the parent's end: %w", err)
	}
	if os.Getenv(variable) != "" {
		return runCommand(command, os.Environ(), signals)
	}
	bin, err := serverBinaries()
	if err != nil {
		return 1, err
	}
	c, err := newCluster(bin)
	if err != nil {
		return 1, err
	}
	defer func() {
		if stopErr := c.stop(leaveFiles); stopErr != nil {
			code, err = max(code, 1), errors.Join(err, stopErr)
		}
	}()
	url, err := c.start(signals)
	if err != nil {
		return 1, err
	}
	code, err = runCommand(command, append(os.Environ(), variable+"="+url, folderVariable+"="+c.dir), signals)
	if c.ended() {
		return max(code, 1), fmt.Errorf("the PostgreSQL server ended before the command did; its log ends with:\n%s", c.logTail())
	}
	return code, err
}

// runCommand hands signals on to the command and answers with its exit code, 128+N when signal N ended it.
func runCommand(command, environ []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdin, os.Stdout, os.Stderr, environ
	onTerminal := isTerminal(os.Stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !onTerminal}
	tieToParent(cmd.SysProcAttr, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		return 127, fmt.Errorf("start the command: %w", err)
	}
	// A group of its own lets a signal reach the grandchildren too (go test starts one process a package).
	target := cmd.Process.Pid
	if !onTerminal {
		target = -target
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var overdue <-chan time.Time
	for {
		select {
		case s := <-signals:
			// A terminal has sent its Ctrl-C to the command already.
			if !onTerminal || s != syscall.SIGINT {
				send(target, s.(syscall.Signal))
			}
			if overdue == nil {
				overdue = time.After(commandGrace)
			}
		case <-overdue:
			send(target, syscall.SIGKILL)
		case err := <-done:
			if !onTerminal {
				send(target, syscall.SIGKILL) // what the command left running
			}
			return exitCode(err)
		}
	}
}

// send signals a process, or with a negative target its group; one that has ended already is no fault.
func send(target int, s syscall.Signal) {
	if err := syscall.Kill(target, s); err != nil && err != syscall.ESRCH {
		fmt.Fprintf(os.Stderr, "withpostgres: send %v to %d: %v\n", s, target, err)
	}
}

func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return 1, fmt.Errorf("wait for the command: %w", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// isTerminal reports whether f is a terminal, as far as that can be told without asking the kernel for its settings.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && !os.SameFile(info, null)
}
