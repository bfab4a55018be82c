package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

// someEvents are n events with keys, in order, whose details take that many bytes each.
func someEvents(n int, first xyra.EventID, bytes int) []*xyra.Event {
	details := []byte(`{"a":"` + strings.Repeat("x", bytes) + `"}`)
	events := make([]*xyra.Event, n)
	for i := range events {
		events[i] = &xyra.Event{Organization: 1, Kind: xyra.Activity, ID: first + xyra.EventID(i), Agent: 1, Type: "call", Quantity: money.MustParse("1"),
			Currency: "USD", Timestamp: storetest.Start, RecordedAt: storetest.Start, Period: 202405, Details: details,
			IdempotencyKey: fmt.Sprintf("%08d", int(first)+i), Digest: []byte{1}, RecordedBy: "key:1"}
	}
	return events
}

func countEvents(t *testing.T, db *store.DB) string {
	t.Helper()
	texts, err := store.Texts(t.Context(), db, `SELECT count(*)::text FROM events`)
	must(t, err)
	return texts[0]
}

// What the server refuses before, in or after the rows of a COPY leaves nothing behind, however many rows were already on
// their way, and the same connection records what comes next.
func TestRecordOnce_ARefusalLeavesNothingAndTheConnectionUsable(t *testing.T) {
	target := storetest.Postgres(t)
	target.Now, target.ConnsMax = time.Now, 1
	db := storetest.Open(t, target)
	epoch := currentEpoch(t, db)
	once := func(epoch int64, events []*xyra.Event, add store.Rollups) error {
		return db.RecordOnce(t.Context(), epoch, storetest.Start, store.Written{Events: events, Add: add})
	}
	must(t, once(epoch, someEvents(1, 500, 1), store.Rollups{}))
	server, err := store.Texts(t.Context(), db, `SELECT pg_backend_pid()::text`)
	must(t, err)

	for _, size := range []int{10, 3000} { // 3000 is more than is sent at once
		if err := once(epoch+1, someEvents(400, 1, size), store.Rollups{}); !errors.Is(err, store.ErrAgain) {
			t.Errorf("another epoch: %v", err)
		}
		if err := once(epoch, someEvents(1000, 1, size), store.Rollups{}); !errors.Is(err, store.ErrAgain) {
			t.Errorf("a known key: %v", err)
		}
		impossible := store.Rollups{Periods: []xyra.PeriodUsage{{Organization: 1, Period: 202405, Agent: 1, Version: 1, Component: 1, Currency: "\x00"}}}
		if err := once(epoch, someEvents(400, 1, size), impossible); err == nil || errors.Is(err, store.ErrAgain) {
			t.Errorf("an impossible rollup: %v", err)
		}
		if n := countEvents(t, db); n != "1" {
			t.Fatalf("%s events are stored after refusals, want 1", n)
		}
	}
	must(t, once(epoch, someEvents(400, 1, 3000), store.Rollups{}))
	if n := countEvents(t, db); n != "401" {
		t.Errorf("%s events, want 401", n)
	}
	if now, err := store.Texts(t.Context(), db, `SELECT pg_backend_pid()::text`); err != nil || now[0] != server[0] {
		t.Errorf("another connection than before: %v, %v", now, err)
	}
}

// Whoever gives up waiting tells the server, so that nothing is recorded after all when what it waited for is free.
func TestRecordOnce_GivingUpCancelsWhatWaits(t *testing.T) {
	target := storetest.Postgres(t)
	target.Now = time.Now
	db := storetest.Open(t, target)
	epoch := currentEpoch(t, db)
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		tx.Audit(xyra.Caller{}, xyra.AuditEntry{Action: "pause"})
		if err := tx.PauseRecording(t.Context()); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := db.RecordOnce(ctx, epoch, storetest.Start, store.Written{Events: someEvents(3, 1, 10)}); !xyra.HasCode(err, xyra.CodeUnavailable) {
			t.Errorf("recording while recordings are paused: %v", err)
		}
		return nil
	})
	must(t, err)
	must(t, db.RecordOnce(t.Context(), currentEpoch(t, db), storetest.Start, store.Written{Events: someEvents(2, 10, 10)}))
	if n := countEvents(t, db); n != "2" {
		t.Errorf("%s events, want the 2 of the second recording", n)
	}
}
