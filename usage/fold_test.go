package usage_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xyra"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

// pendingIn counts the rows of pending usage.
func pendingIn(t *testing.T, db *store.DB) int {
	t.Helper()
	keys, err := db.PendingKeys(t.Context(), store.PendingKey{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

// allUsage is what a snapshot shows of the world: events by the rollup of days, and by the events themselves.
func (w *world) allUsage(agents []xyra.AgentID) (rolledUp, events int64, err error) {
	err = w.db.Snapshot(w.t.Context(), func(r store.Reader) error {
		rows, err := r.UsageTotal(w.t.Context(), w.org, agents, xyra.AllTime().Cut(w.clock.Now().AddDate(1, 0, 0)))
		if err != nil {
			return err
		}
		for _, u := range rows {
			rolledUp += u.Count
		}
		page, err := r.EventsAfter(w.t.Context(), w.org, xyra.Activity, 0, 10_000)
		events = int64(len(page))
		return err
	})
	return rolledUp, events, err
}

// While usage becomes pending and is folded, no snapshot shows other sums than those of its events.
func TestFold_ConcurrentReadersSeeEveryEventOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		recorder := w.newRecorder(db, usage.Options{PendingFrom: 1})
		agents := []xyra.AgentID{w.agent, w.newAgent(w.model)}
		const senders, each = 8, 60
		var sending, reading sync.WaitGroup
		var done atomic.Bool
		for s := range senders {
			sending.Go(func() {
				for n := range each {
					d := w.draft("", "1")
					d.Agent, d.Timestamp = agents[n%2], d.Timestamp.Add(-time.Duration(s*n)*time.Hour)
					results, err := recorder.Record(t.Context(), w.admin, []usage.Draft{w.sealed(d)})
					if err != nil || results[0].Err != nil {
						t.Errorf("record: %v, %v", err, results)
						return
					}
				}
			})
		}
		looks := 0
		reading.Go(func() {
			for !done.Load() {
				looks++
				if rolledUp, events, err := w.allUsage(agents); err != nil || rolledUp != events {
					t.Errorf("statistics show %d of %d events (%v)", rolledUp, events, err)
					return
				}
			}
		})
		sending.Wait()
		done.Store(true)
		reading.Wait()
		w.verify()
		if err := recorder.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := pendingIn(t, db); n != 0 {
			t.Error("usage is pending after the recorder has closed")
		}
		w.verify()
		w.wantTotals("480", "160.8")
		t.Logf("%d looks", looks)
	})
}

// leavePending commits an event of quantity 3 as a process does that is killed before it folds.
func (w *world) leavePending(at time.Time) {
	w.t.Helper()
	versions, err := w.db.Versions(w.t.Context(), w.org)
	if err != nil {
		w.t.Fatal(err)
	}
	event := xyra.Event{Organization: w.org, Kind: xyra.Activity, ID: 7, Agent: w.agent, Type: "call", Quantity: dec("3"), Currency: "USD",
		Timestamp: at, RecordedAt: at, Period: xyra.PeriodOf(at, time.UTC), Charge: dec("1.005"), Version: versions[w.model][0].ID, RecordedBy: "user:1"}
	hour := xyra.SpanUsage{Organization: w.org, Agent: w.agent, From: at.Truncate(time.Hour), Kind: xyra.Activity, Type: "call", Currency: "USD",
		Count: 1, ChargedCount: 1, Quantity: event.Quantity, Charge: event.Charge}
	period := xyra.PeriodUsage{Organization: w.org, Period: event.Period, Agent: w.agent, Version: event.Version, Component: 1, Currency: "USD",
		Quantity: event.Quantity, Charge: event.Charge}
	err = w.db.Record(w.t.Context(), func(rec *store.Recording) error {
		if _, err := rec.InsertEvents(w.t.Context(), []xyra.Event{event}); err != nil {
			return err
		}
		return rec.Commit(w.t.Context(), store.Rollups{Pending: event.ID, Hours: []xyra.SpanUsage{hour}, Periods: []xyra.PeriodUsage{period}}, nil)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// What a process leaves when it is killed counts at once, and the next process folds it.
func TestFold_TakesWhatAnotherProcessHasLeft(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		if err := w.recorder.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Minute)
		w.leavePending(clock.Now())
		w.verify()
		w.wantTotals("3", "1.005")
		if n := pendingIn(t, db); n != 1 {
			t.Fatalf("%d rows are pending, want 1", n)
		}
		if err := usage.New(db, usage.Options{}).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.verify()
		w.wantTotals("3", "1.005")
		agent, err := db.Agent(t.Context(), w.org, w.agent)
		if n := pendingIn(t, db); n != 0 || err != nil || !agent.LastActive.Equal(clock.Now()) {
			t.Errorf("pending after the fold: %d; the agent was last active %v, want %v (%v)", n, agent.LastActive, clock.Now(), err)
		}
	})
}

