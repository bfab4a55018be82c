package store

import (
	"context"
	"database/sql"
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

// Pools are the connection pools by name, with how many connections there are, are in use, and were waited for.
func (db *DB) Pools() map[string]sql.DBStats {
	if db.read == db.write {
		return map[string]sql.DBStats{"all": db.write.Stats()}
	}
	return map[string]sql.DBStats{"read": db.read.Stats(), "write": db.write.Stats()}
}

// JobCount says how many jobs of a kind are in a state that somebody must do something about: waiting, running or failed.
type JobCount struct {
	Kind  string
	State xyra.JobState
	Count int64
	DueAt time.Time // of the first of them
}

// JobCounts reads those counts; states without jobs are left out.
func (r Reader) JobCounts(ctx context.Context) ([]JobCount, error) {
	return collect(ctx, r, "job counts", func(r row) (c JobCount, err error) {
		return c, r.Scan(&c.Kind, &c.State, &c.Count, instant{&c.DueAt})
	}, `SELECT kind, state, COUNT(*), MIN(run_at) FROM jobs WHERE state IN ('waiting', 'running', 'failed') GROUP BY kind, state ORDER BY kind, state`)
}
