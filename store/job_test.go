package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"xyra"
	"xyra/store"
	"xyra/store/storetest"
)

func insertJob(t *testing.T, db *store.DB, j xyra.Job) (id xyra.JobID, added bool) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) (err error) {
		id, added, err = tx.InsertJob(t.Context(), j)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id, added
}

func claimJobs(t *testing.T, db *store.DB, kind string, lease time.Duration, most int) (claimed []xyra.Job) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) (err error) {
		claimed, err = tx.UpdateJobsClaimed(t.Context(), kind, lease, most)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return claimed
}

func jobResult(t *testing.T, db *store.DB, j xyra.Job) (written bool) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) (err error) {
		written, err = tx.UpdateJobResult(t.Context(), j)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return written
}

func TestInsertJob_IsPartOfItsTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		var announced []string
		db.WatchJobs(func(kind string) { announced = append(announced, kind) })
		undone := errors.New("undone")
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			if _, _, err := tx.InsertJob(t.Context(), xyra.Job{Kind: "lost", UniqueKey: "k"}); err != nil {
				return err
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		id, added := insertJob(t, db, xyra.Job{Kind: "kept", UniqueKey: "k", Organization: 7, Args: []byte(`{"a":1}`)})
		if !added {
			t.Error("the key of a rolled back job is taken")
		}
		if _, added := insertJob(t, db, xyra.Job{Kind: "other", UniqueKey: "k"}); added {
			t.Error("a second job of the same key was added")
		}
		for range 2 {
			insertJob(t, db, xyra.Job{Kind: "keyless"})
		}
		list, err := db.Jobs(t.Context(), "", "", 0, 10)
		if err != nil || len(list) != 3 || list[2].ID != id {
			t.Fatalf("jobs %+v, %v", list, err)
		}
		j := list[2]
		if j.Kind != "kept" || j.Organization != 7 || string(j.Args) != `{"a":1}` || j.UniqueKey != "k" || j.State != xyra.JobWaiting || j.Attempt != 0 ||
			j.AttemptsMax != xyra.JobAttemptsMax || !j.RunAt.Equal(clock.Now()) || !j.CreatedAt.Equal(clock.Now()) || j.FinishedAt != nil {
			t.Errorf("stored %+v", j)
		}
		if len(announced) != 3 || announced[0] != "kept" {
			t.Errorf("announced %q", announced)
		}
	})
}

func TestUpdateJobsClaimed_LeasePassesAndAttemptGuardsResult(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		insertJob(t, db, xyra.Job{Kind: "k", RunAt: clock.Now().Add(time.Minute)})
		if due, err := db.JobDue(t.Context(), "k", clock.Now()); err != nil || due {
			t.Fatalf("due early: %t, %v", due, err)
		}
		clock.Advance(time.Minute)
		if due, err := db.JobDue(t.Context(), "k", clock.Now()); err != nil || !due {
			t.Fatalf("not due: %t, %v", due, err)
		}
		if claimed := claimJobs(t, db, "other", time.Minute, 5); len(claimed) != 0 {
			t.Fatalf("claimed %+v of another kind", claimed)
		}
		first := claimJobs(t, db, "k", time.Minute, 5)
		if len(first) != 1 || first[0].Attempt != 1 || first[0].State != xyra.JobRunning {
			t.Fatalf("claimed %+v", first)
		}
		if again := claimJobs(t, db, "k", time.Minute, 5); len(again) != 0 {
			t.Fatalf("claimed twice: %+v", again)
		}
		clock.Advance(time.Minute)
		second := claimJobs(t, db, "k", time.Minute, 5)
		if len(second) != 1 || second[0].Attempt != 2 {
			t.Fatalf("after the lease: %+v", second)
		}
		if jobResult(t, db, first[0].Ended(nil, clock.Now(), 0)) {
			t.Error("a result of a lost lease was written")
		}
		if !jobResult(t, db, second[0].Ended(errors.New("a\x00\xff"), clock.Now(), time.Hour)) {
			t.Error("the result was not written")
		}
		j, err := db.Job(t.Context(), second[0].ID)
		if err != nil || j.State != xyra.JobWaiting || j.LastError != "a�" || !j.RunAt.Equal(clock.Now().Add(time.Hour)) {
			t.Errorf("stored %+v, %v", j, err)
		}
	})
}

// Every job is claimed once, however many claim at the same time.
func TestUpdateJobsClaimed_ConcurrentClaimsDoNotMeet(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = storetest.NewClock(storetest.Start).Now
		handles := []*store.DB{storetest.Open(t, target), storetest.Open(t, target)}
		const jobs = 60
		for range jobs {
			insertJob(t, handles[0], xyra.Job{Kind: "k"})
		}
		claims := make(chan []xyra.Job)
		for worker := range 4 {
			go func() {
				var mine []xyra.Job
				for {
					var claimed []xyra.Job
					err := handles[worker%2].Tx(context.Background(), func(tx *store.Tx) (err error) {
						claimed, err = tx.UpdateJobsClaimed(context.Background(), "k", time.Hour, 3)
						return err
					})
					if err != nil {
						t.Error(err)
					}
					if len(claimed) == 0 {
						claims <- mine
						return
					}
					if len(claimed) > 3 {
						t.Errorf("asked for 3, got %d", len(claimed))
					}
					mine = append(mine, claimed...)
				}
			}()
		}
		seen := map[xyra.JobID]bool{}
		for range 4 {
			for _, j := range <-claims {
				if seen[j.ID] || j.Attempt != 1 {
					t.Errorf("claimed twice: %+v", j)
				}
				seen[j.ID] = true
			}
		}
		if len(seen) != jobs {
			t.Errorf("%d of %d were claimed", len(seen), jobs)
		}
	})
}

func TestDeleteJobsFinishedBefore_KeepsFailedAndOpenOnes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		for _, kind := range []string{"done", "done", "failed", "waiting"} {
			insertJob(t, db, xyra.Job{Kind: kind, AttemptsMax: 1, Organization: 3})
		}
		for _, j := range claimJobs(t, db, "done", time.Hour, 5) {
			jobResult(t, db, j.Ended(nil, clock.Now(), 0))
		}
		for _, j := range claimJobs(t, db, "failed", time.Hour, 5) {
			jobResult(t, db, j.Ended(errors.New("no"), clock.Now(), 0))
		}
		if failed, err := db.JobFailed(t.Context(), 3, "failed"); err != nil || !failed {
			t.Errorf("failed: %t, %v", failed, err)
		}
		if failed, err := db.JobFailed(t.Context(), 4, "failed"); err != nil || failed {
			t.Errorf("another organization's failed: %t, %v", failed, err)
		}
		for _, want := range []int64{1, 1, 0} {
			err := db.Tx(t.Context(), func(tx *store.Tx) error {
				n, err := tx.DeleteJobsFinishedBefore(t.Context(), clock.Now(), 1)
				if n != want {
					t.Errorf("forgot %d, want %d", n, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, filter := range []struct{ state, kind string }{{"waiting", ""}, {"failed", "failed"}, {"", "waiting"}} {
			if list, err := db.Jobs(t.Context(), filter.state, filter.kind, 0, 10); err != nil || len(list) != 1 {
				t.Errorf("%v: %+v, %v", filter, list, err)
			}
		}
	})
}
