package store

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// The faults of Copy that have a remedy.
var (
	ErrCopyNotEmpty = errors.New("the database that is to be filled has rows already")
	ErrCopySchema   = errors.New("the two databases have schemas of different versions")
	ErrCopyKinds    = errors.New("rows are copied from SQLite to PostgreSQL only")
)

// schemaTable is goose's own.
const schemaTable = "goose_db_version"

// ownTables are filled by migrations: each database has its own rows in them, which mean nothing elsewhere.
var ownTables = []string{schemaTable, "recording_epoch"}

// copying is a copy under way.
type copying struct {
	from  *sql.Tx
	to    pgx.Tx
	table func(name string, rows int64)
}

// Copy fills an empty, migrated PostgreSQL database with every row of a migrated SQLite database, ids and audit chains
// included, and continues its numbers. It is one transaction there, and no other process can write to the SQLite file
// meanwhile. done is called after each table.
func Copy(ctx context.Context, from, to *DB, done func(table string, rows int64)) error {
	if from.d.postgres || !to.d.postgres {
		return ErrCopyKinds
	}
	source, err := from.write.BeginTx(ctx, nil)
	if err != nil {
		return from.d.fault(fmt.Errorf("hold the source: %w", err))
	}
	defer source.Rollback() //nolint:errcheck // it has only read
	tables, err := to.tables(ctx)
	if err != nil {
		return err
	}
	conn, err := to.write.Conn(ctx)
	if err != nil {
		return to.d.fault(fmt.Errorf("connect for copying: %w", err))
	}
	defer conn.Close()
	return to.d.fault(conn.Raw(func(raw any) error {
		return pgx.BeginFunc(ctx, raw.(*stdlib.Conn).Conn(), func(target pgx.Tx) error {
			return copying{from: source, to: target, table: done}.run(ctx, tables)
		})
	}))
}

func (c copying) run(ctx context.Context, tables []placedTable) error {
	if err := c.checkSchemas(ctx); err != nil {
		return err
	}
	for _, t := range tables {
		if slices.Contains(ownTables, t.name) {
			continue
		}
		rows, err := c.copyTable(ctx, t.name)
		if err != nil {
			return fmt.Errorf("copy %s: %w", t.name, err)
		}
		c.table(t.name, rows)
	}
	return c.continueNumbers(ctx, tables)
}

func (c copying) checkSchemas(ctx context.Context) error {
	const newest = `SELECT max(version_id) FROM ` + schemaTable
	var source, target int64
	if err := c.from.QueryRowContext(ctx, newest).Scan(&source); err != nil {
		return fmt.Errorf("read the source's schema version: %w", err)
	}
	if err := c.to.QueryRow(ctx, newest).Scan(&target); err != nil {
		return fmt.Errorf("read the target's schema version: %w", err)
	}
	if source != target {
		return fmt.Errorf("%w: %d and %d", ErrCopySchema, source, target)
	}
	return nil
}

// copyTable streams one table through COPY and compares the counts of both ends.
func (c copying) copyTable(ctx context.Context, table string) (int64, error) {
	var filled int
	if err := c.to.QueryRow(ctx, `SELECT count(*) FROM (SELECT 1 FROM `+table+` LIMIT 1) AS first`).Scan(&filled); err != nil {
		return 0, err
	}
	if filled > 0 {
		return 0, ErrCopyNotEmpty
	}
	columns, err := c.columns(ctx, table)
	if err != nil {
		return 0, err
	}
	names := strings.Join(columns, ", ")
	rows, err := c.from.QueryContext(ctx, `SELECT `+names+` FROM `+table)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	reader, writer := io.Pipe()
	read := make(chan int64, 1)
	go func() {
		n, err := writeRows(writer, rows, len(columns))
		writer.CloseWithError(err) // nil ends the stream
		read <- n
	}()
	tag, err := c.to.Conn().PgConn().CopyFrom(ctx, reader, `COPY `+table+` (`+names+`) FROM STDIN`)
	reader.Close()
	sent := <-read
	err = errors.Join(err, rows.Err())
	if err == nil && tag.RowsAffected() != sent {
		err = fmt.Errorf("%d rows were read, %d arrived", sent, tag.RowsAffected())
	}
	return sent, err
}

