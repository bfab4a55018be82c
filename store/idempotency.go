package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"crypto/sha256"

	"xyra"
)

// IdempotencyKept is how long an answer is replayed.
const IdempotencyKept = 30 * 24 * time.Hour

// IdempotencyRecord is the answer to a POST that carried an Idempotency-Key. For an event the answer is rebuilt from
// the event's row and Body is empty.
type IdempotencyRecord struct {
	Organization  xyra.OrganizationID // the caller's, 0 for none
	Caller        string              // Caller.Name: keys of different callers never meet
	Key           string
	RequestDigest []byte
	Status        int
	Body          []byte
	EventKind     xyra.EventKind
	EventID       xyra.EventID
}

// IdempotencyRecord reads what was kept under of's organization, caller and key and is not yet older than
// IdempotencyKept at now.
func (r Reader) IdempotencyRecord(ctx context.Context, of IdempotencyRecord, now time.Time) (IdempotencyRecord, error) {
	scan := func(r row) (IdempotencyRecord, error) {
		kept := of
		var packed []byte
		if err := r.Scan(&kept.RequestDigest, &kept.Status, &packed, &kept.EventKind, &kept.EventID); err != nil {
			return kept, err
		}
		var err error
		kept.Body, err = unpack(packed)
		return kept, err
	}
	return one(ctx, r, "Idempotency record", "idempotency record", scan, `SELECT request_digest, status, body, event_kind, event_id
		FROM idempotency_records WHERE organization_id = $1 AND caller = $2 AND key = $3 AND created_at > $4`,
		of.Organization, of.Caller, of.Key, xyra.Micros(now.Add(-IdempotencyKept)))
}

// TryLockIdempotencyKey keeps transactions of other processes with the same caller and key out until this one ends; it
// answers false at once if one of them is there. On SQLite the one writer is alone anyway.
func (tx *Tx) TryLockIdempotencyKey(ctx context.Context, of IdempotencyRecord) (bool, error) {
	if !tx.d.postgres {
		return true, nil
	}
	digest := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s", of.Organization, of.Caller, of.Key))
	return value[bool](ctx, tx.Reader, "lock idempotency key", `SELECT pg_try_advisory_xact_lock($1)`, int64(binary.BigEndian.Uint64(digest[:])))
}

// InsertIdempotencyRecord keeps an answer; one that has expired under the same key makes room.
func (tx *Tx) InsertIdempotencyRecord(ctx context.Context, rec IdempotencyRecord) error {
	if _, err := tx.exec(ctx, "expire idempotency record", `DELETE FROM idempotency_records
		WHERE organization_id = $1 AND caller = $2 AND key = $3 AND created_at <= $4`,
		rec.Organization, rec.Caller, rec.Key, xyra.Micros(tx.Now.Add(-IdempotencyKept))); err != nil {
		return err
	}
	packed, err := pack(rec.Body)
	if err != nil {
		return fmt.Errorf("pack the answer under Idempotency-Key: %w", err)
	}
	_, err = tx.exec(ctx, "insert idempotency record", `INSERT INTO idempotency_records
		(organization_id, caller, key, request_digest, status, body, event_kind, event_id, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, rec.Organization, rec.Caller, rec.Key, rec.RequestDigest, rec.Status,
		packed, rec.EventKind, rec.EventID, xyra.Micros(tx.Now))
	return err
}

// DeleteIdempotencyRecordsBefore forgets answers that were kept until then, most at a time, and returns how many it was.
func (tx *Tx) DeleteIdempotencyRecordsBefore(ctx context.Context, until time.Time, most int) (int64, error) {
	scan := func(r row) (i IdempotencyRecord, err error) { return i, r.Scan(&i.Organization, &i.Caller, &i.Key) }
	old, err := collect(ctx, tx.Reader, "old idempotency records", scan, `SELECT organization_id, caller, key FROM idempotency_records
		WHERE created_at <= $1 ORDER BY created_at LIMIT $2`, xyra.Micros(until), most)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	organizations, callers, keys := make([]int64, len(old)), make([]string, len(old)), make([]string, len(old))
	for i, r := range old {
		organizations[i], callers[i], keys[i] = int64(r.Organization), r.Caller, r.Key
	}
	// The lists may meet in other rows too: those are as old.
	return tx.exec(ctx, "forget idempotency records", `DELETE FROM idempotency_records
		WHERE organization_id = ANY($1) AND caller = ANY($2) AND key = ANY($3) AND created_at <= $4`, organizations, callers, keys, xyra.Micros(until))
}

// pack compresses a body; nil stays nil.
func pack(body []byte) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unpack(packed []byte) ([]byte, error) {
	if packed == nil {
		return nil, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack a kept answer: %w", err)
	}
	return io.ReadAll(z)
}

// recordExpired lets a new record take the place of one that is older than IdempotencyKept.
var recordExpired = fmt.Sprintf("WHERE idempotency_records.created_at <= excluded.created_at - %d", IdempotencyKept.Microseconds())

// A record that is still valid keeps its place: the row is then not touched and the caller sees it by the count.
var recordRows = newBulk("idempotency_records", `ON CONFLICT (organization_id, caller, key) DO UPDATE SET
	request_digest = excluded.request_digest, status = excluded.status, body = NULL, event_kind = excluded.event_kind,
	event_id = excluded.event_id, created_at = excluded.created_at
	`+recordExpired,
	"organization_id bigint", "caller text", "key text", "request_digest bytea", "status bigint", "event_kind smallint", "event_id bigint", "created_at bigint")

// InsertRecords keeps the answers of events, which must be in key order. written is less than their number when another
// process has answered one of these keys in the meantime.
func (rec *Recording) InsertRecords(ctx context.Context, records []IdempotencyRecord) (written int64, err error) {
	var organization, status, kind, id, at []int64
	var caller, key []string
	var digest [][]byte
	for _, r := range records {
		organization, status, kind = append(organization, int64(r.Organization)), append(status, int64(r.Status)), append(kind, int64(r.EventKind))
		id, at = append(id, int64(r.EventID)), append(at, micros(rec.Now))
		caller, key, digest = append(caller, r.Caller), append(key, r.Key), append(digest, r.RequestDigest)
	}
	steps := recordRows.steps(rec.pg != nil, "idempotency records", len(records), organization, caller, key, digest, status, kind, id, at)
	if err := rec.run(ctx, "idempotency records", steps...); err != nil {
		return 0, err
	}
	for _, s := range steps {
		written += s.touched
	}
	return written, nil
}

// RepointRecord lets a record answer with another event of the same kind; without one (EventID 0) the record goes.
func (rec *Recording) RepointRecord(ctx context.Context, r IdempotencyRecord) error {
	s := &step{name: "repoint idempotency record", text: `UPDATE idempotency_records SET event_id = $4 WHERE organization_id = $1 AND caller = $2 AND key = $3`,
		args: []any{r.Organization, r.Caller, r.Key, r.EventID}}
	if r.EventID == 0 {
		s.text, s.args = `DELETE FROM idempotency_records WHERE organization_id = $1 AND caller = $2 AND key = $3`, s.args[:3]
	}
	return rec.run(ctx, s.name, s)
}
