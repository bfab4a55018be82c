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
	Events []xyra.Event // in order of organization and idempotency key
	Add    Rollups
	Seen   []AgentSeen
}

// epochHoldsText fails, and with it the whole transaction, unless the epoch is still the one given.
const epochHoldsText = `SELECT 1 / (CASE WHEN epoch = $1 THEN 1 ELSE 0 END) FROM recording_epoch WHERE id = 1`

// onceEventText is the insert without mercy: a known key fails, and with it the whole transaction.
var onceEventText = newBulk("events", "", eventBulkColumns...).postgres

// RecordOnce records on PostgreSQL in a single round trip what was computed from a state of that epoch. ErrAgain means
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
	return db.d.fault(err)
}

func (rec *Recording) once(ctx context.Context, epoch int64, w Written) error {
	c := eventLists(w.Events)
	steps := []*step{
		{name: "epoch", text: epochHoldsText, args: []any{epoch}},
		{name: "insert events", text: onceEventText, args: c.list()},
	}
	steps = append(steps, rec.addSteps(w.Add, w.Seen)...)
	batch := &pgx.Batch{}
	batch.Queue("BEGIN")
	batch.Queue("SELECT pg_advisory_xact_lock_shared($1)", recordingLock)
	for _, s := range steps {
		batch.Queue(rec.db.d.text(s.text), s.args...)
	}
	batch.Queue("COMMIT")
	results := rec.pg.SendBatch(ctx, batch)
	for range batch.Len() {
		if _, err := results.Exec(); err != nil {
			results.Close() //nolint:errcheck // it repeats the error at hand
			return fmt.Errorf("record once: %w", err)
		}
	}
	return results.Close()
}
