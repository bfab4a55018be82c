package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// smallDisk is the size of a disk that is filled, with room for the log of SQLite and what it is copied to.
const smallDisk = 48 << 20

// fill takes all space of a disk, by a file that is removed to give it back.
func fill(t testing.TB, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 1 << 20; size >= 512; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return ballast
}

// A real disk, small and full: nothing is lost, nothing is answered but true 200 and honest 503, reads go on, and with space
// again the server works by itself.
func TestDiskFull_SQLiteRefusesAndHeals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := []string{"XYRA_DATA_DIR=" + dir, "SECRET_KEY=" + strings.Repeat("k", 32), "FIRST_SUPERUSER_PASSWORD=" + testPassword, "LOG_LEVEL=error"}
	cmd := command(t, env)
	inside{Mount: dir, Size: smallDisk}.around(t, cmd)
	s := startCommand(t, cmd, func() {})
	disk, err := os.Open(onDisk(cmd, dir)) // it lives as long as somebody has it open
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	l := newLedger(t, s)
	l.padding = strings.Repeat("padding ", 500)
	for round := range rounds(1, 10) {
		stop := l.write(t.Context())
		l.more(20 + rand.IntN(100))
		ballast := fill(t, onDisk(cmd, dir))
		l.reach(l.refused.Load()+20, &l.refused, "refused")
		for path, want := range map[string]int{"/ready": http.StatusOK, fmt.Sprintf("/api/v1/agents/%d", l.agents[0].ID): http.StatusOK} {
			if status, _ := s.answered(untilDone(t), http.MethodGet, path, l.key, ""); status != want {
				t.Errorf("GET %s on a full disk is answered %d", path, status)
			}
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		back := s.until(http.StatusOK, recoverMax, http.MethodPost, "/api/v1"+eventPath(l.agents, 0), l.key, `{"activity_type":"generated_token"}`)
		l.more(20)
		stop()
		t.Logf("full disk %d: %d acknowledged, %d refused, back after %s", round, l.told.Load(), l.refused.Load(), back)
	}
	s.kill()
	left := append([]string{"XYRA_DATA_DIR=" + t.TempDir()}, env[1:]...)
	for _, name := range []string{"xyra.db", "xyra.db-wal"} {
		takeFile(t, fmt.Sprintf("/proc/self/fd/%d/%s", disk.Fd(), name), filepath.Join(valueOf(left, "XYRA_DATA_DIR"), name))
	}
	mustVerify(t, left)
	told, stored := l.mustHold(left, 0)
	t.Logf("%d events acknowledged, %d stored", told, stored)
}

func takeFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if closing := out.Close(); err != nil || closing != nil {
		t.Fatal(err, closing)
	}
}

// What fails under PostgreSQL: without space for tables it refuses; without its log it ends and starts anew, over and over.
func postgresBreaks() []diskBreak {
	return []diskBreak{
		{"write", "/base/", syscall.ENOSPC, 0}, {"write", "/pg_wal/", syscall.ENOSPC, 0}, {"sync", "/pg_wal/", syscall.EIO, 1},
		{"write", "/base/", syscall.EIO, 0}, {"write", "/pg_wal/", syscall.EIO, 1},
	}
}

// The disk below PostgreSQL is full or broken: nothing that was acknowledged is lost, and with the disk the server is back.
func TestDiskFull_PostgreSQLRefusesAndHeals(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "max_wal_size=32MB", "min_wal_size=8MB")
	c.kill()
	var trap *diskTrap
	trapped := func(cmd *exec.Cmd) (follow func()) {
		trap, follow = trapDisk(t, cmd, inside{UID: c.uid, GID: c.gid}, c.data)
		return follow
	}
	c.start(trapped)
	env := c.env()
	s := startServer(t, env...)
	l := newLedger(t, s)
	l.padding = strings.Repeat("padding ", 500)
	breaks := postgresBreaks()
	for round := range rounds(2, 20) {
		fault := breaks[round%len(breaks)]
		stop := l.write(t.Context())
		l.more(20 + rand.IntN(40))
		var hits atomic.Int64
		trap.failing(func(call diskCall) syscall.Errno {
			if call.kind == fault.kind && strings.Contains(call.path, fault.file) && (fault.times == 0 || hits.Load() < fault.times) {
				hits.Add(1)
				return fault.errno
			}
			return 0
		})
		l.reach(1, &hits, "hit by the fault")
		if fault.times == 0 {
			l.reach(l.refused.Load()+20, &l.refused, "refused")
		}
		trap.failing(nil)
		back := c.backAfter(s, l, trapped)
		l.more(20)
		stop()
		t.Logf("%s: %d calls failed, back after %s", fault, hits.Load(), back)
	}
	if code := s.terminate(); code != 0 {
		t.Errorf("ends with %d: %s", code, s.log)
	}
	mustVerify(t, env)
	told, stored := l.mustHold(env, 0)
	t.Logf("%d events acknowledged, %d stored, %d refusals", told, stored, l.refused.Load())
}
