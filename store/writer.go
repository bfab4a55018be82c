package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// writers makes SQLite's connection for writing a writer.
type writers struct{ driver.Connector }

// Connect implements driver.Connector.
func (w writers) Connect(ctx context.Context) (driver.Conn, error) {
	made, err := w.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	pooled, isPooled := made.(pooledConn)
	asked, isAsked := made.(askedConn)
	if !isPooled || !isAsked {
		return nil, errors.Join(fmt.Errorf("SQLite's driver has made a %T, which cannot all that is asked of it", made), made.Close())
	}
	return &writer{pooledConn: pooled, askedConn: asked, kept: map[string]keptStatement{}}, nil
}

// pooledConn is what a pool asks a connection about itself, askedConn what it lets others ask.
type (
	pooledConn interface {
		driver.Conn
		driver.SessionResetter
		driver.Validator
	}
	askedConn interface {
		driver.ConnBeginTx
		driver.ConnPrepareContext
		driver.ExecerContext
		driver.QueryerContext
		driver.Pinger
	}
)

// writer is SQLite's connection for writing. To database/sql it is any connection; a Recording, which has it for itself as
// long as it is open, runs its statements right on it: each is compiled once, and no argument is looked at twice.
type writer struct {
	pooledConn
	askedConn
	kept map[string]keptStatement // by text
	args []driver.NamedValue      // of the statement that runs
}

type keptStatement interface {
	driver.StmtExecContext
	driver.StmtQueryContext
	io.Closer
}

// keptTexts are the statements that a writer keeps: compiling one of fifty rows takes longer than running it.
var keptTexts = sync.OnceValue(func() map[string]bool {
	kept := map[string]bool{}
	for _, written := range append(recordingTexts(), "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK") {
		kept[written] = true
	}
	return kept
})

// Unwrap returns the driver's own connection, which the driver asks for.
func (w *writer) Unwrap() driver.Conn { return w.pooledConn }

// Close implements driver.Conn. A connection that has statements left would keep the file open.
func (w *writer) Close() error {
	var faults []error
	for _, stmt := range w.kept {
		faults = append(faults, stmt.Close())
	}
	clear(w.kept)
	return errors.Join(append(faults, w.pooledConn.Close())...)
}

// statement compiles a text, unless it is compiled already; release is to be called when it has run.
func (w *writer) statement(ctx context.Context, written, text string) (stmt keptStatement, release func() error, err error) {
	if stmt := w.kept[text]; stmt != nil {
		return stmt, keep, nil
	}
	made, err := w.PrepareContext(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	stmt, ok := made.(keptStatement)
	if !ok {
		return nil, nil, errors.Join(fmt.Errorf("SQLite's driver has made a %T, which cannot run", made), made.Close())
	}
	if !keptTexts()[written] {
		return stmt, stmt.Close, nil
	}
	w.kept[text] = stmt
	return stmt, keep, nil
}

func keep() error { return nil }

// do runs a statement that has neither arguments nor rows.
func (w *writer) do(ctx context.Context, text string) error {
	return w.runStatement(ctx, &step{text: text}, text, nil)
}

// rollback ends the transaction, which SQLite may have ended by itself: there is nothing to undo then.
func (w *writer) rollback(ctx context.Context) error {
	err := w.do(ctx, "ROLLBACK")
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) && lite.Code() == sqlite3.SQLITE_ERROR {
		return nil
	}
	return err
}

// run runs a step.
func (w *writer) run(ctx context.Context, d *dialect, s *step) error {
	w.args = w.args[:0]
	for i, arg := range d.args(s.args) {
		value, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	defer clear(w.args) // texts may be large
	return w.runStatement(ctx, s, d.text(s.text), w.args)
}

// runStatement compiles the step's text, as this database reads it, and runs it.
func (w *writer) runStatement(ctx context.Context, s *step, text string, args []driver.NamedValue) (err error) {
	stmt, release, err := w.statement(ctx, s.text, text)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if s.scan != nil {
		return queryEach(ctx, stmt, args, s.scan)
	}
	result, err := stmt.ExecContext(ctx, args)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	s.touched += n
	return err
}

func queryEach(ctx context.Context, stmt driver.StmtQueryContext, args []driver.NamedValue, scan func(row) error) (err error) {
	rows, err := stmt.QueryContext(ctx, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	cells := make(driverRow, len(rows.Columns()))
	for {
		switch err := rows.Next(cells); {
		case err == io.EOF: //nolint:errorlint // the driver's contract: it is io.EOF itself
			return nil
		case err != nil:
			return err
		}
		if err := scan(cells); err != nil {
			return err
		}
	}
}
