package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/store"
)

const (
	invoicesAtOnce = 100
	rowsAtOnce     = 1000               // that one transaction forgets
	jobsKept       = 7 * 24 * time.Hour // how long a done job and its unique key are kept
	attemptsKept   = 24 * time.Hour     // login attempts: longer than any of them counts
)

// markOverdue marks each invoice in a transaction of its own.
func (w Work) markOverdue(ctx context.Context, j xyra.Job) error {
	for {
		page, err := w.db.InvoicesPastDue(ctx, w.db.Now(), invoicesAtOnce)
		if err != nil {
			return err
		}
		var faults []error
		for _, id := range page {
			err := w.db.Tx(ctx, func(tx *store.Tx) error {
				_, _, err := billing.MarkOverdue(ctx, tx, system(j), id)
				return err
			})
			if err != nil {
				faults = append(faults, fmt.Errorf("mark invoice %d: %w", id, err))
			}
		}
		// Those that could not be marked come first again: without any progress the next page would be this one.
		if len(page) < invoicesAtOnce || len(faults) == len(page) {
			return errors.Join(faults...)
		}
	}
}

// cleanUp forgets answers, login attempts and jobs that nobody can ask for any more, in bounded transactions.
func (w Work) cleanUp(ctx context.Context, _ xyra.Job) error {
	now := w.db.Now()
	return errors.Join(
		w.forget(ctx, func(tx *store.Tx) (int64, error) {
			return tx.DeleteIdempotencyRecordsBefore(ctx, now.Add(-store.IdempotencyKept), rowsAtOnce)
		}),
		w.forget(ctx, func(tx *store.Tx) (int64, error) {
			return tx.DeleteJobsFinishedBefore(ctx, now.Add(-jobsKept), rowsAtOnce)
		}),
		w.forget(ctx, func(tx *store.Tx) (int64, error) {
			return tx.DeleteStripeEventsWaitingBefore(ctx, now.Add(-xyra.StripeEventWaits), rowsAtOnce)
		}),
		w.forget(ctx, func(tx *store.Tx) (int64, error) {
			return tx.DeleteWebhookDeliveriesBefore(ctx, now.Add(-xyra.WebhookKept), rowsAtOnce)
		}),
		w.forget(ctx, func(tx *store.Tx) (int64, error) {
			return 0, tx.DeleteAttemptsBefore(ctx, now.Add(-attemptsKept), rowsAtOnce) // each login forgets some too
		}),
	)
}

// forget calls batch until it finds less than a full one.
func (w Work) forget(ctx context.Context, batch func(*store.Tx) (int64, error)) error {
	for {
		var gone int64
		err := w.db.Tx(ctx, func(tx *store.Tx) (err error) {
			gone, err = batch(tx)
			return err
		})
		if err != nil || gone < rowsAtOnce {
			return err
		}
	}
}