// rawDatabase is the same database past the store.
func rawDatabase(t *testing.T, target store.Options) *sql.DB {
	t.Helper()
	driver, address := "sqlite", target.Path
	if target.URL != "" {
		driver, address = "pgx", target.URL
	}
	raw, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return raw
}

// Whoever folds much on PostgreSQL vacuums after it, so that the next rows use the same room.
func TestFold_FreesTheRoomOfWhatWasFolded(t *testing.T) {
	t.Parallel()
	target := storetest.Postgres(t)
	target.Now = time.Now
	db, raw := storetest.Open(t, target), rawDatabase(t, target)
	fold := func() (size int64) {
		_, err := raw.ExecContext(t.Context(), `INSERT INTO usage_pending (organization_id, id, recorded_at, hours, periods)
			SELECT 1, i, 0, '[[1,0,1,"'||repeat('x', 200)||'","USD",1,0,"1","0"]]', '[]' FROM generate_series(1, 2500) AS i`)
		if err != nil {
			t.Fatal(err)
		}
		if err := usage.New(db, usage.Options{}).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := pendingIn(t, db); n != 0 {
			t.Fatalf("%d rows are left", n)
		}
		if err := raw.QueryRowContext(t.Context(), `SELECT pg_relation_size('usage_pending')`).Scan(&size); err != nil {
			t.Fatal(err)
		}
		return size
	}
	once := fold()
	for range 3 {
		fold()
	}
	if now := fold(); now > once*5/4 {
		t.Errorf("the table has grown from %d to %d bytes", once, now)
	}
}

// A row that somebody has spoiled stays where it is, and keeps no other organization's back.
func TestFold_LeavesASpoiledRowAndTakesTheOthers(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(storetest.Start)
		target.Now = clock.Now
		w := newWorld(t, storetest.Open(t, target), clock)
		if err := w.recorder.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.leavePending(clock.Now())
		raw := rawDatabase(t, target)
		if _, err := raw.ExecContext(t.Context(), `INSERT INTO usage_pending (organization_id, id, recorded_at, hours, periods) VALUES (999, 1, 0, '[[1]]', '[]')`); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		if err := usage.New(w.db, usage.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		left, err := w.db.PendingKeys(t.Context(), store.PendingKey{}, 10)
		if err != nil || len(left) != 1 || left[0].Organization != 999 || !strings.Contains(log.String(), "a row of 1 cells, not 9") {
			t.Errorf("pending are %v (%v), the log says %q", left, err, log.String())
		}
		w.verify()
		w.wantTotals("3", "1.005")
	})
}

// A process that looks for what others have left may take what a living one is about to fold: nothing counts twice or is lost.
func TestFold_RowsThatAnotherHasTakenAreNotFoldedAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		recorder := w.newRecorder(db, usage.Options{PendingFrom: 1})
		for range 20 {
			results, err := recorder.Record(t.Context(), w.admin, []usage.Draft{w.sealed(w.draft("", "1"))})
			if err != nil || results[0].Err != nil {
				t.Fatalf("record: %v, %v", err, results)
			}
			if err := usage.New(db, usage.Options{}).Close(t.Context()); err != nil { // it takes all that is pending
				t.Fatal(err)
			}
		}
		if err := recorder.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := pendingIn(t, db); n != 0 {
			t.Errorf("%d rows are pending after all have closed", n)
		}
		w.verify()
		w.wantTotals("20", "6.7")
	})
}
