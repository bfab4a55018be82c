package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"xyra"
)

// Recording is the transaction of the ingest path. It differs from Tx in how it travels: on PostgreSQL its statements
// go out several at a time, so that a whole batch of events costs three round trips, BEGIN and COMMIT included.
//
// While any Recording is open, a Tx that called PauseRecording waits, and the other way round. So what a Recording reads
// of agents, prices and callers stays true until it has committed.
type Recording struct {
	Now  time.Time
	db   *DB
	pg   *pgx.Conn
	lite *sql.Tx
	open bool // PostgreSQL: BEGIN has been sent
	done bool // COMMIT has been sent
}

// step is one statement of a round trip. With scan it reads rows, without it counts them.
type step struct {
	name, text string
	args       []any
	copied     []*xyra.Event // the rows of a COPY
	scan       func(row) error
	touched    int64
}

// recordingLock is the number of the advisory lock between recordings (shared) and PauseRecording (exclusive).
const recordingLock = 0x78797261

// PauseRecording waits until no recording is open and keeps new ones out until this transaction ends. Every write that
// changes what recordings read calls it first: agents, prices, organizations, users and keys. The transaction's Now
// moves to the moment after the wait, so that everything recorded before is older than this change.
func (tx *Tx) PauseRecording(ctx context.Context) error {
	if tx.d.postgres { // on SQLite the one writer's transactions come one after the other anyway
		if _, err := tx.exec(ctx, "pause recording", `SELECT pg_advisory_xact_lock($1)`, recordingLock); err != nil {
			return err
		}
		tx.Now = tx.slow.now().UTC().Truncate(time.Microsecond)
	}
	return tx.advanceEpoch(ctx)
}

// advanceEpoch makes every process forget what it remembers of agents, prices and callers once this transaction has
// committed. Every write to those calls it, so that none can be overlooked.
func (tx *Tx) advanceEpoch(ctx context.Context) error {
	if tx.advanced {
		return nil
	}
	tx.advanced = true
	_, err := tx.exec(ctx, "advance epoch", `UPDATE recording_epoch SET epoch = epoch + 1 WHERE id = 1`)
	return err
}

// Record runs f in a Recording; f ends it with Commit. If the database names it the loser of a conflict, or f returns
// ErrAgain, f runs again from the start.
func (db *DB) Record(ctx context.Context, f func(*Recording) error) error {
	for try := 1; ; try++ {
		err := db.tryRecord(ctx, f)
		again := errors.Is(err, ErrAgain) || db.d.isRetryable(err)
		if err == nil || try == triesMax || !again {
			return db.d.fault(err)
		}
	}
}

// ErrAgain asks Record to roll back and run again: what was read has been overtaken.
var ErrAgain = errors.New("overtaken by another recording")

