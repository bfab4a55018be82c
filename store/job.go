package store

import (
	"context"
	"time"

	"xyra"
)

const jobColumns = `id, kind, organization_id, args, unique_key, state, attempt, attempts_max, run_at, last_error, created_at, finished_at`

func scanJob(r row) (j xyra.Job, err error) {
	var key *string
	err = r.Scan(&j.ID, &j.Kind, &j.Organization, object{&j.Args}, &key, &j.State, &j.Attempt, &j.AttemptsMax, instant{&j.RunAt},
		&j.LastError, instant{&j.CreatedAt}, instantOrNil{&j.FinishedAt})
	if key != nil {
		j.UniqueKey = *key
	}
	return j, err
}

// WatchJobs has f called with the kind of every job that this process has committed, so that its runner need not wait
// for the next poll. f must not block. There is one watcher; nil ends the watch.
func (db *DB) WatchJobs(f func(kind string)) { db.jobWatch.Store(&f) }

func (db *DB) announceJobs(kinds []string) {
	watch := db.jobWatch.Load()
	if watch == nil || *watch == nil {
		return
	}
	for _, kind := range kinds {
		(*watch)(kind)
	}
}

// InsertJob adds a job of which Kind, Organization, Args, UniqueKey, AttemptsMax (0: the usual number) and RunAt (zero: now)
// are the caller's. It runs only if the transaction commits. It is false, and nothing is added, when a job with the same
// unique key is there already, in whatever state.
func (tx *Tx) InsertJob(ctx context.Context, j xyra.Job) (id xyra.JobID, added bool, err error) {
	if j.RunAt.IsZero() {
		j.RunAt = tx.Now
	}
	if j.AttemptsMax == 0 {
		j.AttemptsMax = xyra.JobAttemptsMax
	}
	if j.Args == nil {
		j.Args = []byte("{}")
	}
	var key any
	if j.UniqueKey != "" {
		key = j.UniqueKey
	}
	ids, err := collect(ctx, tx.Reader, "insert job", scanValue[xyra.JobID], `INSERT INTO jobs
		(kind, organization_id, args, unique_key, state, attempt, attempts_max, run_at, last_error, created_at)
		VALUES ($1, $2, $3, $4, 'waiting', 0, $5, $6, '', $7)
		ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING RETURNING id`,
		j.Kind, j.Organization, string(j.Args), key, j.AttemptsMax, xyra.Micros(j.RunAt), xyra.Micros(tx.Now))
	if err != nil || len(ids) == 0 {
		return 0, false, err
	}
	tx.jobKinds = append(tx.jobKinds, j.Kind)
	return ids[0], true, nil
}

// JobDue tells whether a job of a kind could be taken up at now. Idle runners ask this, which locks nothing.
func (r Reader) JobDue(ctx context.Context, kind string, now time.Time) (bool, error) {
	return value[bool](ctx, r, "job due", `SELECT EXISTS (SELECT 1 FROM jobs
		WHERE kind = $1 AND state IN ('waiting', 'running') AND run_at <= $2)`, kind, xyra.Micros(now))
}

// UpdateJobsClaimed takes up due jobs of a kind, most at a time, earliest first, each with one attempt more: they are this
// runner's alone until the lease has passed. A running job whose lease has passed is due again.
func (tx *Tx) UpdateJobsClaimed(ctx context.Context, kind string, lease time.Duration, most int) ([]xyra.Job, error) {
	// Two statements, because a planner that does not know how few LIMIT lets through reads the whole table to join them.
	ids, err := collect(ctx, tx.Reader, "due jobs", scanValue[int64], `SELECT id FROM jobs
		WHERE kind = $1 AND state IN ('waiting', 'running') AND run_at <= $2 ORDER BY run_at, id LIMIT $3 FOR UPDATE SKIP LOCKED`,
		kind, xyra.Micros(tx.Now), most)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return collect(ctx, tx.Reader, "claim jobs", scanJob, `UPDATE jobs SET state = 'running', attempt = attempt + 1, run_at = $2
		WHERE id = ANY($1) RETURNING `+jobColumns, ids, xyra.Micros(tx.Now.Add(lease)))
}

