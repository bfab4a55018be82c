package main

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"time"
)

// operatorOf is somebody with a connection of his own to a database, and the rights to make it unusable.
type operatorOf struct {
	t    *testing.T
	pool *sql.DB
	conn *sql.Conn
	held []*sql.Conn
	stop context.CancelFunc
	busy sync.WaitGroup
}

func newOperatorOf(t *testing.T, env []string) *operatorOf {
	t.Helper()
	o := &operatorOf{t: t, pool: rawDatabase(t, env)}
	t.Cleanup(func() { o.pool.Close() })
	var err error
	if o.conn, err = o.pool.Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *operatorOf) run(statements ...string) {
	o.t.Helper()
	for _, s := range statements {
		if _, err := o.conn.ExecContext(o.t.Context(), s); err != nil {
			o.t.Errorf("%s: %v", s, err)
		}
	}
}

const endOthers = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'xyra'`

// takeAll takes every connection that the server has, so that nobody else gets one.
func (o *operatorOf) takeAll() {
	o.t.Helper()
	ctx := untilDone(o.t)
	for others := 1; others > 0; {
		o.run(endOthers)
		for {
			c, err := o.pool.Conn(ctx)
			if err != nil {
				break
			}
			o.held = append(o.held, c)
		}
		if err := o.conn.QueryRowContext(ctx, `SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'xyra'`).Scan(&others); err != nil {
			o.t.Fatal(err)
		}
	}
}

func (o *operatorOf) giveBack() {
	o.pool.SetMaxIdleConns(1)
	for _, c := range o.held {
		c.Close()
	}
	o.held = nil
}

// harass ends the server's connections again and again.
func (o *operatorOf) harass() {
	ctx, stop := context.WithCancel(o.t.Context())
	o.stop = stop
	o.busy.Go(func() {
		again := time.NewTicker(5 * time.Millisecond)
		defer again.Stop()
		for ctx.Err() == nil {
			if _, err := o.conn.ExecContext(o.t.Context(), endOthers); err != nil {
				o.t.Error(err)
				return
			}
			<-again.C
		}
	})
}

func (o *operatorOf) leaveAlone() {
	o.stop()
	o.busy.Wait()
}

// A PostgreSQL server that is read-only, out of connections, locked up or restless under six kinds of work.
func TestFault_PostgreSQLStateIsAnsweredHonestlyAndHeals(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "max_connections=30")
	env := append(c.env(), "XYRA_POSTGRES_STATEMENT_TIMEOUT=1s", "XYRA_POSTGRES_CONNS=4")
	f := newFaulted(t, env, startServer(t, env...))
	o := newOperatorOf(t, env)
	states := []broken{
		{name: "no connection is left", begin: o.takeAll, end: o.giveBack, unready: true},
		{name: "read-only", begin: func() { o.run("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()") },
			end: func() { o.run("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()") }},
		{name: "tables are locked", begin: func() {
			o.run("BEGIN", "LOCK TABLE events, agents, users, organizations, usage_days IN ACCESS EXCLUSIVE MODE")
		},
			end: func() { o.run("ROLLBACK") }},
		{name: "connections are ended", begin: o.harass, end: o.leaveAlone},
		{name: "new connections are read-only", begin: func() { o.run("ALTER DATABASE postgres SET default_transaction_read_only = on", endOthers) },
			end: func() {
				o.run("SET default_transaction_read_only = off", "ALTER DATABASE postgres RESET default_transaction_read_only")
			}},
	}
	for n := range rounds(5, len(states)*len(deedNames)) {
		f.survives(states[n%len(states)], deedNames[(n+2)%len(deedNames)])
	}
	mustVerify(t, env)
}

// Another process holds the SQLite file for a while: writes wait for it, and all is answered.
func TestFault_SQLiteHeldByAnotherProcessOnlyWaits(t *testing.T) {
	t.Parallel()
	env := []string{"XYRA_DATA_DIR=" + t.TempDir(), "FIRST_SUPERUSER_PASSWORD=" + testPassword, "LOG_LEVEL=error"}
	f := newFaulted(t, env, startServer(t, env...))
	o := newOperatorOf(t, env)
	held := broken{name: "held by another process", begin: func() { o.run("BEGIN IMMEDIATE") }, end: func() { o.run("ROLLBACK") }, harmless: true}
	for n := range rounds(1, len(deedNames)) {
		f.survives(held, deedNames[(n+2)%len(deedNames)])
	}
	mustVerify(t, env)
}
