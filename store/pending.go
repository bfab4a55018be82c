package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"xyra"
	"xyra/money"
	"xyra/strictjson"
)

// Pending usage is what a recording adds to the rollups of an organization, kept as one row of usage_pending beside its
// events instead of a change to many rows that others are changing too. The views usage_hours_all, usage_days_all and
// usage_periods_all are the rollups with it.

var pendingRows = newBulk("usage_pending", "", "organization_id bigint", "id bigint", "recorded_at bigint shared", "hours text", "periods text")

// pendingUsageSteps are the statements that write what a recording adds as pending usage, a row for each organization.
func (rec *Recording) pendingUsageSteps(add Rollups) []*step {
	var organization, id, recordedAt []int64
	var hours, periods []string
	addedHours, addedPeriods := add.Hours, add.Periods
	for len(addedHours) > 0 {
		o := addedHours[0].Organization
		var h, p []byte
		h, addedHours = appendHourLists(o, addedHours)
		p, addedPeriods = appendPeriodLists(o, addedPeriods)
		organization, id, recordedAt = append(organization, int64(o)), append(id, int64(add.Pending)), append(recordedAt, micros(rec.Now))
		hours, periods = append(hours, string(h)), append(periods, string(p))
	}
	return pendingRows.steps(rec.pg != nil, "pending usage", len(organization), organization, id, recordedAt, hours, periods)
}

// appendHourLists writes the rows of one organization, with which the list begins, and returns the others.
func appendHourLists(o xyra.OrganizationID, list []xyra.SpanUsage) ([]byte, []xyra.SpanUsage) {
	b := append(make([]byte, 0, 80*min(len(list), batchRows)), '[')
	for len(list) > 0 && list[0].Organization == o {
		u := &list[0]
		b = cell(b, '[', int64(u.Agent))
		b = cell(b, ',', micros(u.From))
		b = cell(b, ',', int64(u.Kind))
		b = strictjson.AppendString(append(b, ','), u.Type)
		b = strictjson.AppendString(append(b, ','), string(u.Currency))
		b = cell(b, ',', u.Count)
		b = cell(b, ',', u.ChargedCount)
		b = append(sums(b, u.Quantity, u.Charge), "],"...)
		list = list[1:]
	}
	b[len(b)-1] = ']'
	return b, list
}

// appendPeriodLists is appendHourLists for rows of periods, of which there may be none.
func appendPeriodLists(o xyra.OrganizationID, list []xyra.PeriodUsage) ([]byte, []xyra.PeriodUsage) {
	b := append(make([]byte, 0, 64*min(len(list), batchRows)), '[')
	for len(list) > 0 && list[0].Organization == o {
		u := &list[0]
		b = cell(b, '[', int64(u.Period))
		b = cell(b, ',', int64(u.Agent))
		b = cell(b, ',', int64(u.Version))
		b = cell(b, ',', int64(u.Component))
		b = strictjson.AppendString(append(b, ','), string(u.Currency))
		b = append(sums(b, u.Quantity, u.Charge), "],"...)
		list = list[1:]
	}
	if len(b) == 1 {
		return []byte("[]"), list
	}
	b[len(b)-1] = ']'
	return b, list
}

// batchRows is for how many rows room is made at once.
const batchRows = 64

func cell(b []byte, before byte, n int64) []byte { return strconv.AppendInt(append(b, before), n, 10) }

// sums writes decimals as texts: a JSON number might be read as binary floating point.
func sums(b []byte, quantity, charge money.Decimal) []byte {
	b = append(append(b, `,"`...), quantity.Canonical()...)
	b = append(append(b, `","`...), charge.Canonical()...)
	return append(b, '"')
}

// foldLock is the number of the advisory lock between those that fold.
const foldLock = recordingLock + 2

const (
	foldTurnText = `SELECT pg_try_advisory_xact_lock($1)`
	// Rows are named one by one: a range would walk over all that have been removed and not been vacuumed yet.
	takePendingText = `DELETE FROM usage_pending WHERE organization_id = $1 AND id = ANY($2)
		RETURNING id, recorded_at, CASE WHEN $3 THEN hours ELSE '' END, CASE WHEN $3 THEN periods ELSE '' END`
)

// PendingKey is the key of usage_pending.
type PendingKey struct {
	Organization xyra.OrganizationID
	ID           xyra.EventID
}

// ComparePending is the order of keys.
func ComparePending(a, b PendingKey) int {
	return cmp.Or(cmp.Compare(a.Organization, b.Organization), cmp.Compare(a.ID, b.ID))
}

// ErrFolding means that another process takes pending usage at this moment.
var ErrFolding = errors.New("another process folds pending usage")

// Taken is a row of pending usage that a recording has removed.
type Taken struct {
	PendingKey
	At time.Time

	hours, periods []byte
}

