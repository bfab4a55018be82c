package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"xyra"
)

// Written is all that a recording writes.
type Written struct {
	Events []*xyra.Event // in order of organization and idempotency key
	Add    Rollups
	Seen   []AgentSeen
}

// epochHoldsText fails, and with it the whole transaction, unless the epoch is still the one given.
const epochHoldsText = `SELECT 1 / (CASE WHEN epoch = $1 THEN 1 ELSE 0 END) FROM recording_epoch WHERE id = 1`

// onceEventText is the insert without mercy: a known key fails, and with it the whole transaction.
var onceEventText = newBulk("events", "", eventBulkColumns...).postgres

// RecordOnce records on PostgreSQL in a single round trip (three for very many events) what was computed from a state of that epoch. ErrAgain means
// that nothing was recorded and that Record must do it: the epoch has moved on, a key is known, or the transaction lost
// against another one. Any other error leaves open whether it happened.
func (db *DB) RecordOnce(ctx context.Context, epoch int64, now time.Time, w Written) error {
	defer db.slow.observe(ctx, "record once", db.slow.now())
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return db.d.fault(fmt.Errorf("connect for recording: %w", err))
	}
	defer conn.Close()
	err = conn.Raw(func(raw any) error {
		rec := &Recording{Now: now, db: db, pg: raw.(*stdlib.Conn).Conn()}
		err := rec.once(ctx, epoch, w)
		if err == nil {
			return nil
		}
		if _, failed := rec.pg.Exec(context.WithoutCancel(ctx), "ROLLBACK"); failed != nil {
			return errors.Join(err, failed, rec.pg.Close(context.WithoutCancel(ctx)))
		}
		return err
	})
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) {
		switch refused.Code {
		case "22012", "23505", "40001", "40P01": // division by zero is the epoch's
			return ErrAgain
		}
	}
	if err != nil {
		return db.d.fault(uncertain(err))
	}
	return nil
}

// copyFrom is from how many events on COPY, which takes a round trip more, is faster than INSERT.
const copyFrom = 500

func (rec *Recording) once(ctx context.Context, epoch int64, w Written) error {
	begin := []*step{
		{name: "begin", text: "BEGIN"},
		{name: "lock", text: "SELECT pg_advisory_xact_lock_shared($1)", args: []any{recordingLock}},
		{name: "epoch", text: epochHoldsText, args: []any{epoch}},
	}
	end := append(rec.addSteps(w.Add, w.Seen), &step{name: "commit", text: "COMMIT"})
	if len(w.Events) < copyFrom {
		insert := &step{name: "insert events", text: onceEventText, args: eventLists(w.Events).list()}
		return rec.send(ctx, append(append(begin, insert), end...))
	}
	if err := rec.send(ctx, begin); err != nil {
		return err
	}
	if _, err := rec.pg.PgConn().CopyFrom(ctx, newEventCopy(w.Events), copyEventsText); err != nil {
		return fmt.Errorf("copy events: %w", err)
	}
	return rec.send(ctx, end)
}

// send is one round trip of statements that answer with nothing.
func (rec *Recording) send(ctx context.Context, steps []*step) error {
	batch := &pgx.Batch{}
	for _, s := range steps {
		batch.Queue(rec.db.d.text(s.text), s.args...)
	}
	results := rec.pg.SendBatch(ctx, batch)
	for _, s := range steps {
		if _, err := results.Exec(); err != nil {
			results.Close() // it repeats the error at hand
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return results.Close()
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
