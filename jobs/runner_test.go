package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"xyra"
	"xyra/jobs"
	"xyra/store"
	"xyra/store/storetest"
)

func add(t *testing.T, db *store.DB, list ...xyra.Job) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		for _, j := range list {
			if _, _, err := tx.InsertJob(t.Context(), j); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, db *store.DB) []xyra.Job {
	t.Helper()
	list, err := db.Jobs(t.Context(), "", "", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func runDue(t *testing.T, r *jobs.Runner) {
	t.Helper()
	if err := r.RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func stop(t *testing.T, r *jobs.Runner) {
	t.Helper()
	if err := r.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestRunner_BacksOffAndFailsForGood(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		var ran []string
		r := jobs.New(db, jobs.Options{Kinds: map[string]jobs.Kind{
			"bad":   {Handle: func(_ context.Context, j xyra.Job) error { ran = append(ran, j.Kind); return errors.New("still bad") }, Backoff: jobs.Doubling(time.Minute, time.Hour)},
			"final": {Handle: func(_ context.Context, j xyra.Job) error { return xyra.Final(errors.New("never")) }},
			"panic": {Handle: func(context.Context, xyra.Job) error { panic("oh") }},
			"later": {Handle: func(context.Context, xyra.Job) error { return xyra.RetryAfter(errors.New("busy"), 3*time.Hour) }},
		}})
		add(t, db, xyra.Job{Kind: "bad", AttemptsMax: 3}, xyra.Job{Kind: "final"}, xyra.Job{Kind: "panic"}, xyra.Job{Kind: "later"}, xyra.Job{Kind: "foreign"})
		runDue(t, r)
		list := all(t, db)
		for n, want := range []string{"waiting ", "waiting busy", "waiting panic: oh", "failed never", "waiting still bad"} {
			if got := string(list[n].State) + " " + list[n].LastError; got != want {
				t.Errorf("%s: %q, want %q", list[n].Kind, got, want)
			}
		}
		if got := list[1].RunAt.Sub(clock.Now()); got != 3*time.Hour {
			t.Errorf("waits %s of the 3 hours it asked for", got)
		}
		for n, most := range []time.Duration{time.Minute, 2 * time.Minute} {
			if got := all(t, db)[4].RunAt.Sub(clock.Now()); got < most*9/10 || got > most*11/10 {
				t.Errorf("pause %d: %s, want about %s", n+1, got, most)
			}
			clock.Advance(most * 8 / 10)
			runDue(t, r)
			if len(ran) != n+1 {
				t.Fatalf("ran %d times before its pause was over", len(ran))
			}
			clock.Advance(most * 4 / 10)
			runDue(t, r)
		}
		if j := all(t, db)[4]; len(ran) != 3 || j.State != xyra.JobFailed || j.FinishedAt == nil {
			t.Errorf("after %d attempts: %+v", len(ran), j)
		}
	})
}

// A process that dies between claim and result leaves the job to another one, and after the last attempt to a person.
func TestRunner_TakesUpWhatADeadProcessLeft(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(storetest.Start)
		target.Now = clock.Now
		dead, alive := storetest.Open(t, target), storetest.Open(t, target)
		ran := 0
		r := jobs.New(alive, jobs.Options{Kinds: map[string]jobs.Kind{"k": {Timeout: time.Minute, Handle: func(context.Context, xyra.Job) error { ran++; return nil }}}})
		add(t, dead, xyra.Job{Kind: "k", AttemptsMax: 2})
		claim := func() (claimed []xyra.Job) {
			err := dead.Tx(t.Context(), func(tx *store.Tx) (err error) {
				claimed, err = tx.UpdateJobsClaimed(t.Context(), "k", 2*time.Minute, 1)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return claimed
		}
		lost := claim()
		runDue(t, r)
		if ran != 0 {
			t.Fatal("ran while another process held the lease")
		}
		clock.Advance(2 * time.Minute)
		runDue(t, r)
		if j := all(t, alive)[0]; ran != 1 || j.State != xyra.JobDone || j.Attempt != 2 {
			t.Errorf("after the lease: ran %d, %+v", ran, j)
		}
		err := dead.Tx(t.Context(), func(tx *store.Tx) error {
			written, err := tx.UpdateJobResult(t.Context(), lost[0].Ended(errors.New("late"), clock.Now(), 0))
			if written {
				t.Error("a late result was written over a newer one")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}

		add(t, dead, xyra.Job{Kind: "k", AttemptsMax: 1})
		claim()
		clock.Advance(2 * time.Minute)
		runDue(t, r)
		if j := all(t, alive)[0]; ran != 1 || j.State != xyra.JobFailed {
			t.Errorf("killed its process once, its last time: ran %d, %+v", ran, j)
		}
	})
}

// Two processes work off the same table: every job once, periodic work once in its span.
func TestRunner_ConcurrentReplicasShareTheWork(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(storetest.Start)
		target.Now = clock.Now
		const count = 40
		var ran, periodic atomic.Int64
		done := make(chan struct{}, count+8)
		kinds := map[string]jobs.Kind{
			"k": {Handle: func(context.Context, xyra.Job) error { ran.Add(1); done <- struct{}{}; return nil }},
			"hourly": {Every: time.Hour, Handle: func(context.Context, xyra.Job) error {
				periodic.Add(1)
				done <- struct{}{}
				return nil
			}},
		}
		first, second := storetest.Open(t, target), storetest.Open(t, target)
		for range count {
			add(t, first, xyra.Job{Kind: "k"})
		}
		work := func(count int) {
			runners := []*jobs.Runner{jobs.New(first, jobs.Options{Kinds: kinds, Poll: 10 * time.Millisecond}), jobs.New(second, jobs.Options{Kinds: kinds, Poll: 10 * time.Millisecond})}
			for _, r := range runners {
				r.Start()
			}
			for range count {
				<-done
			}
			for _, r := range runners {
				stop(t, r) // also waits for the results, before the clock ends their leases
			}
		}
		work(count + 1)
		clock.Advance(time.Hour)
		work(1)
		if ran.Load() != count || periodic.Load() != 2 {
			t.Errorf("%d of %d jobs ran, periodic %d times in 2 hours", ran.Load(), count, periodic.Load())
		}
		for _, j := range all(t, first) {
			if j.State != xyra.JobDone || j.Attempt != 1 {
				t.Errorf("job %+v", j)
			}
		}
	})
}

// A job is taken up at once by the process that added it, and a kind whose workers all hang holds up no other.
func TestRunner_SlowKindDelaysNoOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		started, release, quick := make(chan struct{}, 4), make(chan struct{}), make(chan struct{})
		r := jobs.New(db, jobs.Options{Poll: time.Hour, Kinds: map[string]jobs.Kind{
			"slow":  {Workers: 2, Handle: func(context.Context, xyra.Job) error { started <- struct{}{}; <-release; return nil }},
			"quick": {Handle: func(context.Context, xyra.Job) error { quick <- struct{}{}; return nil }},
		}})
		r.Start()
		add(t, db, xyra.Job{Kind: "slow"}, xyra.Job{Kind: "slow"}, xyra.Job{Kind: "slow"})
		<-started
		<-started
		add(t, db, xyra.Job{Kind: "quick"})
		<-quick
		if len(started) != 0 {
			t.Error("three slow jobs run on two workers")
		}
		close(release)
		<-started
		stop(t, r)
		for _, j := range all(t, db) {
			if j.State != xyra.JobDone {
				t.Errorf("stopped with %+v", j)
			}
		}
	})
}

func TestStop_PutsBackWhatDoesNotEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		started := make(chan struct{})
		r := jobs.New(db, jobs.Options{Kinds: map[string]jobs.Kind{"k": {Handle: func(ctx context.Context, _ xyra.Job) error {
			close(started)
			<-ctx.Done()
			return fmt.Errorf("cut off: %w", ctx.Err())
		}}}})
		add(t, db, xyra.Job{Kind: "k", AttemptsMax: 1})
		r.Start()
		<-started
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Stop(over); err != nil {
			t.Fatal(err)
		}
		if j := all(t, db)[0]; j.State != xyra.JobWaiting || j.Attempt >= j.AttemptsMax || !j.RunAt.Equal(clock.Now()) {
			t.Errorf("put back as %+v", j)
		}
	})
}
