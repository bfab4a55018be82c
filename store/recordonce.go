package store

import (
	"context"
	"errors"
	"fmt"
	"time"

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
		if err == nil || rec.pg.IsClosed() {
			return err
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

func (rec *Recording) once(ctx context.Context, epoch int64, w Written) error {
	steps := []*step{
		{name: "begin", text: "BEGIN"},
		{name: "lock", text: "SELECT pg_advisory_xact_lock_shared($1)", args: []any{recordingLock}},
		{name: "epoch", text: epochHoldsText, args: []any{epoch}},
		{name: "copy events", text: copyEventsText, copied: w.Events},
	}
	steps = append(steps, rec.addSteps(w.Add, w.Seen)...)
	return rec.send(ctx, append(steps, &step{name: "commit", text: "COMMIT"}))
}
