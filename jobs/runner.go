package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"xyra"
	"xyra/store"
)

// Handler does the work of one attempt. It is called outside every transaction and obeys ctx. An error leads to another
// attempt after a pause; xyra.Final and xyra.RetryAfter say otherwise.
type Handler func(ctx context.Context, job xyra.Job) error

// Kind says how jobs of one kind are run. Zero values are replaced by the defaults named.
type Kind struct {
	Handle  Handler
	Workers int                             // at once in this process; 2
	Timeout time.Duration                   // of one attempt; 5 minutes
	Backoff func(attempt int) time.Duration // before the next attempt, jittered by a fifth; doubling from 10 s to 1 h
	Every   time.Duration                   // periodic: one job for each such span of UTC time; 0: none
}

const (
	workersDefault = 2
	timeoutDefault = 5 * time.Minute
	pollDefault    = 5 * time.Second
	leaseMargin    = time.Minute      // what a lease lasts longer than its attempt may: clocks differ, results take time
	resultTimeout  = 20 * time.Second // for writing what became of a job
	cutTimeout     = 5 * time.Second  // for handlers to end after they were cancelled
)

// Options are the kinds by name, and how often to look for jobs that another process has added; 0 is 5 seconds.
type Options struct {
	Kinds map[string]Kind
	Poll  time.Duration
	Log   *slog.Logger
}

// Runner works off jobs of the kinds it knows. It is started once and stopped once.
type Runner struct {
	Options
	db      *store.DB
	wake    map[string]chan struct{}
	slots   map[string]time.Time // of periodic kinds: the span for which a job is there
	planned atomic.Int64         // when periodic work was planned last, in µs
	stop    chan struct{}
	lanes   sync.WaitGroup
	work    context.Context // of all handlers
	cancel  context.CancelCauseFunc
}

var errStopping = errors.New("the process is stopping")

// New makes a runner; it does nothing yet.
func New(db *store.DB, o Options) *Runner {
	r := &Runner{Options: o, db: db, wake: map[string]chan struct{}{}, slots: map[string]time.Time{}, stop: make(chan struct{})}
	r.Kinds = map[string]Kind{}
	for name, k := range o.Kinds {
		if k.Workers == 0 {
			k.Workers = workersDefault
		}
		if k.Timeout == 0 {
			k.Timeout = timeoutDefault
		}
		if k.Backoff == nil {
			k.Backoff = Doubling(10*time.Second, time.Hour)
		}
		r.Kinds[name], r.wake[name] = k, make(chan struct{}, 1)
	}
	if r.Poll == 0 {
		r.Poll = pollDefault
	}
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	r.work, r.cancel = context.WithCancelCause(context.Background())
	return r
}

// Doubling is a pause that starts at first and doubles up to most.
func Doubling(first, most time.Duration) func(attempt int) time.Duration {
	return func(attempt int) time.Duration {
		pause := first
		for range attempt - 1 {
			if pause >= most/2 {
				return most
			}
			pause *= 2
		}
		return min(pause, most)
	}
}

// Start begins to work.
func (r *Runner) Start() {
	r.db.WatchJobs(r.wakeLane)
	for name, k := range r.Kinds {
		r.lanes.Go(func() { r.lane(name, k) })
	}
	r.lanes.Go(r.schedule)
}

func (r *Runner) wakeLane(kind string) {
	select {
	case r.wake[kind] <- struct{}{}: // a kind that is not run here has no channel
	default:
	}
}

// Stop takes up no more jobs and waits for those that run. When ctx ends before they do, they are cancelled and put back,
// which does not count as an attempt.
func (r *Runner) Stop(ctx context.Context) error {
	r.db.WatchJobs(nil)
	close(r.stop)
	ended := make(chan struct{})
	go func() {
		r.lanes.Wait()
		close(ended)
	}()
	defer r.cancel(errStopping)
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	r.cancel(errStopping)
	cut := time.NewTimer(cutTimeout)
	defer cut.Stop()
	select {
	case <-ended:
		return nil
	case <-cut.C:
		return errors.New("some jobs did not end; they are repeated when their leases have passed")
	}
}

