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
var eventRows = newBulk("events", "ON CONFLICT (organization_id, source, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING",
	"organization_id bigint", "kind smallint", "id bigint", "agent_id bigint", "type text", "quantity numeric", "currency text",
	"timestamp bigint", "recorded_at bigint", "period integer", "details text", "verified boolean", "source text", "idempotency_key text",
	"digest bytea", "charge numeric", "version_id bigint", "recorded_by text")

// eventColumnLists holds events column by column, as they travel.
type eventColumnLists struct {
	organization, kind, id, agent, timestamp, recordedAt, period, version []int64
	typ, quantity, currency, source, charge, recordedBy                   []string
	details, key                                                          []*string
	verified                                                              []bool
	digest                                                                [][]byte
}

func eventLists(events []xyra.Event) (c eventColumnLists) {
	for i := range events {
		e := &events[i]
		c.organization = append(c.organization, int64(e.Organization))
		c.kind = append(c.kind, int64(e.Kind))
		c.id = append(c.id, int64(e.ID))
		c.agent = append(c.agent, int64(e.Agent))
		c.typ = append(c.typ, e.Type)
		c.quantity = append(c.quantity, e.Quantity.Canonical())
		c.currency = append(c.currency, string(e.Currency))
		c.timestamp = append(c.timestamp, micros(e.Timestamp))
		c.recordedAt = append(c.recordedAt, micros(e.RecordedAt))
		c.period = append(c.period, int64(e.Period))
		c.details = append(c.details, textPointer(string(e.Details)))
		c.verified = append(c.verified, e.Verified)
		c.source = append(c.source, e.Source)
		c.key = append(c.key, textPointer(e.IdempotencyKey))
		c.digest = append(c.digest, e.Digest)
		c.charge = append(c.charge, e.Charge.Canonical())
		c.version = append(c.version, int64(e.Version))
		c.recordedBy = append(c.recordedBy, e.RecordedBy)
	}
	return c
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
	c := eventLists(events)
	steps := eventRows.steps(rec.pg != nil, "insert events", len(events), c.organization, c.kind, c.id, c.agent, c.typ, c.quantity, c.currency,
		c.timestamp, c.recordedAt, c.period, c.details, c.verified, c.source, c.key, c.digest, c.charge, c.version, c.recordedBy)
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
	for len(ids) < n {
		if b.next == b.end {
			first, err := db.nextEventBlock(ctx)
			if err != nil {
				return nil, err
			}
			b.next, b.end = first, first+idBlockSize
		}
		ids = append(ids, xyra.EventID(b.next))
		b.next++
	}
	return ids, nil
}

func (db *DB) nextEventBlock(ctx context.Context) (first int64, err error) {
	if db.d.postgres {
		return value[int64](ctx, db.Reader, "event ids", `SELECT nextval('event_ids')`)
	}
	err = db.Tx(ctx, func(tx *Tx) error {
		ids, err := tx.ids(ctx, "event_ids", idBlockSize)
		if err == nil {
			first = ids[0]
		}
		return err
	})
	return first, err
}
