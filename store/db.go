package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"xyra"
)

// Options says which database to open and what the store may not know by itself: time and where to log.
type Options struct {
	Path         string        // SQLite: the file. Used when URL is empty
	Alone        bool          // SQLite: refuse a file that another process has opened so, with ErrHeld
	URL          string        // PostgreSQL: a postgres:// URL or keyword string
	ConnsMax     int           // PostgreSQL: connections at most; 0 means 24
	ConnLifetime time.Duration // PostgreSQL: after which a connection is made anew; 0: never
	StatementMax time.Duration // PostgreSQL: how long a statement may take; 0: as long as it takes
	Now          func() time.Time
	Log          *slog.Logger  // nil discards
	SlowAfter    time.Duration // statements slower than this are warned of; 0 means 500 ms
	Stripe       bool          // Stripe is told of what is written here
	Watch        Watcher       // told of each statement but the recorder's; nil: nobody watches
}

// DB is one database. It is safe for concurrent use.
type DB struct {
	Reader
	write    *sql.DB // SQLite: one connection; PostgreSQL: the same pool as the readers'
	read     *sql.DB
	log      *slog.Logger
	now      func() time.Time
	stripe   bool
	held     io.Closer // SQLite, opened Alone: what keeps others out
	eventIDs idBlock
	jobWatch atomic.Pointer[func(kind string)]

	recordingMu         sync.Mutex
	recordingStatements map[string]*sql.Stmt // SQLite: the ingest path's, by text
}

// Tx is one transaction. All its writes become visible together or not at all.
type Tx struct {
	Reader
	Now    time.Time // UTC, whole microseconds: the one present moment of this transaction
	Stripe bool      // Stripe is told of what this transaction writes
	audit  []auditRow

	notices  []xyra.Notice
	jobKinds []string // of jobs that become due by this transaction
	advanced bool     // the recording epoch, in this transaction
}

// Reader reads, from a pool or inside a transaction.
type Reader struct {
	q    querier
	d    *dialect
	slow *slowLog
}

// querier is what pools, connections and transactions share.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Watcher is told of a statement, by its name, when it has ended. It must be quick.
type Watcher func(ctx context.Context, statement string, started, ended time.Time)

// slowLog warns of statements that take too long, and tells the watcher of all.
type slowLog struct {
	after time.Duration
	watch Watcher
	now   func() time.Time
	log   *slog.Logger
}

func (s *slowLog) observe(ctx context.Context, name string, started time.Time) {
	ended := s.now()
	if s.watch != nil {
		s.watch(ctx, name, started, ended)
	}
	if took := ended.Sub(started); took > s.after {
		s.log.WarnContext(ctx, "slow query", "statement", name, "ms", took.Milliseconds())
	}
}

// Open connects, checks that the server keeps what it acknowledges, and leaves the schema alone: see Migrate.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.SlowAfter == 0 {
		o.SlowAfter = 500 * time.Millisecond
	}
	if o.ConnsMax == 0 {
		o.ConnsMax = 24
	}
	open := openSQLite
	if o.URL != "" {
		open = openPostgres
	}
	held, err := o.hold()
	if err != nil {
		return nil, err
	}
	write, read, d, err := open(ctx, o)
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	slow := &slowLog{after: o.SlowAfter, watch: o.Watch, now: o.Now, log: o.Log}
	var pool querier = read
	if !d.postgres {
		pool = &keptStatements{DB: read, byText: map[string]*sql.Stmt{}}
	}
	return &DB{Reader: Reader{q: pool, d: d, slow: slow}, write: write, read: read, held: held, log: o.Log, now: o.Now, stripe: o.Stripe}, nil
}

// Close closes all connections.
func (db *DB) Close() error {
	if db.read == db.write {
		return db.write.Close()
	}
	return errors.Join(db.read.Close(), db.write.Close(), db.held.Close())
}

// IsPostgres tells which of the two databases this is; only start-up messages and measurements need to know.
func (db *DB) IsPostgres() bool { return db.d.postgres }

// Ping makes one round trip to the database.
func (db *DB) Ping(ctx context.Context) error {
	_, err := db.exec(ctx, "ping", "SELECT 1")
	return err
}

