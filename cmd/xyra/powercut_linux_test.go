package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// trappedServer is a SQLite server whose disk is trapped and noted, with writers that know how far the disk was when they were
// answered.
func trappedServer(t *testing.T) (s *server, trap *diskTrap, p *platter, l *ledger, env []string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	env = []string{"XYRA_DATA_DIR=" + dir, "SECRET_KEY=" + strings.Repeat("k", 32), "FIRST_SUPERUSER_PASSWORD=" + testPassword, "LOG_LEVEL=error"}
	first := startServer(t, env...)
	l = newLedger(t, first)
	if code := first.terminate(); code != 0 {
		t.Fatalf("ends with %d: %s", code, first.log)
	}
	p = newPlatter(t, dir)
	cmd := command(t, env)
	trap, follow := trapDisk(t, cmd, inside{}, dir)
	trap.keep, trap.watched = true, p.note
	s = startCommand(t, cmd, follow)
	l.padding, l.clock = strings.Repeat("padding ", 100), p.now
	l.at(s)
	return s, trap, p, l, env
}

// mustStand starts from what a power cut left: all that was acknowledged by then is there, once, and the books add up.
func mustStand(t *testing.T, p *platter, l *ledger, env []string, after int, seed uint64) {
	t.Helper()
	dir := writeImage(t, p.image(after, rand.New(rand.NewPCG(seed, 0))))
	left := append([]string{"XYRA_DATA_DIR=" + dir}, env[1:]...)
	mustVerify(t, left)
	told, stored := l.mustHold(left, after)
	t.Logf("power cut after call %d (seed %d): %d events acknowledged, %d stored", after, seed, told, stored)
}

// The power goes at any moment: what was synced is on the disk, of the rest any sectors. Each acknowledged event is there.
func TestPowerCut_KeepsEveryAcknowledgedEvent(t *testing.T) {
	t.Parallel()
	s, _, p, l, env := trappedServer(t)
	for range rounds(2, 10) {
		before := p.now()
		stop := l.write(t.Context())
		l.more(300)
		stop()
		for range rounds(2, 3) {
			mustStand(t, p, l, env, before+rand.IntN(p.now()-before), rand.Uint64())
		}
		p.settle()
	}
	s.kill()
	mustVerify(t, env)
	told, stored := l.mustHold(env, p.now())
	t.Logf("%d calls on files, %d events acknowledged, %d stored", p.now(), told, stored)
}

// diskBreak is what a disk does wrong.
type diskBreak struct {
	kind, file string // calls of this kind on files whose names end so fail
	errno      syscall.Errno
	times      int64 // so often; 0: until it is repaired
}

func (f diskBreak) String() string {
	return fmt.Sprintf("%s of %s fails with %q, %d times", f.kind, f.file, f.errno, f.times)
}

// diskBreaks are those of the log, where commits go, and of the main file, which the log is copied to every 4,000 pages.
func diskBreaks() []diskBreak {
	return []diskBreak{
		{"sync", "-wal", syscall.EIO, 0}, {"write", "-wal", syscall.ENOSPC, 0}, {"sync", "-wal", syscall.EIO, 1}, {"write", "-wal", syscall.EIO, 0},
		{"sync", "-wal", syscall.ENOSPC, 0}, {"write", "-wal", syscall.EIO, 1}, {"write", "-wal", syscall.ENOSPC, 3}, {"sync", "-wal", syscall.EDQUOT, 2},
		{"write", "-wal", syscall.EROFS, 0}, {"sync", ".db", syscall.EIO, 1}, {"write", ".db", syscall.ENOSPC, 1},
	}
}

// While writing or syncing fails nothing is acknowledged; what an earlier sync failed for is not taken for stored after a later
// one; and the server works again within five seconds after the disk does, by itself.
func TestDiskFault_NothingIsAcknowledgedAndAllHeals(t *testing.T) {
	t.Parallel()
	s, trap, p, l, env := trappedServer(t)
	l.padding = strings.Repeat("padding ", 1000)
	faults := diskBreaks()
	for round := range rounds(4, 40) {
		fault := faults[round%len(faults)]
		stop := l.write(t.Context())
		l.more(20)
		var hits atomic.Int64
		trap.failing(func(c diskCall) syscall.Errno {
			if c.kind == fault.kind && strings.HasSuffix(c.path, fault.file) && (fault.times == 0 || hits.Load() < fault.times) {
				hits.Add(1)
				return fault.errno
			}
			return 0
		})
		if fault.times == 0 {
			l.dead.Store(int64(round + 1))
			l.reach(l.refused.Load()+20, &l.refused, "refused")
			status, after := s.answered(untilDone(t), http.MethodPost, "/api/v1"+eventPath(l.agents, 0), l.key, `{"activity_type":"generated_token"}`)
			if status != http.StatusServiceUnavailable || after == "" {
				t.Errorf("%s: a post is answered %d, Retry-After %q", fault, status, after)
			}
			if status, _ := s.answered(untilDone(t), http.MethodGet, fmt.Sprintf("/api/v1/agents/%d", l.agents[0].ID), l.key, ""); status != http.StatusOK {
				t.Errorf("%s: a read is answered %d", fault, status)
			}
			l.dead.Store(0)
		} else {
			l.reach(fault.times, &hits, "hit by the fault")
		}
		trap.failing(nil)
		back := s.until(http.StatusOK, recoverMax, http.MethodPost, "/api/v1"+eventPath(l.agents, 0), l.key, `{"activity_type":"generated_token"}`)
		t.Logf("%s: %d calls failed, back in %s", fault, hits.Load(), back)
		l.more(20)
		after := p.now()
		stop()
		mustStand(t, p, l, env, after, rand.Uint64())
		p.settle()
	}
	s.kill()
	mustVerify(t, env)
	told, stored := l.mustHold(env, p.now())
	t.Logf("%d events acknowledged, %d stored, %d refusals", told, stored, l.refused.Load())
}