// Read gives what the row adds to the rollups, in key order but for Days, which follow from Hours.
func (t Taken) Read() (add Rollups, err error) {
	if add.Hours, err = readHourLists(t.Organization, t.hours); err != nil {
		return add, err
	}
	add.Periods, err = readPeriodLists(t.Organization, t.periods)
	return add, err
}

// TakePending removes rows of pending usage, named in order, and returns those that were still there. Those who wrote them need
// not read them.
func (rec *Recording) TakePending(ctx context.Context, keys []PendingKey, read bool) (taken []Taken, err error) {
	if rec.pg != nil {
		turn := false
		err := rec.run(ctx, "turn to fold", &step{name: "turn to fold", text: foldTurnText, args: []any{foldLock},
			scan: func(r row) error { return r.Scan(&turn) }})
		if err == nil && !turn {
			err = ErrFolding
		}
		if err != nil {
			return nil, err
		}
	}
	var steps []*step
	for len(keys) > 0 {
		organization, ids := keys[0].Organization, []int64(nil)
		for len(keys) > 0 && keys[0].Organization == organization {
			ids, keys = append(ids, int64(keys[0].ID)), keys[1:]
		}
		steps = append(steps, &step{name: "take pending", text: takePendingText, args: []any{organization, ids, read}, scan: func(r row) error {
			t := Taken{PendingKey: PendingKey{Organization: organization}}
			err := r.Scan(&t.ID, instant{&t.At}, &t.hours, &t.periods)
			taken = append(taken, t)
			return err
		}})
	}
	return taken, rec.run(ctx, "take pending", steps...)
}

// PendingKeys lists keys of pending usage behind one, in order.
func (r Reader) PendingKeys(ctx context.Context, after PendingKey, most int) ([]PendingKey, error) {
	scan := func(r row) (k PendingKey, err error) { return k, r.Scan(&k.Organization, &k.ID) }
	return collect(ctx, r, "pending keys", scan, `SELECT organization_id, id FROM usage_pending
		WHERE (organization_id, id) > ($1, $2) ORDER BY organization_id, id LIMIT $3`, after.Organization, after.ID, most)
}

// VacuumPending makes PostgreSQL use the room of rows that were taken again. Its autovacuum looks around once a minute: by then,
// readers of busy rollups would walk over tens of thousands of removed rows.
func (db *DB) VacuumPending(ctx context.Context) error {
	if !db.d.postgres {
		return nil
	}
	_, err := db.write.ExecContext(ctx, `VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF, SKIP_LOCKED) usage_pending`)
	return db.d.fault(err)
}

// cells reads one row of usage_pending's lists; the first fault stays.
type cells struct {
	list  []strictjson.Value
	fault error
}

// eachCells calls f with every list of a text.
func eachCells(text []byte, columns int, f func(c *cells)) error {
	lists, fault := strictjson.Parse(text)
	if fault != nil {
		return fmt.Errorf("pending usage is unreadable: %w", fault)
	}
	c := &cells{list: make([]strictjson.Value, 0, columns)}
	for list := range lists.Elems() {
		c.list = c.list[:0]
		for v := range list.Elems() {
			c.list = append(c.list, v)
		}
		if len(c.list) != columns {
			return fmt.Errorf("pending usage has a row of %d cells, not %d", len(c.list), columns)
		}
		if f(c); c.fault != nil {
			return fmt.Errorf("pending usage is unreadable: %w", c.fault)
		}
	}
	return nil
}

// number reads a cell of so many bits.
func (c *cells) number(i, bits int) int64 {
	n, err := strconv.ParseInt(c.list[i].Number(), 10, bits)
	if err != nil && c.fault == nil {
		c.fault = err
	}
	return n
}

func (c *cells) decimal(i int) (d money.Decimal) {
	if err := d.Scan(c.list[i].Text()); err != nil && c.fault == nil {
		c.fault = err
	}
	return d
}

func readHourLists(o xyra.OrganizationID, text []byte) (to []xyra.SpanUsage, err error) {
	err = eachCells(text, 9, func(c *cells) {
		to = append(to, xyra.SpanUsage{Organization: o, Agent: xyra.AgentID(c.number(0, 64)), From: xyra.FromMicros(c.number(1, 64)),
			Kind: xyra.EventKind(c.number(2, 16)), Type: c.list[3].Text(), Currency: money.Currency(c.list[4].Text()),
			Count: c.number(5, 64), ChargedCount: c.number(6, 64), Quantity: c.decimal(7), Charge: c.decimal(8)})
	})
	return to, err
}

func readPeriodLists(o xyra.OrganizationID, text []byte) (to []xyra.PeriodUsage, err error) {
	err = eachCells(text, 7, func(c *cells) {
		to = append(to, xyra.PeriodUsage{Organization: o, Period: xyra.Period(c.number(0, 32)), Agent: xyra.AgentID(c.number(1, 64)),
			Version: xyra.VersionID(c.number(2, 64)), Component: int(c.number(3, 32)), Currency: money.Currency(c.list[4].Text()),
			Quantity: c.decimal(5), Charge: c.decimal(6)})
	})
	return to, err
}
