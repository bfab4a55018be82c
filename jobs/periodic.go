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
		} else {
			r.planned.Store(xyra.Micros(r.db.Now()))
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

// PlannedAt is when this process planned periodic work last without a fault; the zero time if it never has.
func (r *Runner) PlannedAt() time.Time {
	if at := r.planned.Load(); at != 0 {
		return xyra.FromMicros(at)
	}
	return time.Time{}
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
