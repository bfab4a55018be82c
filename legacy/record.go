package legacy

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"xyra/money"
)

// record is one row of the source as texts, and where to say what could not be read.
type record struct {
	table   string
	columns map[string]int
	values  []sql.NullString
	say     *remarks
}

// records reads a table's rows in order of id; without that table there are none. where names the table as t.
func (s *Source) records(ctx context.Context, name, where string, say *remarks, args ...any) (list []record, err error) {
	t := s.tables[name]
	if !t.has("id") {
		return nil, nil
	}
	names := slices.Sorted(maps.Keys(t.columns))
	texts := make([]string, len(names))
	places := make(map[string]int, len(names))
	for i, n := range names {
		texts[i], places[n] = "t."+t.columns[n]+"::text", i
	}
	query := "SELECT " + strings.Join(texts, ", ") + " FROM " + t.name + " t " + where
	if !strings.Contains(where, "ORDER BY") {
		query += " ORDER BY t." + t.columns["id"]
	}
	rows, err := s.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.name, err)
	}
	defer rows.Close()
	for rows.Next() {
		r := record{table: name, columns: places, values: make([]sql.NullString, len(names)), say: say}
		targets := make([]any, len(names))
		for i := range r.values {
			targets[i] = &r.values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, fmt.Errorf("read %s: %w", t.name, err)
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// text is a column's text; nil is NULL or no such column.
func (r record) text(column string) *string {
	i, there := r.columns[column]
	if !there || !r.values[i].Valid {
		return nil
	}
	return &r.values[i].String
}

// textOr is a column's text, or another one for NULL and the empty text.
func (r record) textOr(column, other string) string {
	if t := r.text(column); t != nil && *t != "" {
		return *t
	}
	return other
}

// number is an integer; 0 is NULL.
func (r record) number(column string) int64 {
	t := r.text(column)
	if t == nil {
		return 0
	}
	n, err := strconv.ParseInt(*t, 10, 64)
	if err != nil {
		r.say.differ("%s: %s %q is no integer: 0 is taken", r.name(), column, *t)
	}
	return n
}

// truth is a boolean, or another one for NULL.
func (r record) truth(column string, other bool) bool {
	t := r.text(column)
	if t == nil {
		return other
	}
	return *t == "true" || *t == "t" || *t == "1"
}

// placesKept is how many decimal places a number keeps.
const placesKept = 12

// decimal is a number; 0 is NULL. rounded is what it became more by being cut to the places that are kept.
func (r record) decimal(column string) (d, rounded money.Decimal) {
	t := r.text(column)
	if t == nil {
		return d, rounded
	}
	exact, err := money.ParseExact(*t)
	if err != nil {
		r.say.differ("%s: %s %q is no number: 0 is taken", r.name(), column, *t)
		return d, rounded
	}
	d = exact.RoundHalfAway(placesKept)
	if rounded = d.Sub(exact); !rounded.IsZero() {
		r.say.rounded++
	}
	return d, rounded
}

// positive is a number above 0; NULL is not.
func (r record) positive(column string) bool {
	d, _ := r.decimal(column)
	return d.Sign() > 0
}

var timeLayouts = []string{"2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999", time.RFC3339Nano}

// time is an instant, UTC where the column says nothing else; nil is NULL.
func (r record) time(column string) *time.Time {
	text := r.text(column)
	if text == nil {
		return nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, *text); err == nil {
			t = t.UTC().Truncate(time.Microsecond)
			return &t
		}
	}
	r.say.differ("%s: %s %q is no time: none is taken", r.name(), column, *text)
	return nil
}

// unknownTime is when a row was made that does not say so: the same in every run, and before everything else.
var unknownTime = time.Unix(0, 0).UTC()

// timeOr is an instant, or another one for NULL.
func (r record) timeOr(column string, other time.Time) time.Time {
	if t := r.time(column); t != nil {
		return *t
	}
	return other
}

// json is a column of JSON that begins with a character: { or [. Everything else is nil.
func (r record) json(column string, begin byte) json.RawMessage {
	t := r.text(column)
	if t == nil {
		return nil
	}
	trimmed := strings.TrimSpace(*t)
	if trimmed == "null" || trimmed == "" {
		return nil
	}
	if !json.Valid([]byte(trimmed)) || trimmed[0] != begin {
		r.say.differ("%s: %s %.40q is no JSON of the right kind: none is taken", r.name(), column, trimmed)
		return nil
	}
	return json.RawMessage(trimmed)
}

// currency is an upper-case code, USD where none is given.
func (r record) currency(column string) money.Currency {
	return money.Currency(strings.ToUpper(strings.TrimSpace(r.textOr(column, "USD"))))
}

func (r record) name() string { return r.table + " " + r.textOr("id", "?") }

// remarks are what an import has to say of one organization, or of none.
type remarks struct {
	differences []string // something is not as it was
	notes       []string // something is as it was, in other words
	rounded     int      // numbers cut to the places that are kept
}

func (m *remarks) differ(format string, args ...any) {
	m.differences = append(m.differences, fmt.Sprintf(format, args...))
}

func (m *remarks) note(format string, args ...any) {
	m.notes = append(m.notes, fmt.Sprintf(format, args...))
}
