package store

import (
	"context"
	"sync"

	"xyra"
)

const eventColumns = `organization_id, kind, id, agent_id, type, quantity, currency, timestamp, recorded_at, period, details, verified,
	source, idempotency_key, digest, charge, version_id, recorded_by`

func scanEvent(r row) (e xyra.Event, err error) {
	var key *string
	err = r.Scan(&e.Organization, &e.Kind, &e.ID, &e.Agent, &e.Type, &e.Quantity, &e.Currency, instant{&e.Timestamp}, instant{&e.RecordedAt},
		&e.Period, object{&e.Details}, &e.Verified, &e.Source, &key, &e.Digest, &e.Charge, &e.Version, &e.RecordedBy)
	if key != nil {
		e.IdempotencyKey = *key
	}
	return e, err
}

// Event reads one event.
func (r Reader) Event(ctx context.Context, organization xyra.OrganizationID, kind xyra.EventKind, id xyra.EventID) (xyra.Event, error) {
	return one(ctx, r, "Event", "event", scanEvent, `SELECT `+eventColumns+` FROM events WHERE organization_id = $1 AND kind = $2 AND id = $3`,
		organization, kind, id)
}

// EventsAfter pages through all events of an organization by kind and id, for recomputation.
func (r Reader) EventsAfter(ctx context.Context, organization xyra.OrganizationID, kind xyra.EventKind, id xyra.EventID, limit int) ([]xyra.Event, error) {
	return collect(ctx, r, "events after", scanEvent, `SELECT `+eventColumns+` FROM events
		WHERE organization_id = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4`, organization, kind, id, limit)
}

// An event whose key is taken is left out; who inserts sees it by the count.
var eventRows = newBulk("events", "ON CONFLICT (organization_id, source, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING", eventBulkColumns...)

var eventBulkColumns = []string{"organization_id bigint shared", "kind smallint alike", "id bigint", "agent_id bigint", "type text", "quantity numeric",
	"currency text alike", "timestamp bigint", "recorded_at bigint shared", "period integer alike", "details text", "verified boolean alike",
	"source text shared", "idempotency_key text", "digest bytea", "charge numeric", "version_id bigint alike", "recorded_by text shared"}

// eventColumnLists holds events column by column, as they travel.
type eventColumnLists struct {
	organization, kind, id, agent, timestamp, recordedAt, period, version []int64
	typ, quantity, currency, source, charge, recordedBy                   []string
	details, key                                                          []*string
	verified                                                              []bool
	digest                                                                [][]byte
}

func eventLists(events []*xyra.Event) (c eventColumnLists) {
	n := len(events)
	numbers, texts := make([]int64, 8*n), make([]string, 6*n)
	number := func(i int) []int64 { return numbers[i*n : (i+1)*n : (i+1)*n] }
	text := func(i int) []string { return texts[i*n : (i+1)*n : (i+1)*n] }
	c.organization, c.kind, c.id, c.agent = number(0), number(1), number(2), number(3)
	c.timestamp, c.recordedAt, c.period, c.version = number(4), number(5), number(6), number(7)
	c.typ, c.quantity, c.currency, c.source, c.charge, c.recordedBy = text(0), text(1), text(2), text(3), text(4), text(5)
	c.details, c.key, c.verified, c.digest = make([]*string, n), make([]*string, n), make([]bool, n), make([][]byte, n)
	for i, e := range events {
		c.organization[i], c.kind[i], c.id[i], c.agent[i] = int64(e.Organization), int64(e.Kind), int64(e.ID), int64(e.Agent)
		c.timestamp[i], c.recordedAt[i], c.period[i], c.version[i] = micros(e.Timestamp), micros(e.RecordedAt), int64(e.Period), int64(e.Version)
		c.typ[i], c.quantity[i], c.currency[i] = e.Type, e.Quantity.Canonical(), string(e.Currency)
		c.source[i], c.charge[i], c.recordedBy[i] = e.Source, e.Charge.Canonical(), e.RecordedBy
		c.details[i], c.key[i], c.verified[i], c.digest[i] = textPointer(string(e.Details)), textPointer(e.IdempotencyKey), e.Verified, e.Digest
	}
	return c
}

