package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

// oddDecimals are the texts of numbers that lie at a border of PostgreSQL's four decimal digits to one of its own, then
// random ones.
func oddDecimals(random int) (list []string) {
	list = []string{"0", "1", "9", "10", "9999", "10000", "10001", "99999999", "100000000", "1000000000000", "0.1", "0.0001", "0.00001", "0.00000001",
		"0.000000000001", "1.0001", "10000.0001", "100000000.00000001", "0.9999", "0.99999", "999999999999999.999999999999", "123456789012345678901234567890",
		strings.Repeat("9", 200), "0." + strings.Repeat("0", 199) + "1", strings.Repeat("9", 200) + "." + strings.Repeat("9", 200),
		"1" + strings.Repeat("0", 199), "1" + strings.Repeat("0", 199) + "." + strings.Repeat("0", 199) + "1", "9223372036854775807", "9223372036854775808"}
	g := rand.New(rand.NewPCG(1, 2))
	digits := func(n int) string {
		var text strings.Builder
		for range n {
			text.WriteByte("00001234567899"[g.IntN(14)])
		}
		return text.String()
	}
	for range random {
		text := "0" + digits(g.IntN(24))
		if places := g.IntN(24); places > 0 {
			text += "." + digits(places)
		}
		list = append(list, text)
	}
	for _, positive := range list[:len(list):len(list)] {
		list = append(list, "-"+positive)
	}
	return list
}

// currentEpoch reads the epoch that a recording at once must name.
func currentEpoch(t *testing.T, db *store.DB) int64 {
	t.Helper()
	var epoch int64
	must(t, db.Record(t.Context(), func(rec *store.Recording) error {
		state, err := rec.State(t.Context(), nil, nil, nil)
		epoch = state.Epoch
		return err
	}))
	return epoch
}

// Very many events travel in COPY's binary format; what is stored is what their texts would have stored.
func TestRecordOnce_ManyEventsAreStoredAsTheirTexts(t *testing.T) {
	target := storetest.Postgres(t)
	target.Now = time.Now
	db := storetest.Open(t, target)
	numbers := oddDecimals(2000)
	odd := []string{"call", "", "tab\there", `back\slash \N`, "line\nbreak\r\n", "käse 木 \u2028 😀", strings.Repeat("long ", 1000)}
	events, sent := make([]xyra.Event, len(numbers)), make([]*xyra.Event, len(numbers))
	for i, text := range numbers {
		e := xyra.Event{Organization: 1, Kind: xyra.EventKind(1 + i%3), ID: xyra.EventID(i + 1), Agent: xyra.AgentID(1<<62 + i), Type: odd[i%len(odd)],
			Quantity: money.MustParse(text), Currency: "USD", Timestamp: storetest.Start.AddDate(-i, 0, 0), RecordedAt: storetest.Start.Add(time.Duration(i) * time.Microsecond),
			Period: xyra.Period(202405 - i), Verified: i%2 == 1, Source: odd[i%2], Charge: money.MustParse(numbers[len(numbers)-1-i]), Version: xyra.VersionID(i), RecordedBy: "key:1"}
		if i%5 > 0 {
			e.IdempotencyKey, e.Digest, e.Details = fmt.Sprintf("%s%05d", odd[i%5], i), []byte{0, 1, '\\', byte(i)}, fmt.Appendf(nil, `{"a":"\\%d"}`, i)
		}
		events[i], sent[i] = e, &events[i]
	}
	must(t, db.RecordOnce(t.Context(), currentEpoch(t, db), storetest.Start, store.Written{Events: sent}))
	for i, want := range events {
		got, err := db.Event(t.Context(), 1, want.Kind, want.ID)
		must(t, err)
		show := func(e xyra.Event) string {
			return fmt.Sprint(e.Agent, e.Kind, e.Quantity, e.Timestamp, e.RecordedAt, e.Period, e.Verified, e.Charge, e.Version, e.Digest == nil, e.Details == nil) +
				fmt.Sprintf("%q %q %q %q %q %q %q", e.Type, e.Currency, e.Source, e.IdempotencyKey, e.Digest, e.Details, e.RecordedBy)
		}
		if show(got) != show(want) {
			t.Errorf("event %d is %s, want %s", i, show(got), show(want))
		}
	}
	stored, err := store.Texts(t.Context(), db, `SELECT quantity::text || ' ' || charge::text FROM events ORDER BY id`)
	must(t, err)
	for i, e := range events {
		if want := e.Quantity.Canonical() + " " + e.Charge.Canonical(); stored[i] != want {
			t.Errorf("numbers of event %d are %s, want %s", i, stored[i], want)
		}
	}
	different, err := store.Texts(t.Context(), db, `SELECT id::text FROM events 
		WHERE numeric_send(quantity) <> numeric_send(quantity::text::numeric) OR numeric_send(charge) <> numeric_send(charge::text::numeric) LIMIT 10`)
	if must(t, err); len(different) > 0 {
		t.Errorf("numbers of the events %v are not stored as their texts are", different)
	}
}

// A number of ids is one question to the database, and no id is given twice.
func TestEventIDs_NoneIsGivenTwice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		given := map[xyra.EventID]bool{}
		total := 0
		for _, n := range []int{0, 1, 998, 1, 1, 999, 1, 3000, 2999, 10_000, 1, 5} {
			ids, err := db.EventIDs(t.Context(), n)
			if err != nil || len(ids) != n {
				t.Fatalf("asked for %d, got %d: %v", n, len(ids), err)
			}
			for i, id := range ids {
				if id <= 0 || given[id] || i > 0 && id <= ids[i-1] {
					t.Fatalf("id %d after %v", id, ids[max(0, i-1)])
				}
				given[id] = true
			}
			total += n
		}
		if len(given) != total {
			t.Errorf("%d different ids, want %d", len(given), total)
		}
	})
}
