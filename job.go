package xyra

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// JobID identifies a job.
type JobID int64

// JobState is where a job stands.
type JobState string

// The states of a job. The last two are ends from which only a person takes it back; done jobs never run again.
const (
	JobWaiting   JobState = "waiting"
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobDiscarded JobState = "discarded"
)

// JobAttemptsMax is how often a job is tried that does not say so itself, and again after a person retries it.
const JobAttemptsMax = 10

// jobErrorMax bounds the text of a last error, in bytes.
const jobErrorMax = 2000

// Job is work that is promised in one transaction and done after it, at least once.
type Job struct {
	ID           JobID
	Kind         string
	Organization OrganizationID  // whose work it is; 0: the platform's
	Args         json.RawMessage // for the handler of the kind
	UniqueKey    string          // "" none; a second job of the same key is not added while the first is kept
	State        JobState
	Attempt      int // attempts begun; it also tells a result apart from that of a later attempt
	AttemptsMax  int
	RunAt        time.Time // not before; while running, when another runner may take it up
	LastError    string    // of the last attempt that failed
	CreatedAt    time.Time
	FinishedAt   *time.Time // when it was done, failed or was discarded
}

// JobError is a handler's error with a wish: never to be tried again, not before a time has passed, or not to count.
type JobError struct {
	Err        error
	Final      bool
	RetryAfter time.Duration // 0: the kind's back-off
	Postponed  bool          // nothing was tried
}

// Error returns the text of the cause.
func (e *JobError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *JobError) Unwrap() error { return e.Err }

// Final makes an error of which no further attempt is of use.
func Final(err error) error { return &JobError{Err: err, Final: true} }

// RetryAfter makes an error after which the next attempt waits that long.
func RetryAfter(err error, wait time.Duration) error { return &JobError{Err: err, RetryAfter: wait} }

// Postponed makes an error of a handler that has tried nothing yet and wants to be called again after wait. It is no
// attempt.
func Postponed(reason string, wait time.Duration) error {
	return &JobError{Err: errors.New(reason), RetryAfter: wait, Postponed: true}
}

// IsPostponed tells whether err is one of Postponed.
func IsPostponed(err error) bool {
	var wish *JobError
	return errors.As(err, &wish) && wish.Postponed
}

// Ended decides what becomes of a running job whose attempt returned err: done, failed for good, or waiting for backoff,
// or for what the error asks.
func (j Job) Ended(err error, now time.Time, backoff time.Duration) Job {
	if err == nil {
		j.State, j.RunAt, j.FinishedAt = JobDone, now, &now
		return j
	}
	var wish *JobError
	final := errors.As(err, &wish) && wish.Final
	if wish != nil && wish.Postponed {
		return j.Interrupted(now.Add(wish.RetryAfter))
	}
	j.LastError = errorText(err)
	if final || j.Attempt >= j.AttemptsMax {
		j.State, j.RunAt, j.FinishedAt = JobFailed, now, &now
		return j
	}
	if wish != nil && wish.RetryAfter > 0 {
		backoff = wish.RetryAfter
	}
	j.State, j.RunAt = JobWaiting, now.Add(backoff)
	return j
}

// Interrupted puts a running job back because its runner has to stop; the attempt does not count.
func (j Job) Interrupted(now time.Time) Job {
	j.State, j.RunAt = JobWaiting, now
	j.AttemptsMax++
	return j
}

// Retried is the job due at once with a full count of attempts, or what it had left if that is more. A running or done job is a conflict.
func (j Job) Retried(now time.Time) (Job, error) {
	if j.State == JobRunning || j.State == JobDone {
		return j, Conflict("Job is %s", j.State)
	}
	j.State, j.RunAt, j.FinishedAt = JobWaiting, now, nil
	j.AttemptsMax = max(j.AttemptsMax, j.Attempt+JobAttemptsMax)
	return j, nil
}

// Discarded is the job given up. A running or done job is a conflict; a discarded one stays as it is.
func (j Job) Discarded(now time.Time) (Job, error) {
	switch j.State {
	case JobRunning, JobDone:
		return j, Conflict("Job is %s", j.State)
	case JobDiscarded:
		return j, nil
	}
	j.State, j.FinishedAt = JobDiscarded, &now
	return j, nil
}

// errorText is an error as a column may hold it, whatever bytes came from outside.
func errorText(err error) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", ""), "�")
	if len(text) > jobErrorMax {
		text = strings.ToValidUTF8(text[:jobErrorMax], "") + "…"
	}
	return text
}
