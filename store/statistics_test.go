package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

// record stores events with their rollups of hours and days, as the recorder does: the first half in the rollups, then two
// recordings whose usage is pending.
func record(t *testing.T, db *store.DB, events []xyra.Event) {
	t.Helper()
	half, quarter := len(events)/2, len(events)*3/4
	for n, part := range [][]xyra.Event{events[:half], events[half:quarter], events[quarter:]} {
		add := store.Rollups{Hours: sums(part, time.Hour), Days: sums(part, 24*time.Hour)}
		if n > 0 {
			add.Pending = part[0].ID
		}
		err := db.Record(t.Context(), func(rec *store.Recording) error {
			if _, err := rec.InsertEvents(t.Context(), part); err != nil {
				return err
			}
			return rec.Commit(t.Context(), add, nil)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// sums adds events up by hour or day, in key order.
func sums(events []xyra.Event, span time.Duration) (list []xyra.SpanUsage) {
	type key struct {
		agent    xyra.AgentID
		from     time.Time
		kind     xyra.EventKind
		typ      string
		currency money.Currency
	}
	byKey := map[key]xyra.SpanUsage{}
	for _, e := range events {
		k := key{e.Agent, e.Timestamp.Truncate(span), e.Kind, e.Type, e.Currency}
		u := byKey[k]
		u.Organization, u.Agent, u.From, u.Kind, u.Type, u.Currency = e.Organization, k.agent, k.from, k.kind, k.typ, k.currency
		u.Count++
		if !e.Charge.IsZero() {
			u.ChargedCount++
		}
		u.Quantity, u.Charge = u.Quantity.Add(e.Quantity), u.Charge.Add(e.Charge)
		byKey[k] = u
	}
	for _, u := range byKey {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b xyra.SpanUsage) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), a.From.Compare(b.From), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Currency, b.Currency))
	})
	return list
}

// randomEvents lie in some hours and days after the start, half of the activities without charge, some at the very edge of an hour.
func randomEvents(random *rand.Rand, count int) []xyra.Event {
	events := make([]xyra.Event, count)
	for i := range events {
		e := xyra.Event{Organization: 1, ID: xyra.EventID(i + 1), Agent: xyra.AgentID(1 + random.IntN(3)), RecordedAt: storetest.Start, Period: 202405,
			Kind: xyra.EventKind(1 + random.IntN(3)), Type: []string{"a", "b"}[random.IntN(2)], Currency: []money.Currency{"USD", "EUR"}[random.IntN(2)],
			Timestamp: storetest.Start.Add(time.Duration(random.IntN(5*3600_000_000)) * time.Microsecond), RecordedBy: "user:1",
			Quantity: money.FromInt(random.Int64N(1e9)).Shift(-6)}
		if random.IntN(3) == 0 {
			e.Timestamp = e.Timestamp.Add(time.Duration(random.IntN(70)) * time.Hour)
		}
		if random.IntN(4) == 0 {
			e.Timestamp = e.Timestamp.Truncate(15 * time.Minute).Add(time.Duration(random.IntN(3)-1) * time.Microsecond)
		}
		if e.Kind != xyra.Cost && random.IntN(2) == 0 {
			e.Charge = e.Quantity.Mul(money.MustParse("0.000000000001"))
		}
		events[i] = e
	}
	return events
}

// naive adds events up one by one.
func naive(events []xyra.Event, of func(xyra.Event) bool) xyra.Statistics {
	var rows []xyra.SpanUsage
	for _, e := range events {
		if of(e) {
			u := xyra.SpanUsage{Kind: e.Kind, Currency: e.Currency, Count: 1, Quantity: e.Quantity, Charge: e.Charge}
			if !e.Charge.IsZero() {
				u.ChargedCount = 1
			}
			rows = append(rows, u)
		}
	}
	return xyra.SumUsage(rows)
}

func compareStatistics(t *testing.T, what string, got, want xyra.Statistics) {
	t.Helper()
	text := func(s xyra.Statistics) string {
		out := fmt.Sprint(s.Activities)
		for _, c := range []money.Currency{"EUR", "USD"} {
			total, there := s.ByCurrency[c]
			out += fmt.Sprintf(" %s %v %d %s %s %s", c, there, total.Amounts, total.Costs, total.Charges, total.Revenue)
		}
		return out
	}
	if text(got) != text(want) {
		t.Errorf("%s: %s, want %s", what, text(got), text(want))
	}
}

