package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// rowsTask is what the bare rivals of a batch do: the rows that a batch becomes, into a table with the columns and the
// unique keys of events, without prices, rollups, callers or answers.
type rowsTask struct {
	URL         string // PostgreSQL
	Path, Like  string // SQLite: the rival's own file, and the one whose table it copies
	Connections int
	Each        int // transactions of every connection
	Rows        int
}

const rowColumns = `organization_id, kind, id, agent_id, type, quantity, currency, timestamp, recorded_at, period, details, verified,
	source, idempotency_key, digest, charge, version_id, recorded_by`

// bareRow is one row as COPY reads it. The two marks are made unique before each transaction.
func bareRow(i int, now time.Time) string {
	details := fmt.Sprintf(`{"model":"m-1","tokens":%d}`, 1800+i%97)
	return strings.Join([]string{"1", "1", string(keyMark), fmt.Sprint(1 + i%100), "call", fmt.Sprint(1 + i%7), "USD", fmt.Sprint(now.UnixMicro() - int64(i)*100_000),
		fmt.Sprint(now.UnixMicro()), "24323", details, "f", "", string(keyMark), `\\x` + strings.Repeat("5a", 32), "0.025", "1", "key:1"}, "\t") + "\n"
}

// copyRole is a bare COPY into a table that is made for it.
func copyRole(ctx context.Context) error {
	t, err := task[rowsTask]()
	if err != nil {
		return err
	}
	db, err := sql.Open("pgx", t.URL)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range []string{
		`CREATE TABLE IF NOT EXISTS bare (LIKE events, PRIMARY KEY (organization_id, kind, id))`,
		`CREATE UNIQUE INDEX IF NOT EXISTS bare_idempotency_key ON bare (organization_id, source, idempotency_key) WHERE idempotency_key IS NOT NULL`,
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	first := time.Now().UnixNano() // ids of different rounds differ by it
	return timed(t, func(connection int, between func()) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		return conn.Raw(func(raw any) error {
			return copyRows(ctx, t, raw.(*stdlib.Conn), first+int64(connection)*1_000_000_000, between)
		})
	})
}

func copyRows(ctx context.Context, t rowsTask, conn *stdlib.Conn, id int64, between func()) error {
	var text bytes.Buffer
	now := time.Now()
	for i := range t.Rows {
		text.WriteString(bareRow(i, now))
	}
	rows := text.Bytes()
	var marks []int
	for at := 0; ; at += len(keyMark) {
		next := bytes.Index(rows[at:], keyMark)
		if next < 0 {
			break
		}
		at += next
		marks = append(marks, at)
	}
	between()
	for range t.Each {
		for i := 0; i < len(marks); i += 2 {
			id++
			number := fmt.Sprintf("%020d", id)
			copy(rows[marks[i]:], number)
			copy(rows[marks[i+1]:], number)
		}
		if _, err := conn.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(rows), "COPY bare ("+rowColumns+") FROM STDIN"); err != nil {
			return err
		}
		between()
	}
	return nil
}

// rawRole is bare transactions of prepared statements of fifty rows, as SQLite takes them fastest.
func rawRole(ctx context.Context) error {
	t, err := task[rowsTask]()
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+t.Path+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(4000)")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if err := makeLike(ctx, db, t.Like); err != nil {
		return err
	}
	return timed(t, func(_ int, between func()) error {
		insert, err := db.PrepareContext(ctx, "INSERT INTO events ("+rowColumns+") VALUES "+
			strings.TrimSuffix(strings.Repeat("("+strings.TrimSuffix(strings.Repeat("?, ", 18), ", ")+"), ", rowsPrepared), ", "))
		if err != nil {
			return err
		}
		defer insert.Close()
		id := time.Now().UnixNano()
		between()
		for range t.Each {
			if err := rawTransaction(ctx, db, insert, t.Rows, &id); err != nil {
				return err
			}
			between()
		}
		return nil
	})
}

const rowsPrepared = 50

func rawTransaction(ctx context.Context, db *sql.DB, insert *sql.Stmt, rows int, id *int64) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing to do after a commit
	statement := tx.StmtContext(ctx, insert)
	defer statement.Close()
	digest := bytes.Repeat([]byte{0x5a}, 32)
	now := time.Now().UnixMicro()
	args := make([]any, 0, 18*rowsPrepared)
	for i := range rows {
		*id++
		args = append(args, 1, 1, *id, 1+i%100, "call", "3", "USD", now-int64(i)*100_000, now, 24323, `{"model":"m-1","tokens":1834}`, false,
			"", fmt.Sprintf("%020d", *id), digest, "0.025", 1, "key:1")
		if len(args) == cap(args) {
			if _, err := statement.ExecContext(ctx, args...); err != nil {
				return err
			}
			args = args[:0]
		}
	}
	return tx.Commit()
}

// makeLike gives an empty file the table of events with its unique keys, as another file has it.
func makeLike(ctx context.Context, db *sql.DB, like string) error {
	var statements []string
	from, err := sql.Open("sqlite", "file:"+like+"?mode=ro")
	if err != nil {
		return err
	}
	defer from.Close()
	for _, name := range []string{"events", "events_idempotency_key"} {
		var text string
		if err := from.QueryRowContext(ctx, "SELECT sql FROM sqlite_master WHERE name = ?", name).Scan(&text); err != nil {
			return fmt.Errorf("read how %s was made: %w", name, err)
		}
		statements = append(statements, text)
	}
	var made int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'events'").Scan(&made); err != nil || made > 0 {
		return err
	}
	for _, text := range statements {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// timed runs the connections of a task side by side and writes the result as the load generator would. work calls
// between when it is ready, and after every transaction.
func timed(t rowsTask, work func(connection int, between func()) error) (err error) {
	var mu sync.Mutex
	var latency histogram
	var began time.Time
	ready := make(chan struct{})
	var waiting, group sync.WaitGroup
	faults := make([]error, t.Connections)
	waiting.Add(t.Connections)
	for i := range t.Connections {
		group.Go(func() {
			var last time.Time
			faults[i] = work(i, func() {
				if last.IsZero() {
					waiting.Done()
					<-ready
				} else {
					mu.Lock()
					latency.add(time.Since(last))
					mu.Unlock()
				}
				last = time.Now()
			})
			if last.IsZero() {
				waiting.Done() // it failed before it was ready
			}
		})
	}
	waiting.Wait()
	began = time.Now()
	close(ready)
	group.Wait()
	r := loadResult{Answers: latency.total, All: latency.total, Elapsed: time.Since(began), P50: latency.quantile(50), P99: latency.quantile(99)}
	r.CPU, err = cpuOf(os.Getpid())
	return errors.Join(errors.Join(faults...), err, writeAnswer(os.Stdout, r))
}

func writeAnswer(w io.Writer, r loadResult) error { return json.NewEncoder(w).Encode(r) }