// lane works off one kind until the runner is stopped and its running jobs have ended.
func (r *Runner) lane(name string, k Kind) {
	free, ended := k.Workers, make(chan struct{}, k.Workers)
	for {
		for _, j := range r.claim(r.work, name, k, r.unlessStopped(free)) {
			free--
			go func() {
				r.attempt(r.work, k, j)
				ended <- struct{}{}
			}()
		}
		poll := time.NewTimer(r.Poll + rand.N(r.Poll/4+1))
		select {
		case <-ended:
			free++
		case <-r.wake[name]:
		case <-poll.C:
		case <-r.stop:
			for ; free < k.Workers; free++ {
				<-ended
			}
			return
		}
		poll.Stop()
	}
}

func (r *Runner) unlessStopped(free int) int {
	select {
	case <-r.stop:
		return 0
	default:
		return free
	}
}

// claim takes up to most due jobs. What stands in the way is logged: the next poll tries again.
func (r *Runner) claim(ctx context.Context, name string, k Kind, most int) (claimed []xyra.Job) {
	if most == 0 {
		return nil
	}
	due, err := r.db.JobDue(ctx, name, r.db.Now())
	if err == nil && due {
		err = r.db.Tx(ctx, func(tx *store.Tx) (err error) {
			claimed, err = tx.UpdateJobsClaimed(ctx, name, k.Timeout+leaseMargin, most)
			return err
		})
	}
	if err != nil {
		r.Log.WarnContext(ctx, "claim jobs", "kind", name, "err", err)
		return nil
	}
	return claimed
}

// attempt runs a claimed job once and writes what became of it.
func (r *Runner) attempt(ctx context.Context, k Kind, j xyra.Job) {
	started := r.db.Now()
	err := r.handle(ctx, k, j)
	now := r.db.Now()
	ended := j.Ended(err, now, jitter(k.Backoff(j.Attempt)))
	if err != nil && errors.Is(context.Cause(ctx), errStopping) {
		ended = j.Interrupted(now)
	}
	log := r.Log.With("job", j.ID, "kind", j.Kind, "organization", j.Organization, "attempt", j.Attempt, "ms", now.Sub(started).Milliseconds())
	switch {
	case ended.State == xyra.JobFailed:
		log.Error("job failed for good: retry or discard it", "err", err)
	case xyra.IsPostponed(err):
		log.Debug("job was put off", "err", err, "at", ended.RunAt)
	case err != nil:
		log.Warn("job will be tried again", "err", err, "at", ended.RunAt)
	default:
		log.Info("job done")
	}
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), resultTimeout)
	defer cancel()
	var written bool
	err = r.db.Tx(writing, func(tx *store.Tx) (err error) {
		written, err = tx.UpdateJobResult(writing, ended)
		return err
	})
	if err != nil {
		log.Error("write the result of a job; it is repeated when its lease has passed", "err", err)
	} else if !written {
		log.Warn("the result of a job came after its lease and was not written")
	}
}

// handle calls the handler; a panic is an error like others.
func (r *Runner) handle(ctx context.Context, k Kind, j xyra.Job) (err error) {
	if j.Attempt > j.AttemptsMax {
		return xyra.Final(fmt.Errorf("attempt %d did not end: the process died or stalled while it ran", j.Attempt-1))
	}
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("panic", "job", j.ID, "kind", j.Kind, "err", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	return k.Handle(ctx, j)
}

// jitter keeps jobs that failed together from coming back together.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// RunDue does, in the calling goroutine, all that is due now: periodic work first, then every job, and those that they
// have added. It is for commands and tests; a started runner does it by itself.
func (r *Runner) RunDue(ctx context.Context) error {
	if err := r.plan(ctx); err != nil {
		return err
	}
	for worked := true; worked; {
		worked = false
		for name, k := range r.Kinds {
			for _, j := range r.claim(ctx, name, k, 1) {
				worked = true
				r.attempt(ctx, k, j)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}
