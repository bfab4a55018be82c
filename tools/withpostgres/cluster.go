//go:build unix

package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startGrace   = 60 * time.Second // for a server on a slow disk to accept connections
	stopGrace    = 15 * time.Second // an immediate shutdown takes at most 5 s by PostgreSQL's own clock
	pollInterval = 20 * time.Millisecond
	startsMax    = 5   // another program may take the free port before the server does
	pathMax      = 60  // of the folder: a socket's whole path is limited to some 104 bytes
	logTailMax   = 4e3 // bytes of log that are shown
)

// cluster is one private server: its folder holds data/, the socket and server.log.
type cluster struct {
	bin, dir, password string
	account            *syscall.Credential // nil: the server runs as we do
	keeper             *keeperProcess
	server             *exec.Cmd
	down               chan struct{} // closed when the server has ended
}

// newCluster makes the folder, its keeper and the empty cluster. When it fails nothing is left.
func newCluster(bin string) (c *cluster, err error) {
	c = &cluster{bin: bin, password: rand.Text()}
	owner := os.Geteuid()
	if owner == 0 {
		if c.account, err = unprivileged(); err != nil {
			return nil, err
		}
	}
	if c.dir, err = temporaryDir(c.account != nil); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop(false))
		}
	}()
	if c.keeper, err = startKeeper(c.dir); err != nil {
		return nil, err
	}
	passwordFile := filepath.Join(c.dir, "password")
	if err := os.WriteFile(passwordFile, []byte(c.password+"\n"), 0o600); err != nil {
		return nil, err
	}
	if c.account != nil {
		for _, path := range []string{c.dir, passwordFile} {
			if err := os.Chown(path, int(c.account.Uid), int(c.account.Gid)); err != nil {
				return nil, err
			}
		}
	}
	out, err := c.program("initdb", "--pgdata="+c.data(), "--username=postgres", "--pwfile="+passwordFile,
		"--auth-local=trust", "--auth-host=password", "--encoding=UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("make the cluster with %s/initdb: %w\n%s", bin, err, out)
	}
	return c, nil
}

func (c *cluster) data() string    { return filepath.Join(c.dir, "data") }
func (c *cluster) logPath() string { return filepath.Join(c.dir, "server.log") }

// program prepares one of the server's programs under the account without rights, away from our environment: PG… variables
// meant for another server must not reach this one.
func (c *cluster) program(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "LC_ALL=C", "TZ=UTC"}
	if libraries := os.Getenv("LD_LIBRARY_PATH"); libraries != "" {
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+libraries)
	}
	// Its own group: Ctrl-C at a terminal is for the command, which may still need the server to clean up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.account}
	tieToParent(cmd.SysProcAttr, syscall.SIGQUIT)
	return cmd
}

// start brings the server up and answers with a superuser's address of the maintenance database.
func (c *cluster) start(signals <-chan os.Signal) (string, error) {
	for range startsMax {
		port, err := freePort()
		if err != nil {
			return "", err
		}
		if err := c.launch(port); err != nil {
			return "", err
		}
		err = c.awaitReady(signals)
		if err == nil {
			return fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?sslmode=disable", c.password, port), nil
		}
		if !strings.Contains(c.logTail(), "could not bind") {
			return "", err
		}
	}
	return "", fmt.Errorf("the PostgreSQL server found its port taken %d times; its log ends with:\n%s", startsMax, c.logTail())
}

func (c *cluster) launch(port int) error {
	log, err := os.Create(c.logPath())
	if err != nil {
		return err
	}
	defer log.Close()
	c.server = c.program("postgres", "-D", c.data(),
		"-c", "listen_addresses=127.0.0.1", "-c", "port="+strconv.Itoa(port), "-c", "unix_socket_directories="+c.dir,
		"-c", "max_connections=300", "-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "logging_collector=off",
		"-c", "log_destination=stderr")
	c.server.Stdout, c.server.Stderr = log, log
	if err := c.server.Start(); err != nil {
		return fmt.Errorf("start the PostgreSQL server: %w", err)
	}
	c.down = make(chan struct{})
	go func(server *exec.Cmd, down chan<- struct{}) {
		defer close(down)
		_ = server.Wait() // how it ended is read from its ProcessState
	}(c.server, c.down)
	return nil
}

// awaitReady reads the server's own word in its pid file, so that no client program is needed.
func (c *cluster) awaitReady(signals <-chan os.Signal) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	deadline := time.After(startGrace)
	for {
		select {
		case s := <-signals:
			return fmt.Errorf("stopped by %v while the PostgreSQL server was starting", s)
		case <-deadline:
			return fmt.Errorf("the PostgreSQL server was not ready after %v; its log ends with:\n%s", startGrace, c.logTail())
		case <-c.down:
			return fmt.Errorf("the PostgreSQL server did not start (%v); its log ends with:\n%s", c.server.ProcessState, c.logTail())
		case <-tick.C:
			if lines := pidFile(c.dir); len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready" {
				return nil
			}
		}
	}
}

// stop ends the server, at once when its files go too, and removes the folder unless it is to be left. It may be called at
// any stage.
func (c *cluster) stop(leaveFiles bool) error {
	if c.server != nil && !c.ended() {
		how := syscall.SIGQUIT // no checkpoint for files that are about to go
		if leaveFiles {
			how = syscall.SIGINT
		}
		send(c.server.Process.Pid, how)
		select {
		case <-c.down:
		case <-time.After(stopGrace):
			send(c.server.Process.Pid, syscall.SIGKILL)
			<-c.down
		}
	}
	var err error
	if leaveFiles {
		fmt.Fprintln(os.Stderr, "withpostgres: the server's files are kept in", c.dir)
	} else if removeErr := os.RemoveAll(c.dir); removeErr != nil {
		err = fmt.Errorf("remove the server's files: %w", removeErr)
	}
	if c.keeper != nil {
		err = errors.Join(err, c.keeper.dismiss())
	}
	return err
}

// ended reports whether the server has come up and gone by itself.
func (c *cluster) ended() bool {
	select {
	case <-c.down:
		return true
	default:
		return false
	}
}

func (c *cluster) logTail() string {
	text, err := os.ReadFile(c.logPath())
	if err != nil {
		return err.Error()
	}
	if len(text) > logTailMax {
		text = text[len(text)-logTailMax:]
	}
	return string(text)
}

// pidFile has the lines of the running server's pid file: pid first, state eighth; none when it does not run.
func pidFile(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		return nil
	}
	return strings.Split(string(text), "\n")
}

// unprivileged is the account for a server that refuses to run as root.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("read the ids of account %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root and there is neither an account postgres nor nobody; run this as another user")
}

// temporaryDir prefers the user's own place, and takes /tmp when a socket's path there would be too long or, for another
// account, out of reach.
func temporaryDir(forOthers bool) (string, error) {
	place := os.TempDir()
	if len(place) > pathMax || forOthers && !openToAll(place) {
		place = "/tmp"
	}
	return os.MkdirTemp(place, "xyra-pg-")
}

func openToAll(path string) bool {
	for {
		info, err := os.Stat(path)
		if err != nil || info.Mode()&fs.FileMode(0o001) == 0 {
			return false
		}
		if path == filepath.Dir(path) {
			return true
		}
		path = filepath.Dir(path)
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("look for a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
