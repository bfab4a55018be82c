package usage

import (
	"cmp"
	"context"
	"slices"

	"xyra"
	"xyra/store"
)

// ErrKeyInFlight refuses a request whose Idempotency-Key another process has claimed or answered since it was looked
// up: asking again gets that answer.
var ErrKeyInFlight = xyra.Conflict("A request with this Idempotency-Key is still in progress")

// claimRecords writes the records of the requests' Idempotency-Key headers before their events. If one is taken, a
// batch is refused as a whole, so that its tickets are tried alone and only the guilty one fails.
func claimRecords(ctx context.Context, rec *store.Recording, entries []*entry) error {
	var records []store.IdempotencyRecord
	for _, e := range entries {
		if e.draft.Record != nil {
			e.draft.Record.EventKind, e.draft.Record.EventID = e.event.Kind, e.event.ID
			records = append(records, *e.draft.Record)
		}
	}
	if len(records) == 0 {
		return nil
	}
	slices.SortFunc(records, func(a, b store.IdempotencyRecord) int {
		return cmp.Or(cmp.Compare(a.Organization, b.Organization), cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Key, b.Key))
	})
	written, err := rec.InsertRecords(ctx, records)
	if err == nil && written < int64(len(records)) {
		return ErrKeyInFlight
	}
	return err
}

// repointRecords corrects the records of entries that turned out to be repeats: the answer kept is the first event's,
// or none where the repeat was refused.
func repointRecords(ctx context.Context, rec *store.Recording, entries []*entry) error {
	for _, e := range entries {
		record := e.draft.Record
		if record == nil || e.result.Err == nil && !e.result.Replayed {
			continue
		}
		record.EventID = e.result.Event.ID
		if err := rec.RepointRecord(ctx, *record); err != nil {
			return err
		}
	}
	return nil
}
