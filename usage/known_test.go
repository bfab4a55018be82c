package usage_test

import (
	"fmt"
	"testing"
	"time"

	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

// A long request is recorded at once even if what it needs is not remembered any more; keys that come twice and keys that
// are known are found all the same, whatever is remembered.
func TestRecord_LongRequestsReadWhatIsForgotten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db, clock)
		const long = 600
		drafts := make([]usage.Draft, long)
		known := w.sealed(w.draft("0 5", "2"))
		for round := range 4 {
			for i := range drafts {
				drafts[i] = w.draft(fmt.Sprintf("%d %d", round, long-i), "2")
			}
			if round == 1 { // a key twice
				drafts[long-1] = drafts[0]
			}
			if round == 3 { // a key that is known
				drafts[7] = known
			}
			for i := range drafts {
				drafts[i] = w.sealed(drafts[i])
			}
			for i, r := range w.record(drafts...) {
				repeated := round == 1 && i == long-1 || round == 3 && i == 7
				if r.Err != nil || r.Replayed != repeated {
					t.Fatalf("round %d, event %d: %+v", round, i, r)
				}
			}
			clock.Advance(time.Minute)
		}
		if n, want := w.eventCount(), int64(4*long-2); n != want {
			t.Errorf("%d events, want %d", n, want)
		}
		w.verify()
	})
}