// pointers names the elements of a list without copying them.
func pointers[T any](list []T) []*T {
	to := make([]*T, len(list))
	for i := range list {
		to[i] = &list[i]
	}
	return to
}

// list is the columns in the order of eventBulkColumns.
func (c eventColumnLists) list() []any {
	return []any{c.organization, c.kind, c.id, c.agent, c.typ, c.quantity, c.currency, c.timestamp, c.recordedAt, c.period, c.details, c.verified,
		c.source, c.key, c.digest, c.charge, c.version, c.recordedBy}
}

// textPointer is nil for no text.
func textPointer(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// InsertEvents adds events, which must be in order of organization and idempotency key so that concurrent recordings
// never wait for each other in a circle. Events whose key is taken are left out: inserted is then less than their number.
func (rec *Recording) InsertEvents(ctx context.Context, events []xyra.Event) (inserted int64, err error) {
	steps := eventRows.steps(rec.pg != nil, "insert events", len(events), eventLists(pointers(events)).list()...)
	if err := rec.run(ctx, "insert events", steps...); err != nil {
		return 0, err
	}
	for _, s := range steps {
		inserted += s.touched
	}
	return inserted, nil
}

const eventsByKeyText = `SELECT ` + eventColumns + ` FROM events WHERE organization_id = ANY($1) AND source = ANY($2) AND idempotency_key = ANY($3)`

// EventKey is what makes an event unique.
type EventKey struct {
	Organization xyra.OrganizationID
	Source, Key  string
}

// EventsByKey reads the stored events that have one of these keys.
func (rec *Recording) EventsByKey(ctx context.Context, keys []EventKey) (map[EventKey]xyra.Event, error) {
	found := map[EventKey]xyra.Event{}
	var organizations []int64
	var sources, texts []string
	for _, k := range keys {
		organizations, sources, texts = append(organizations, int64(k.Organization)), append(sources, k.Source), append(texts, k.Key)
	}
	err := rec.run(ctx, "events by key", &step{name: "events by key", text: eventsByKeyText, args: []any{organizations, sources, texts},
		scan: func(r row) error {
			e, err := scanEvent(r)
			found[EventKey{e.Organization, e.Source, e.IdempotencyKey}] = e
			return err
		}})
	return found, err
}

// idBlock hands out event ids from blocks of a thousand, so that a batch does not ask the database for each.
type idBlock struct {
	mu        sync.Mutex
	next, end int64
}

const idBlockSize = 1000

func (b *idBlock) take(ctx context.Context, db *DB, n int) ([]xyra.EventID, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := make([]xyra.EventID, 0, n)
	ids = b.hand(ids, n)
	if len(ids) == n {
		return ids, nil
	}
	blocks, err := db.nextEventBlocks(ctx, (n-len(ids)+idBlockSize-1)/idBlockSize)
	if err != nil {
		return nil, err // the ids in hand are lost, as those of a recording that fails
	}
	for _, first := range blocks {
		b.next, b.end = first, first+idBlockSize
		ids = b.hand(ids, n)
	}
	return ids, nil
}

// hand adds ids of the block to a list until it has n or the block is used up.
func (b *idBlock) hand(ids []xyra.EventID, n int) []xyra.EventID {
	for len(ids) < n && b.next < b.end {
		ids = append(ids, xyra.EventID(b.next))
		b.next++
	}
	return ids
}

func (db *DB) nextEventBlocks(ctx context.Context, n int) (firsts []int64, err error) {
	if db.d.postgres {
		return collect(ctx, db.Reader, "event ids", scanValue[int64], `SELECT nextval('event_ids') FROM generate_series(1, $1)`, n)
	}
	err = db.Tx(ctx, func(tx *Tx) error {
		ids, err := tx.ids(ctx, "event_ids", n*idBlockSize)
		if err != nil {
			return err
		}
		for i := 0; i < len(ids); i += idBlockSize {
			firsts = append(firsts, ids[i])
		}
		return nil
	})
	return firsts, err
}
