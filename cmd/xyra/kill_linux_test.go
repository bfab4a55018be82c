package main

import (
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"
)

// The server is killed at any moment and started again while writers report: what they were told is there, each once.
func TestKill_ServerLosesNothingAcknowledged(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		kills := rounds(3, 200)
		if isPostgres(env) {
			kills = rounds(2, 100)
		}
		s := startServer(t, env...)
		l := newLedger(t, s)
		stop := l.write(t.Context())
		for n := range kills {
			l.more(1 + rand.IntN(60))
			s.kill()
			if n%20 == 19 {
				mustVerify(t, env)
				l.mustHold(env, 0)
			}
			s = startServer(t, env...)
			l.at(s)
		}
		l.more(50)
		stop()
		if code := s.terminate(); code != 0 {
			t.Errorf("ends with %d: %s", code, s.log)
		}
		mustVerify(t, env)
		told, stored := l.mustHold(env, 0)
		t.Logf("%d kills, %d events acknowledged, %d stored", kills, told, stored)
	})
}

// PostgreSQL is killed in every way there is, sometimes together with the server: what the writers were told is there, each
// once, and the server works again within five seconds after the database does.
func TestKill_DatabaseLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	plain := func(*exec.Cmd) func() { return func() {} }
	env := c.env()
	s := startServer(t, env...)
	l := newLedger(t, s)
	stop := l.write(t.Context())
	worst := time.Duration(0)
	kills := rounds(3, 50)
	for n := range kills {
		l.more(1 + rand.IntN(80))
		both := n%7 == 6 && n%3 != 2 // a server does not start beside a database that recovers
		if both {
			s.kill()
		}
		switch n % 3 {
		case 0:
			c.kill()
			c.start(plain)
		case 1:
			c.program("pg_ctl", "stop", "--pgdata="+c.data, "--mode=immediate")
			<-c.down
			c.start(plain)
		case 2:
			c.killBackend()
		}
		if both {
			s = startServer(t, env...)
			l.at(s)
		}
		worst = max(worst, c.backAfter(s, l, plain))
	}
	l.more(50)
	stop()
	if code := s.terminate(); code != 0 {
		t.Errorf("ends with %d: %s", code, s.log)
	}
	mustVerify(t, env)
	told, stored := l.mustHold(env, 0)
	t.Logf("%d kills of the database, %d events acknowledged, %d stored, %d refusals, back after at most %s", kills, told, stored, l.refused.Load(), worst)
}
