package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"xyra/store"
)

// Who sends a batch and leaves keeps his place among the batches until it is on disk. Else a client that always leaves would fill the
// queue, and the events of others were refused.
func TestBatch_WhoLeavesKeepsThePlace(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		paused, resume, ended := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			ended <- m.s.db.Tx(t.Context(), func(tx *store.Tx) error {
				if err := tx.PauseRecording(t.Context()); err != nil {
					return err
				}
				close(paused)
				<-resume
				return nil
			})
		}()
		<-paused
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan int)
		for range batchesMax + 2 {
			go func() {
				body := `{"events":[{"kind":"activity","agent_id":` + m.agent + `,"activity_type":"call"}]}`
				r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/v1/events", strings.NewReader(body))
				r.Header = http.Header{"Authorization": {"Bearer " + m.admin}, "Content-Type": {"application/json"}}
				w := httptest.NewRecorder()
				m.s.ServeHTTP(w, r)
				left <- w.Code
			}()
		}
		for len(m.s.batches) < batchesMax {
			if t.Context().Err() != nil {
				t.Fatal("the batches are not taken up")
			}
		}
		leave()
		for range 2 { // those who still wait for a place leave at once
			<-left
		}
		if len(m.s.batches) != batchesMax {
			t.Errorf("%d places are taken after all have left", len(m.s.batches))
		}
		close(resume)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		for range batchesMax {
			if status := <-left; status != http.StatusOK {
				t.Errorf("a batch that waited is answered %d", status)
			}
		}
	})
}
