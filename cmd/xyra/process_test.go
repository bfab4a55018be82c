package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"xyra/store"
	"xyra/store/storetest"
)

// The tests of this package run the program as it is shipped, in processes of its own.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "xyra-binary-")
	if err != nil {
		return "", err
	}
	binaryDir.Store(&dir)
	path := filepath.Join(dir, "xyra")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return path, nil
})

// binaryDir is where it is, once it is built; fuzzing builds none.
var binaryDir atomic.Pointer[string]

func TestMain(m *testing.M) {
	enterInside()
	code := m.Run()
	if dir := binaryDir.Load(); dir != nil {
		os.RemoveAll(*dir)
	}
	os.Exit(code)
}

// command is the program with only the given environment, in a folder of its own. It is killed when it takes too long.
func command(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rounds(5, 60))*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + cmd.Dir, "XYRA_ADDR=127.0.0.1:0"}, env...)
	return cmd
}

// ended runs a command to its end.
func ended(t testing.TB, cmd *exec.Cmd) (code int, out, complaints string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// server is a running xyra serve.
type server struct {
	t       testing.TB
	cmd     *exec.Cmd
	url     string // with the prefix of the API
	banner  string
	log     *lockedBuffer
	stopped bool
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// startServer starts xyra serve and returns when its banner is complete. The test's end kills it if it still runs.
func startServer(t testing.TB, env ...string) *server {
	t.Helper()
	return startCommand(t, command(t, env), func() {})
}

// startCommand is startServer with a command that may be changed before, and something to do once it has been started.
func startCommand(t testing.TB, cmd *exec.Cmd, started func()) *server {
	t.Helper()
	s := &server{t: t, cmd: cmd, log: &lockedBuffer{}}
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !s.stopped {
			s.kill()
		}
	})
	started()
	lines := bufio.NewReader(out)
	for !strings.Contains(s.banner, "\n  Stop ") {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the server ended before it served: %s", s.log)
		}
		s.banner += line
		if _, url, found := strings.Cut(line, "  API       "); found {
			s.url = strings.TrimSpace(url)
		}
	}
	go io.Copy(io.Discard, lines) //nolint:errcheck // it ends with the process
	return s
}

// kill ends the server as a power cut would.
func (s *server) kill() {
	s.stopped = true
	s.cmd.Process.Kill() //nolint:errcheck // it may have ended
	s.cmd.Wait()         //nolint:errcheck // it was killed
}

// terminate asks the server to end and returns its exit code.
func (s *server) terminate() int {
	s.t.Helper()
	s.stopped = true
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil && s.cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

const testPassword = "a-password-of-the-tests"

// login is a client of the server with the first superuser's token.
func (s *server) login() *demoClient {
	s.t.Helper()
	client := newDemoClient(s.url, 32)
	token, err := client.login(s.t.Context(), "admin@example.com", testPassword)
	if err != nil {
		s.t.Fatalf("log in: %v\n%s", err, s.log)
	}
	return client.as(token)
}

// eachDatabase runs f with the environment that selects an empty database of each kind; the first start migrates it.
func eachDatabase(t *testing.T, f func(t *testing.T, env []string)) {
	t.Helper()
	all := []string{"SECRET_KEY=" + strings.Repeat("k", 32), "FIRST_SUPERUSER_PASSWORD=" + testPassword, "LOG_LEVEL=warn"}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		env := append([]string{"XYRA_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}, all...)
		if target.URL != "" {
			env = append([]string{"DATABASE_URL=" + target.URL}, all...)
		}
		f(t, env)
	})
}

// mustVerify runs xyra verify on the database.
func mustVerify(t testing.TB, env []string) {
	t.Helper()
	if code, out, complaints := ended(t, command(t, env, "verify")); code != 0 {
		t.Errorf("verify ends with %d: %s%s", code, out, complaints)
	}
}

// untilDone bounds a wait for something that must happen.
func untilDone(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
