package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"xyra/money"
)

// busyTimeoutMS is how long a SQLite connection waits for another process before it gives up.
const busyTimeoutMS = 10_000

// openSQLite opens one writer and several readers on one file. synchronous=FULL makes a commit survive a power cut: in
// WAL mode the weaker NORMAL does not sync at commit.
func openSQLite(ctx context.Context, o Options) (write, read *sql.DB, d *dialect, err error) {
	if err := registerDecimals(); err != nil {
		return nil, nil, nil, err
	}
	pragmas := []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeoutMS), // first: the others may have to wait
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "cache_size(-65536)", "wal_autocheckpoint(4000)", "temp_store(MEMORY)",
	}
	dsn := func(more url.Values) string {
		more["_pragma"] = append(pragmas, more["_pragma"]...)
		return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: o.Path}).EscapedPath(), RawQuery: more.Encode()}).String()
	}
	write, err = sql.Open("sqlite", dsn(url.Values{"_txlock": {"immediate"}}))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	write.SetMaxOpenConns(1)
	if err := write.PingContext(ctx); err != nil {
		write.Close()
		return nil, nil, nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	read, err = sql.Open("sqlite", dsn(url.Values{"_pragma": {"query_only(1)"}}))
	if err != nil {
		write.Close()
		return nil, nil, nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	read.SetMaxOpenConns(8)
	read.SetMaxIdleConns(8)
	return write, read, &dialect{}, nil
}

// registerDecimals teaches SQLite exact addition of decimals. The driver keeps functions for the whole process.
var registerDecimals = sync.OnceValue(func() error {
	if err := sqlite.RegisterDeterministicScalarFunction("dec_add", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		var a, b money.Decimal
		if err := a.Scan(args[0]); err != nil {
			return nil, err
		}
		if err := b.Scan(args[1]); err != nil {
			return nil, err
		}
		return a.Add(b).Canonical(), nil
	}); err != nil {
		return fmt.Errorf("register dec_add: %w", err)
	}
	err := sqlite.RegisterFunction("dec_sum", &sqlite.FunctionImpl{
		NArgs: 1, Deterministic: true,
		MakeAggregate: func(sqlite.FunctionContext) (sqlite.AggregateFunction, error) { return &decimalSum{}, nil },
	})
	if err != nil {
		return fmt.Errorf("register dec_sum: %w", err)
	}
	return nil
})

// decimalSum adds exact decimals; like SUM it passes over NULL and is NULL without rows.
type decimalSum struct {
	sum  money.Decimal
	some bool
}

// Step implements sqlite.AggregateFunction.
func (s *decimalSum) Step(_ *sqlite.FunctionContext, args []driver.Value) error {
	if args[0] == nil {
		return nil
	}
	var d money.Decimal
	if err := d.Scan(args[0]); err != nil {
		return err
	}
	s.sum, s.some = s.sum.Add(d), true
	return nil
}

// WindowInverse implements sqlite.AggregateFunction.
func (s *decimalSum) WindowInverse(_ *sqlite.FunctionContext, args []driver.Value) error {
	var d money.Decimal
	if err := d.Scan(args[0]); err != nil {
		return err
	}
	s.sum = s.sum.Sub(d)
	return nil
}

// WindowValue implements sqlite.AggregateFunction.
func (s *decimalSum) WindowValue(*sqlite.FunctionContext) (driver.Value, error) {
	if !s.some {
		return nil, nil
	}
	return s.sum.Canonical(), nil
}

// Final implements sqlite.AggregateFunction.
func (s *decimalSum) Final(*sqlite.FunctionContext) {}

// openPostgres opens one pool and refuses a server that would lose acknowledged transactions.
func openPostgres(ctx context.Context, o Options) (write, read *sql.DB, d *dialect, err error) {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read the PostgreSQL address: %w", err)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "xyra"
	}
	config.DialFunc = impatientDialer().DialContext
	config.OnPgError = leaveReadOnly(config.OnPgError)
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		if err := plainPlans(ctx, c); err != nil {
			return err
		}
		return limitSession(ctx, c, o.StatementMax)
	}))
	pool.SetMaxOpenConns(o.ConnsMax)
	pool.SetMaxIdleConns(o.ConnsMax)
	pool.SetConnMaxLifetime(o.ConnLifetime)
	if err := checkPostgres(ctx, pool); err != nil {
		pool.Close()
		return nil, nil, nil, err
	}
	return pool, pool, &dialect{postgres: true, statementMax: o.StatementMax}, nil
}

// plainPlans keeps the server from starting workers and compiling code for statements that take a millisecond: over a
// million events both cost ten. They are no start-up parameters, which poolers refuse.
func plainPlans(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "SET max_parallel_workers_per_gather = 0; SET jit = off"); err != nil {
		return fmt.Errorf("choose plain plans: %w", err)
	}
	return nil
}

func checkPostgres(ctx context.Context, pool *sql.DB) error {
	var version int
	var synchronous, fsync string
	row := pool.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit'), current_setting('fsync')`)
	if err := row.Scan(&version, &synchronous, &fsync); err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	if version < 130000 {
		return fmt.Errorf("PostgreSQL %d is too old: 13 or newer is needed", version/10000)
	}
	if synchronous == "off" || fsync == "off" {
		return fmt.Errorf("PostgreSQL runs with %s: a crash would lose acknowledged events; turn it on", strings.Join(offSettings(synchronous, fsync), " and "))
	}
	return nil
}

func offSettings(synchronous, fsync string) (off []string) {
	if synchronous == "off" {
		off = append(off, "synchronous_commit=off")
	}
	if fsync == "off" {
		off = append(off, "fsync=off")
	}
	return off
}