// For any two instants, sums from rollups and edges are those of the events between them, to the last digit.
func TestUsage_IsExactForAnyInstants(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 1))
		t.Logf("seed %d", seed)
		events := randomEvents(random, 400)
		record(t, db, events)
		for range 60 {
			a, b := events[random.IntN(len(events))].Timestamp, events[random.IntN(len(events))].Timestamp.Truncate([]time.Duration{1, time.Hour}[random.IntN(2)])
			span := xyra.Through(a, b)
			if random.IntN(10) == 0 {
				span = xyra.AllTime()
			}
			cut := span.Cut(storetest.Start.Add(75 * time.Hour))
			within := func(e xyra.Event) bool {
				return e.Agent != 3 && !e.Timestamp.Before(span.From) && e.Timestamp.Before(span.To)
			}
			total, err := db.UsageTotal(t.Context(), 1, []xyra.AgentID{1, 2}, cut)
			if err != nil {
				t.Fatal(err)
			}
			compareStatistics(t, fmt.Sprint("total of ", span), xyra.SumUsage(total), naive(events, within))
			byAgent, err := db.UsageByAgent(t.Context(), 1, []xyra.AgentID{1, 2}, cut)
			if err != nil {
				t.Fatal(err)
			}
			for agent := range xyra.AgentID(4) {
				rows := slices.DeleteFunc(slices.Clone(byAgent), func(u xyra.SpanUsage) bool { return u.Agent != agent })
				compareStatistics(t, fmt.Sprint("agent ", agent, " in ", span), xyra.SumUsage(rows), naive(events, func(e xyra.Event) bool { return within(e) && e.Agent == agent }))
			}
			byType, err := db.UsageByType(t.Context(), 1, []xyra.AgentID{1, 2}, cut, xyra.Activity, xyra.Outcome)
			if err != nil {
				t.Fatal(err)
			}
			for _, typ := range []string{"a", "b"} {
				rows := slices.DeleteFunc(slices.Clone(byType), func(u xyra.SpanUsage) bool { return u.Type != typ })
				compareStatistics(t, fmt.Sprint("type ", typ, " in ", span), xyra.SumUsage(rows), naive(events, func(e xyra.Event) bool { return within(e) && e.Type == typ && e.Kind != xyra.Cost }))
			}
		}
	})
}

// Another organization's usage is never read, nor that of no agents at all.
func TestUsage_StaysInTheOrganization(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		record(t, db, randomEvents(rand.New(rand.NewPCG(1, 1)), 20))
		cut := xyra.AllTime().Cut(storetest.Start)
		for organization, agents := range map[xyra.OrganizationID][]xyra.AgentID{2: {1, 2, 3}, 1: {}} {
			rows, err := db.UsageTotal(t.Context(), organization, agents, cut)
			if err != nil || len(rows) != 0 {
				t.Errorf("organization %d: %v, %v", organization, rows, err)
			}
		}
	})
}

// Days are UTC days; the first and the last are whole.
func TestUsageByDay_SplitsAtMidnight(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		midnight := storetest.Start.Truncate(24 * time.Hour)
		events := randomEvents(rand.New(rand.NewPCG(1, 1)), 4)
		for i, at := range []time.Duration{-time.Microsecond, 0, 24*time.Hour - time.Microsecond, 24 * time.Hour} {
			events[i].Agent, events[i].Kind, events[i].Currency, events[i].Timestamp = 1, xyra.Activity, "USD", midnight.Add(at)
		}
		record(t, db, events)
		days, err := db.UsageByDay(t.Context(), 1, 1, xyra.Span{From: midnight.AddDate(0, 0, -1), To: midnight.AddDate(0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		got := map[time.Time]int64{}
		for _, d := range days {
			got[d.From] += d.Count
		}
		if want := map[time.Time]int64{midnight.AddDate(0, 0, -1): 1, midnight: 2}; !reflect.DeepEqual(got, want) {
			t.Errorf("counts by day: %v, want %v", got, want)
		}
	})
}

// The breakdown lists costs, whatever their amount, and charged events; pages follow on each other.
func TestBillableEvents_AreOrderedAndPaged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		events := randomEvents(rand.New(rand.NewPCG(7, 1)), 60)
		for i := range events {
			events[i].Timestamp = events[i].Timestamp.Truncate(time.Hour)
			events[i].ID = xyra.EventID(1 + i/3)
			events[i].Kind = xyra.EventKind(1 + i%3)
		}
		record(t, db, events)
		span := xyra.Through(storetest.Start, storetest.Start.Add(2*time.Hour))
		var want []string
		slices.SortFunc(events, func(a, b xyra.Event) int {
			return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Kind, b.Kind))
		})
		for _, e := range events {
			if e.Agent == 1 && !e.Timestamp.After(storetest.Start.Add(2*time.Hour)) && (e.Kind == xyra.Cost || !e.Charge.IsZero()) {
				want = append(want, fmt.Sprint(e.Timestamp, e.ID, e.Kind, e.Charge, e.Quantity))
			}
		}
		var got []string
		for skip := int64(0); skip < 60; skip += 3 {
			page, err := db.BillableEvents(t.Context(), 1, 1, span, skip, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page {
				got = append(got, fmt.Sprint(e.Timestamp, e.ID, e.Kind, e.Charge, e.Quantity))
			}
		}
		if !slices.Equal(got, want) || len(want) < 4 {
			t.Errorf("pages hold\n%v\nwant\n%v", got, want)
		}
	})
}