func (db *DB) tryRecord(ctx context.Context, f func(*Recording) error) error {
	if !db.d.postgres {
		if err := db.prepareRecording(ctx); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx)
		tx, err := db.write.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("begin recording: %w", err)
		}
		defer tx.Rollback() //nolint:errcheck // nothing to do after a commit
		return f(&Recording{Now: db.Now(), db: db, lite: tx})
	}
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect for recording: %w", err)
	}
	defer conn.Close()
	var failed error
	err = conn.Raw(func(raw any) error {
		rec := &Recording{Now: db.Now(), db: db, pg: raw.(*stdlib.Conn).Conn()}
		failed = f(rec)
		if rec.open && !rec.done {
			if _, err := rec.pg.Exec(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
				return driver.ErrBadConn // in an unknown state: the pool must drop it
			}
		}
		return nil
	})
	if failed != nil {
		return failed
	}
	if err != nil && !errors.Is(err, driver.ErrBadConn) {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// run sends the steps in one round trip and reads their answers in order.
func (rec *Recording) run(ctx context.Context, name string, steps ...*step) error {
	defer rec.db.slow.observe(ctx, name, rec.db.slow.now())
	if rec.pg != nil {
		return rec.runPostgres(ctx, steps)
	}
	for _, s := range steps {
		if err := rec.runSQLite(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

func (rec *Recording) runPostgres(ctx context.Context, steps []*step) error {
	batch := &pgx.Batch{}
	if !rec.open {
		batch.Queue("BEGIN")
		batch.Queue("SELECT pg_advisory_xact_lock_shared($1)", recordingLock)
	}
	for _, s := range steps {
		batch.Queue(rec.db.d.text(s.text), s.args...)
	}
	results := rec.pg.SendBatch(ctx, batch)
	defer results.Close()
	if !rec.open {
		rec.open = true
		for range 2 {
			if _, err := results.Exec(); err != nil {
				return fmt.Errorf("begin recording: %w", err)
			}
		}
	}
	for _, s := range steps {
		if err := s.read(results); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return results.Close()
}

func (s *step) read(results pgx.BatchResults) error {
	if s.scan == nil {
		tag, err := results.Exec()
		s.touched = tag.RowsAffected()
		return err
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := s.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// runSQLite runs a step to its end, whatever becomes of ctx: being ready to interrupt costs SQLite a goroutine and a handler
// for each statement, and all there is to wait for is the disk.
func (rec *Recording) runSQLite(ctx context.Context, s *step) error {
	ctx = context.WithoutCancel(ctx)
	text, args := rec.db.d.text(s.text), rec.db.d.args(s.args)
	exec, query := rec.lite.ExecContext, rec.lite.QueryContext
	if prepared := rec.db.recordingStatements[text]; prepared != nil {
		stmt := rec.lite.StmtContext(ctx, prepared)
		exec = func(ctx context.Context, _ string, args ...any) (sql.Result, error) {
			return stmt.ExecContext(ctx, args...)
		}
		query = func(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
			return stmt.QueryContext(ctx, args...)
		}
	}
	if s.scan == nil {
		result, err := exec(ctx, text, args...)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		s.touched += n
		return err
	}
	rows, err := query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := s.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// uncertain is a fault of a round trip that held COMMIT: unless the server itself has refused, it may have committed, and
// nobody may try again.
func uncertain(err error) error {
	if isRefusal(err) {
		return err
	}
	return xyra.Unavailable(err)
}

// isRefusal tells an answer of the server from a fault on the way to it.
func isRefusal(err error) bool {
	refused := (*pgconn.PgError)(nil)
	return errors.As(err, &refused)
}

// commit sends the last steps together with COMMIT. An error leaves open whether it happened.
func (rec *Recording) commit(ctx context.Context, steps ...*step) error {
	if rec.pg == nil {
		if err := rec.run(ctx, "commit recording", steps...); err != nil {
			return err
		}
		return rec.lite.Commit()
	}
	if err := rec.run(ctx, "commit recording", append(steps, &step{name: "commit", text: "COMMIT"})...); err != nil {
		return uncertain(err)
	}
	rec.done = true
	return nil
}

// prepareRecording compiles the texts of the ingest path for SQLite once: compiling a statement of fifty rows takes
// longer than running it. It must happen outside a transaction, which would hold the pool's only connection.
func (db *DB) prepareRecording(ctx context.Context) error {
	db.recordingMu.Lock()
	defer db.recordingMu.Unlock()
	if db.recordingStatements != nil {
		return nil
	}
	statements := map[string]*sql.Stmt{}
	for _, written := range recordingTexts() {
		if err := db.prepare(ctx, db.d.text(written), func(text string, s *sql.Stmt) { statements[text] = s }); err != nil {
			return err
		}
	}
	db.recordingStatements = statements
	return nil
}

// prepare compiles a statement that lives as long as its connection.
func (db *DB) prepare(ctx context.Context, text string, keep func(text string, s *sql.Stmt)) error {
	stmt, err := db.write.PrepareContext(ctx, text)
	if err != nil {
		return fmt.Errorf("prepare %q: %w", text, err)
	}
	keep(text, stmt)
	return nil
}
