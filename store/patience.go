package store

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// This file says how long PostgreSQL and the way to it are waited for.

// aliveAfter is how long a silent connection is trusted before the kernel asks whether the other side is still there; it
// asks aliveTries times more, so that a server that vanished is noticed within five seconds.
const (
	aliveAfter = 2 * time.Second
	aliveEvery = time.Second
	aliveTries = 3
	dialMax    = 5 * time.Second
)

// transactionMax is how many times longer than a statement a transaction may take.
const transactionMax = 4

// answerMargin is what the server's own limit may be late.
const answerMargin = 5 * time.Second

// impatientDialer makes connections that end when nobody answers on them.
func impatientDialer() *net.Dialer {
	return &net.Dialer{Timeout: dialMax, Control: loseUnanswered, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: aliveAfter, Interval: aliveEvery, Count: aliveTries}}
}

// leaveReadOnly ends a connection on which nothing may be written: a server that was demoted, or whose disk was full, keeps
// its sessions so, while a new connection finds one that writes.
func leaveReadOnly(before pgconn.PgErrorHandler) pgconn.PgErrorHandler {
	return func(c *pgconn.PgConn, err *pgconn.PgError) (stays bool) {
		return before(c, err) && err.Code != codeReadOnly
	}
}

// limitSession has the server end statements that take too long, and transactions of a program that vanished with their locks.
func limitSession(ctx context.Context, c *pgx.Conn, statementMax time.Duration) error {
	if statementMax == 0 {
		return nil
	}
	limits := fmt.Sprintf("SET statement_timeout = %d; SET idle_in_transaction_session_timeout = %d; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3",
		statementMax.Milliseconds(), transactionMax*statementMax.Milliseconds())
	if _, err := c.Exec(ctx, limits); err != nil {
		return fmt.Errorf("limit the session: %w", err)
	}
	return nil
}

// bounded is ctx for one statement: the wait for a connection included, it ends soon after the server itself would have.
func (r Reader) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.d.statementMax == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, r.d.statementMax+answerMargin)
}

// boundedTx is ctx for one transaction.
func (r Reader) boundedTx(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.d.statementMax == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, transactionMax*r.d.statementMax+answerMargin)
}
