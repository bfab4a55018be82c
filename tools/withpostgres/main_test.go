//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// asProgram makes the test binary be the program, so that it can be signalled and killed like one.
const asProgram = "XYRA_TEST_AS_WITHPOSTGRES"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is one run of withpostgres whose command has told where the server is.
type program struct {
	cmd             *exec.Cmd
	errors          bytes.Buffer
	address, folder string
	output          *bufio.Reader
}

func startProgram(t *testing.T, script string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{cmd: exec.Command(self, "sh", "-c", "echo $"+variable+"; echo $"+folderVariable+"; "+script)}
	environ := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, variable) })
	p.cmd.Env = append(environ, asProgram+"=1")
	p.cmd.Stderr = &p.errors
	pipe, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.output = bufio.NewReader(pipe)
	lines := [2]string{}
	for i := range lines {
		line, err := p.output.ReadString('\n')
		if err != nil {
			t.Fatalf("read the command's output: %v (%v); errors: %s", err, p.cmd.Wait(), &p.errors)
		}
		lines[i] = strings.TrimSpace(line)
	}
	p.address, p.folder = lines[0], lines[1]
	return p
}

// end waits for the program and, because it shares its standard error, for the keeper, and answers with the exit code.
func (p *program) end(t *testing.T) int {
	t.Helper()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) answers(t *testing.T) bool {
	t.Helper()
	address, err := url.Parse(p.address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address.Host)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// checkGone is the tool's promise: whatever ended first, neither server nor files remain.
func (p *program) checkGone(t *testing.T) {
	t.Helper()
	if p.answers(t) {
		t.Errorf("the server at %s still answers", p.address)
	}
	if _, err := os.Stat(p.folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %s remains (%v)", p.folder, err)
	}
}

// The command ends by itself: its code is the program's, and nothing remains.
func TestWithpostgres_EndsWithTheCodeOfItsCommand(t *testing.T) {
	p := startProgram(t, "exit 7")
	if code := p.end(t); code != 7 {
		t.Errorf("exit code %d, want 7; errors: %s", code, &p.errors)
	}
	p.checkGone(t)
}

// A signal reaches the command while the server still runs, and the command has the last word.
func TestWithpostgres_SignalGoesToTheCommandFirst(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := startProgram(t, `trap "echo caught; exit 3" INT TERM; echo set; while :; do sleep 0.05; done`)
		for _, want := range []string{"set\n", "caught\n"} {
			if line, err := p.output.ReadString('\n'); line != want {
				t.Fatalf("%v: command says %q (%v), want %q", s, line, err, want)
			}
			if want == "set\n" {
				send(p.cmd.Process.Pid, s)
			}
		}
		if code := p.end(t); code != 3 {
			t.Errorf("%v: exit code %d, want 3; errors: %s", s, code, &p.errors)
		}
		p.checkGone(t)
	}
}

// SIGKILL leaves no time to clean up, so the keeper does.
func TestWithpostgres_KilledLeavesNothing(t *testing.T) {
	p := startProgram(t, "echo up; exec sleep 600 >/dev/null 2>&1")
	if line, err := p.output.ReadString('\n'); line != "up\n" || !p.answers(t) {
		t.Fatalf("command says %q (%v), server answers: %v", line, err, p.answers(t))
	}
	send(p.cmd.Process.Pid, syscall.SIGKILL)
	p.end(t)
	p.checkGone(t)
}

// A server that is there already is used, and left alone.
func TestWithpostgres_GivenServerIsUsed(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "sh", "-c", "echo $"+variable)
	cmd.Env = append(os.Environ(), asProgram+"=1", variable+"=postgres://elsewhere/")
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "postgres://elsewhere/\n" {
		t.Errorf("command says %q (%v)", out, err)
	}
}
