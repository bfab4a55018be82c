package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"xyra"
	"xyra/store"
)

// schedule plans periodic work until the runner is stopped.
func (r *Runner) schedule() {
	for {
		if err := r.plan(r.work); err != nil {
			r.Log.Warn("plan periodic work", "err", err)
		}
		poll := time.NewTimer(r.Poll)
		select {
		case <-poll.C:
		case <-r.stop:
			poll.Stop()
			return
		}
	}
}

// plan adds the job of the present span for each periodic kind. Its unique key lets one process through; the others
// remember that it is there.
func (r *Runner) plan(ctx context.Context) error {
	var faults []error
	for name, k := range r.Kinds {
		if k.Every == 0 {
			continue
		}
		slot := r.db.Now().Truncate(k.Every)
		if slot.Equal(r.slots[name]) {
			continue
		}
		err := r.db.Tx(ctx, func(tx *store.Tx) error {
			_, _, err := tx.InsertJob(ctx, xyra.Job{Kind: name, UniqueKey: name + ":" + slot.Format("2006-01-02T15:04:05"), AttemptsMax: 3})
			return err
		})
		if err != nil {
			faults = append(faults, fmt.Errorf("add %s of %s: %w", name, slot.Format(time.RFC3339), err))
			continue
		}
		r.slots[name] = slot
	}
	return errors.Join(faults...)
}
