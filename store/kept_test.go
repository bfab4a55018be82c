package store_test

import (
	"os"
	"sync"
	"testing"

	"xyra/store"
	"xyra/store/storetest"
)

// Readers whose statements are kept see what is written after them, and keep no old state of the file: its log can be emptied.
func TestKept_ConcurrentReadersSeeTheLatestAndLeaveTheLogFree(t *testing.T) {
	t.Parallel()
	target := storetest.SQLite(t)
	target.Now = storetest.NewClock(storetest.Start).Now
	db := storetest.Open(t, target)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if _, err := db.OrganizationIDs(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for n := range 3 {
		must(t, store.Do(t.Context(), db, `INSERT INTO usage_pending (organization_id, id, recorded_at, hours, periods) VALUES (1 + (SELECT count(*) FROM usage_pending), 1, 0, '[]', '[]')`))
		pending, err := db.PendingKeys(t.Context(), store.PendingKey{}, 10)
		if err != nil || len(pending) != n+1 {
			t.Errorf("%v are pending, want %d (%v)", pending, n+1, err)
		}
	}
	must(t, store.Do(t.Context(), db, `PRAGMA wal_checkpoint(TRUNCATE)`))
	if log, err := os.Stat(target.Path + "-wal"); err != nil || log.Size() != 0 {
		t.Errorf("the log keeps %v (%v): a reader was in the way", log, err)
	}
}
