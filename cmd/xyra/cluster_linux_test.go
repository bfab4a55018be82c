package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cluster is a PostgreSQL server of one test alone, which may do with it what it likes. Its programs and its account are those
// of the server that all tests share.
type cluster struct {
	t      testing.TB
	bin    string
	dir    string
	data   string
	port   int
	uid    int // 0: the test's own
	gid    int
	config []string
	server *exec.Cmd
	log    *lockedBuffer
	down   chan struct{}
}

// newCluster makes one and starts it. The end of the test stops it.
func newCluster(t testing.TB, config ...string) *cluster {
	t.Helper()
	c := emptyCluster(t, config...)
	c.program("initdb", "--pgdata="+c.data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--wal-segsize=4")
	c.start(func(*exec.Cmd) func() { return func() {} })
	return c
}

func emptyCluster(t testing.TB, config ...string) *cluster {
	t.Helper()
	shared := os.Getenv("XYRA_TEST_POSTGRES_DIR")
	command, err := os.ReadFile(filepath.Join(shared, "data", "postmaster.opts"))
	if err != nil {
		t.Fatalf("find PostgreSQL's programs by XYRA_TEST_POSTGRES_DIR, which `go run ./tools/withpostgres` sets: %v", err)
	}
	program, _, _ := strings.Cut(string(command), " ")
	info, err := os.Stat(filepath.Join(shared, "data"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "xyra-cluster-") // another account must reach it
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, bin: filepath.Dir(program), dir: dir, data: filepath.Join(dir, "data"), port: freePort(t), config: config, log: &lockedBuffer{}}
	t.Cleanup(func() {
		if c.server != nil {
			c.kill()
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if owner := info.Sys().(*syscall.Stat_t); int(owner.Uid) != os.Getuid() {
		c.uid, c.gid = int(owner.Uid), int(owner.Gid)
		if err := os.Chown(dir, c.uid, c.gid); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (c *cluster) url() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", c.port)
}

// env selects the cluster's database.
func (c *cluster) env() []string {
	return []string{"DATABASE_URL=" + c.url(), "SECRET_KEY=" + strings.Repeat("k", 32), "FIRST_SUPERUSER_PASSWORD=" + testPassword, "LOG_LEVEL=error"}
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// program runs one of PostgreSQL's programs to its end.
func (c *cluster) program(name string, args ...string) {
	c.t.Helper()
	cmd := c.command(name, args...)
	if c.uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(c.uid), Gid: uint32(c.gid)}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// start brings the server up. around may change the command, and returns what is to be done once it runs.
func (c *cluster) start(around func(*exec.Cmd) (started func())) {
	c.t.Helper()
	ctx, look := untilDone(c.t), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for c.launch(around); !c.ready(); {
		select {
		case <-look.C:
			select {
			case <-c.down: // an earlier server's last processes may still hold its memory or port
				c.launch(around)
			default:
			}
		case <-ctx.Done():
			c.t.Fatalf("PostgreSQL is not ready: %s", c.log)
		}
	}
}

// backAfter is how long after the database took clients again the server did all its work again. A postmaster that has given
// up is replaced meanwhile.
func (c *cluster) backAfter(s *server, l *ledger, around func(*exec.Cmd) (started func())) time.Duration {
	c.t.Helper()
	db := rawDatabase(c.t, c.env())
	defer db.Close()
	db.SetMaxIdleConns(-1)
	ctx := untilDone(c.t)
	for since := time.Now(); ctx.Err() == nil; {
		if db.PingContext(ctx) != nil {
			select {
			case <-c.down:
				c.start(around)
			default:
			}
			since = time.Now()
		}
		ready, _ := s.answered(ctx, http.MethodGet, "/ready", "", "")
		wrote, _ := s.answered(ctx, http.MethodPost, "/api/v1"+eventPath(l.agents, 0), l.key, `{"activity_type":"generated_token"}`)
		back := time.Since(since)
		if ready == http.StatusOK && wrote == http.StatusOK {
			return back
		}
		if back > recoverMax {
			c.t.Errorf("%s after its database the server answers %d and %d; %s", back, ready, wrote, s.log)
			return back
		}
	}
	c.t.Errorf("the database is not back; %s", c.log)
	return 0
}

func (c *cluster) launch(around func(*exec.Cmd) (started func())) {
	c.t.Helper()
	c.log = &lockedBuffer{}
	args := []string{"-D", c.data, "-c", "listen_addresses=127.0.0.1", "-c", "port=" + strconv.Itoa(c.port), "-c", "unix_socket_directories=",
		"-c", "fsync=on", "-c", "max_connections=80", "-c", "shared_buffers=16MB", "-c", "log_destination=stderr"}
	for _, setting := range c.config {
		args = append(args, "-c", setting)
	}
	c.server = c.command("postgres", args...)
	c.server.Stdout, c.server.Stderr = c.log, c.log
	started := around(c.server)
	if c.uid != 0 && c.server.Path == filepath.Join(c.bin, "postgres") {
		c.server.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(c.uid), Gid: uint32(c.gid)}
	}
	if err := c.server.Start(); err != nil {
		c.t.Fatal(err)
	}
	started()
	c.down = make(chan struct{})
	go func(server *exec.Cmd, down chan struct{}) {
		defer close(down)
		server.Process.Wait() //nolint:errcheck // it is killed; its children may keep its output open
	}(c.server, c.down)
}

// ready reads the server's own word.
func (c *cluster) ready() bool {
	text, err := os.ReadFile(filepath.Join(c.data, "postmaster.pid"))
	lines := bytes.Split(text, []byte("\n"))
	return err == nil && len(lines) > 7 && string(lines[0]) == strconv.Itoa(c.server.Process.Pid) && string(bytes.TrimSpace(lines[7])) == "ready"
}

// kill ends the postmaster as nothing but a kernel does; its children end when they notice.
func (c *cluster) kill() {
	c.server.Process.Kill() //nolint:errcheck // it may have ended
	<-c.down
}

// killBackend kills one of the postmaster's children that serve a client, upon which the postmaster ends all and starts anew.
func (c *cluster) killBackend() {
	c.t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		words := strings.Fields(rest)
		title, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err != nil || len(words) < 2 || words[1] != strconv.Itoa(c.server.Process.Pid) || !bytes.Contains(title, []byte("127.0.0.1")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			c.t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			c.t.Fatal(err)
		}
		return
	}
	c.t.Fatalf("no process of PostgreSQL serves a client; %s", c.log)
}