// Now is the store's clock: UTC, whole microseconds.
func (db *DB) Now() time.Time { return db.now().UTC().Truncate(time.Microsecond) }

// triesMax bounds how often a transaction that lost against another one is run again.
const triesMax = 6

// Tx runs f in one transaction and commits it if f returns nil. When the database names this transaction the loser of a
// deadlock or serialization conflict, f runs again from the start, so f must have no effect outside the database.
func (db *DB) Tx(ctx context.Context, f func(*Tx) error) error {
	for try := 1; ; try++ {
		err := db.tryTx(ctx, f)
		if err == nil || try == triesMax || !db.d.isRetryable(err) {
			return db.d.fault(err)
		}
		pause := time.NewTimer(time.Duration(try) * time.Duration(rand.IntN(10_000)) * time.Microsecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

func (db *DB) tryTx(ctx context.Context, f func(*Tx) error) error {
	ctx, cancel := db.boundedTx(ctx)
	defer cancel()
	sqlTx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer sqlTx.Rollback() //nolint:errcheck // after a commit it has nothing to do, after a fault its error says nothing new
	tx := &Tx{Reader: Reader{q: sqlTx, d: db.d, slow: db.slow}, Now: db.Now(), Stripe: db.stripe}
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.writeNotices(ctx); err != nil {
		return err
	}
	if err := tx.writeAudit(ctx); err != nil {
		return err
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	db.announceJobs(tx.jobKinds)
	return nil
}

// Snapshot runs f on one state of the database: whatever is written meanwhile stays invisible to it.
func (db *DB) Snapshot(ctx context.Context, f func(Reader) error) error {
	options := &sql.TxOptions{}
	if db.d.postgres {
		options = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	tx, err := db.read.BeginTx(ctx, options)
	if err != nil {
		return db.d.fault(fmt.Errorf("begin snapshot: %w", err))
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	return f(Reader{q: tx, d: db.d, slow: db.slow})
}

// IsUnique tells whether err is the violation of a unique key.
func (r Reader) IsUnique(err error) bool { return r.d.isUnique(err) }

// exec runs a statement and returns how many rows it touched. name is for the log.
func (r Reader) exec(ctx context.Context, name, text string, args ...any) (int64, error) {
	defer r.slow.observe(ctx, name, r.slow.now())
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	result, err := r.q.ExecContext(ctx, r.d.text(text), r.d.args(args)...)
	if err != nil {
		return 0, r.failed(name, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, r.failed(name, err)
	}
	return n, nil
}

// failed names the statement and tells an unreachable database from a fault of ours; losers of a conflict stay as they
// are, for Tx to see.
func (r Reader) failed(name string, err error) error {
	return r.d.fault(fmt.Errorf("%s: %w", name, err))
}

// row is what a scan function reads from.
type row interface{ Scan(dest ...any) error }

// collect reads all rows of a statement; the statement itself must bound them.
func collect[T any](ctx context.Context, r Reader, name string, scan func(row) (T, error), text string, args ...any) ([]T, error) {
	defer r.slow.observe(ctx, name, r.slow.now())
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	rows, err := r.q.QueryContext(ctx, r.d.text(text), r.d.args(args)...)
	if err != nil {
		return nil, r.failed(name, err)
	}
	defer rows.Close()
	list := []T{}
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, r.failed(name, err)
		}
		list = append(list, item)
	}
	if err := rows.Err(); err != nil {
		return nil, r.failed(name, err)
	}
	return list, nil
}

// one reads the first row of a statement; without a row it is xyra.NotFound(noun).
func one[T any](ctx context.Context, r Reader, noun, name string, scan func(row) (T, error), text string, args ...any) (T, error) {
	list, err := collect(ctx, r, name, scan, text, args...)
	if err != nil || len(list) == 0 {
		var none T
		if err == nil {
			err = xyra.NotFound(noun)
		}
		return none, err
	}
	return list[0], nil
}

// value reads one column of one row that always exists, such as a count or a RETURNING.
func value[T any](ctx context.Context, r Reader, name, text string, args ...any) (T, error) {
	return one(ctx, r, name, name, scanValue[T], text, args...)
}

func scanValue[T any](r row) (T, error) {
	var v T
	err := r.Scan(&v)
	return v, err
}
