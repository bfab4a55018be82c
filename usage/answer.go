package usage

import (
	"context"

	"xyra"
	"xyra/store"
)

// Kept asks for the answer to a request to be stored under its Idempotency-Key, in the transaction of its events.
type Kept struct {
	Record store.IdempotencyRecord
	Body   func([]Result) []byte // may run more than once; nil keeps no answer
}

// RecordKept is Record for a request whose answer is to be kept; kept may be nil. When somebody else has answered under
// the key since it was looked up, every result's error is ErrKeyInFlight and nothing was recorded.
func (r *Recorder) RecordKept(ctx context.Context, caller xyra.Caller, drafts []Draft, kept *Kept) ([]Result, error) {
	return r.wait(ctx, &ticket{caller: caller, drafts: drafts, results: make([]Result, len(drafts)), kept: kept})
}

// keepsAnswer tells whether something must be written even when every draft was refused.
func keepsAnswer(tickets []*ticket) bool {
	for _, t := range tickets {
		if t.kept != nil {
			return true
		}
	}
	return false
}

// keepAnswers writes the answers of the tickets that want theirs kept.
func keepAnswers(ctx context.Context, rec *store.Recording, tickets []*ticket) error {
	for _, t := range tickets {
		if t.kept == nil {
			continue
		}
		record := t.kept.Record
		if record.Body = t.kept.Body(t.results); record.Body == nil {
			continue
		}
		written, err := rec.InsertAnswer(ctx, record)
		if err != nil {
			return err
		}
		if !written {
			return ErrKeyInFlight
		}
	}
	return nil
}
