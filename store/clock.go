package store

import (
	"context"
	"time"

	"xyra"
)

// ServerTime is the present by PostgreSQL's clock; SQLite has none of its own, and answers with this process's.
func (db *DB) ServerTime(ctx context.Context) (time.Time, error) {
	if !db.d.postgres {
		return db.Now(), nil
	}
	micros, err := value[int64](ctx, db.Reader, "server time", `SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT`)
	return xyra.FromMicros(micros), err
}

// NewestJobTime is when the newest job was written, by the clock of whoever wrote it; the zero time without a job. A clock
// that is behind it has gone back.
func (r Reader) NewestJobTime(ctx context.Context) (time.Time, error) {
	list, err := collect(ctx, r, "newest job", scanValue[int64], `SELECT created_at FROM jobs ORDER BY id DESC LIMIT 1`)
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	return xyra.FromMicros(list[0]), nil
}
