package store

import (
	"context"
	"fmt"

	"xyra"
)

var insertAnswerText = `INSERT INTO idempotency_records (organization_id, caller, key, request_digest, status, body, event_kind, event_id, created_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
	ON CONFLICT (organization_id, caller, key) DO UPDATE SET request_digest = excluded.request_digest, status = excluded.status, body = excluded.body,
		event_kind = excluded.event_kind, event_id = excluded.event_id, created_at = excluded.created_at
		` + recordExpired

// InsertAnswer keeps the whole answer to a request. written is false when another process has answered under this key in
// the meantime: its answer stays.
func (rec *Recording) InsertAnswer(ctx context.Context, r IdempotencyRecord) (written bool, err error) {
	packed, err := pack(r.Body)
	if err != nil {
		return false, fmt.Errorf("pack the answer under Idempotency-Key: %w", err)
	}
	s := &step{name: "insert answer", text: insertAnswerText, args: []any{int64(r.Organization), r.Caller, r.Key, r.RequestDigest, int64(r.Status),
		packed, int64(r.EventKind), int64(r.EventID), xyra.Micros(rec.Now)}}
	err = rec.run(ctx, s.name, s)
	return s.touched > 0, err
}
