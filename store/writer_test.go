package store_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"xyra"
	"xyra/store"
	"xyra/store/storetest"
)

// A pool may drop the connection for writing at any time. What recordings have compiled on it must neither be used again nor
// keep the file open, or the log would stay behind for good.
func TestWriter_DroppedConnectionsLeaveNothingOpen(t *testing.T) {
	t.Parallel()
	target := storetest.SQLite(t)
	target.Now = storetest.NewClock(storetest.Start).Now
	db := storetest.Open(t, target)
	spoiled := errors.New("spoiled")
	for n := range 3 {
		must(t, db.Record(t.Context(), func(rec *store.Recording) error {
			_, err := rec.State(t.Context(), []xyra.AgentID{1}, []xyra.UserID{1}, []xyra.APIKeyID{1})
			return errors.Join(err, rec.Commit(t.Context(), store.Rollups{}, []store.AgentSeen{{Organization: 1, Agent: xyra.AgentID(n + 1), At: target.Now()}}))
		}))
		err := db.Record(t.Context(), func(rec *store.Recording) error {
			_, err := rec.InsertRecords(t.Context(), []store.IdempotencyRecord{{Organization: 1, Caller: "c", Key: "k", Status: 200}})
			return errors.Join(err, spoiled)
		})
		if !errors.Is(err, spoiled) {
			t.Errorf("a recording that is spoiled answers %v", err)
		}
		must(t, store.DropWriter(context.Background(), db))
	}
	seen, err := store.Texts(t.Context(), db, `SELECT agent_id || '' FROM agent_activity ORDER BY agent_id`)
	if err != nil || len(seen) != 3 {
		t.Errorf("agents %v were seen, want 3 (%v)", seen, err)
	}
	if records, err := store.Texts(t.Context(), db, `SELECT key FROM idempotency_records`); err != nil || len(records) > 0 {
		t.Errorf("%v was recorded by what was rolled back (%v)", records, err)
	}
	must(t, db.Close())
	if _, err := os.Stat(target.Path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log is still there (%v): a connection is open", err)
	}
}