// columns are the target's; the source must have the same.
func (c copying) columns(ctx context.Context, table string) ([]string, error) {
	const text = `SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`
	rows, err := c.to.Query(ctx, text, table)
	if err != nil {
		return nil, err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	var others int
	if err := c.from.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info($1)`, table).Scan(&others); err != nil {
		return nil, err
	}
	if others != len(columns) {
		return nil, fmt.Errorf("%w: %d and %d columns", ErrCopySchema, others, len(columns))
	}
	return columns, nil
}

// writeRows writes rows in COPY's text form: decimals stay the digits that they are.
func writeRows(w io.Writer, rows *sql.Rows, columns int) (n int64, err error) {
	out := bufio.NewWriterSize(w, 1<<16)
	cells, targets := make([]any, columns), make([]any, columns)
	for i := range cells {
		targets[i] = &cells[i]
	}
	var line []byte
	for ; rows.Next(); n++ {
		if err := rows.Scan(targets...); err != nil {
			return n, err
		}
		line = line[:0]
		for i, cell := range cells {
			if i > 0 {
				line = append(line, '\t')
			}
			if line, err = appendCell(line, cell); err != nil {
				return n, err
			}
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return n, err
		}
	}
	return n, errors.Join(rows.Err(), out.Flush())
}

func appendCell(line []byte, cell any) ([]byte, error) {
	switch v := cell.(type) {
	case nil:
		return append(line, `\N`...), nil
	case int64:
		return strconv.AppendInt(line, v, 10), nil
	case bool:
		return strconv.AppendBool(line, v), nil
	case string:
		return appendCopyText(line, v), nil
	case []byte:
		return hex.AppendEncode(append(line, `\\x`...), v), nil
	}
	return nil, fmt.Errorf("a cell holds %T", cell)
}

// continueNumbers sets what gives out ids to go on where the source would have.
func (c copying) continueNumbers(ctx context.Context, tables []placedTable) error {
	next, err := c.readNumbers(ctx, `SELECT name, next FROM sequences`)
	if err != nil {
		return err
	}
	identities, err := c.readNumbers(ctx, `SELECT name, seq + 1 FROM sqlite_sequence`)
	if err != nil {
		return err
	}
	for _, t := range tables {
		value, has := identities[t.name]
		if !has || slices.Contains(ownTables, t.name) {
			continue
		}
		var sequence string
		if err := c.to.QueryRow(ctx, `SELECT pg_get_serial_sequence($1, 'id')`, t.name).Scan(&sequence); err != nil {
			return fmt.Errorf("find what gives out ids of %s: %w", t.name, err)
		}
		next[sequence] = value
	}
	for sequence, value := range next {
		if _, err := c.to.Exec(ctx, `SELECT setval($1::text::regclass, $2, FALSE)`, sequence, value); err != nil {
			return fmt.Errorf("continue %s at %d: %w", sequence, value, err)
		}
	}
	return nil
}

func (c copying) readNumbers(ctx context.Context, text string) (map[string]int64, error) {
	rows, err := c.from.QueryContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("read the numbers of the source: %w", err)
	}
	defer rows.Close()
	next := map[string]int64{}
	for rows.Next() {
		var name string
		var value int64
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("read the numbers of the source: %w", err)
		}
		next[name] = value
	}
	return next, rows.Err()
}

// appendCopyText escapes what has a meaning in COPY's text format.
func appendCopyText(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			b = append(b, '\\', '\\')
		case '\t':
			b = append(b, '\\', 't')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, c)
		}
	}
	return b
}