// UpdateJobResult writes what became of the attempt of a claimed job. It is false, and nothing is written, when another
// runner has taken the job up since.
func (tx *Tx) UpdateJobResult(ctx context.Context, j xyra.Job) (bool, error) {
	touched, err := tx.exec(ctx, "job result", `UPDATE jobs SET state = $3, attempts_max = $4, run_at = $5, last_error = $6, finished_at = $7
		WHERE id = $1 AND attempt = $2 AND state = 'running'`, j.ID, j.Attempt, j.State, j.AttemptsMax, xyra.Micros(j.RunAt), j.LastError, microsOrNil(j.FinishedAt))
	return touched == 1, err
}

// Job reads one.
func (r Reader) Job(ctx context.Context, id xyra.JobID) (xyra.Job, error) {
	return one(ctx, r, "Job", "job", scanJob, `SELECT `+jobColumns+` FROM jobs WHERE id = $1`, id)
}

// JobLocked reads one and keeps its row locked until the transaction ends.
func (tx *Tx) JobLocked(ctx context.Context, id xyra.JobID) (xyra.Job, error) {
	return one(ctx, tx.Reader, "Job", "job locked", scanJob, `SELECT `+jobColumns+` FROM jobs WHERE id = $1 FOR UPDATE`, id)
}

// Jobs lists newest first; an empty state or kind is every one.
func (r Reader) Jobs(ctx context.Context, state, kind string, skip, limit int64) ([]xyra.Job, error) {
	text, args := `SELECT `+jobColumns+` FROM jobs ORDER BY id DESC LIMIT $1 OFFSET $2`, []any{limit, skip}
	switch {
	case state != "" && kind != "":
		text, args = `SELECT `+jobColumns+` FROM jobs WHERE state = $3 AND kind = $4 ORDER BY id DESC LIMIT $1 OFFSET $2`, append(args, state, kind)
	case state != "":
		text, args = `SELECT `+jobColumns+` FROM jobs WHERE state = $3 ORDER BY id DESC LIMIT $1 OFFSET $2`, append(args, state)
	case kind != "":
		text, args = `SELECT `+jobColumns+` FROM jobs WHERE kind = $3 ORDER BY id DESC LIMIT $1 OFFSET $2`, append(args, kind)
	}
	return collect(ctx, r, "jobs", scanJob, text, args...)
}

// JobFailed tells whether an organization has a job of a kind that has failed for good and that nobody has looked after.
func (r Reader) JobFailed(ctx context.Context, organization xyra.OrganizationID, kind string) (bool, error) {
	return value[bool](ctx, r, "job failed", `SELECT EXISTS (SELECT 1 FROM jobs
		WHERE organization_id = $1 AND kind = $2 AND state = 'failed')`, organization, kind)
}

// UpdateJob writes what a person may change of a job that does not run, which must be locked.
func (tx *Tx) UpdateJob(ctx context.Context, j xyra.Job) error {
	_, err := tx.exec(ctx, "update job", `UPDATE jobs SET state = $2, attempts_max = $3, run_at = $4, finished_at = $5 WHERE id = $1`,
		j.ID, j.State, j.AttemptsMax, xyra.Micros(j.RunAt), microsOrNil(j.FinishedAt))
	if err == nil && j.State == xyra.JobWaiting {
		tx.jobKinds = append(tx.jobKinds, j.Kind)
	}
	return err
}

// DeleteJobsFinishedBefore forgets jobs that were done or discarded until then, most at a time, and returns how many it
// was. Their unique keys are free again. Failed jobs stay until a person looks after them.
func (tx *Tx) DeleteJobsFinishedBefore(ctx context.Context, until time.Time, most int) (int64, error) {
	return tx.exec(ctx, "forget jobs", `DELETE FROM jobs WHERE id IN (SELECT id FROM jobs
		WHERE state IN ('done', 'discarded') AND finished_at <= $1 ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED)`, xyra.Micros(until), most)
}
