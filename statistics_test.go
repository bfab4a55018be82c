package xyra_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"xyra"
	"xyra/money"
)

// An hour or a day that a span cuts is read from its shorter side, and what is still to come costs nothing.
func TestCut_TakesTheCheaperSide(t *testing.T) {
	at := func(clock string) time.Time {
		moment, err := xyra.ParseTime("2024-05-15T" + clock)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	next := at("00:00").AddDate(0, 0, 1)
	span := func(from, to string) xyra.Span { return xyra.Span{From: at(from), To: at(to)} }
	added := func(from, to string) xyra.Part { return xyra.Part{Span: span(from, to)} }
	subtracted := func(from, to string) xyra.Part { return xyra.Part{Span: span(from, to), Subtracted: true} }
	for name, c := range map[string]struct {
		span   xyra.Span
		latest string
		want   xyra.Cut
	}{
		"whole hours":        {span("01:00", "03:00"), "23:00", xyra.Cut{Hours: [2]xyra.Part{added("01:00", "03:00")}}},
		"late start":         {span("01:50", "03:00"), "23:00", xyra.Cut{Hours: [2]xyra.Part{added("02:00", "03:00")}, Edges: [2]xyra.Part{added("01:50", "02:00")}}},
		"early start":        {span("01:10", "03:00"), "23:00", xyra.Cut{Hours: [2]xyra.Part{added("01:00", "03:00")}, Edges: [2]xyra.Part{subtracted("01:00", "01:10")}}},
		"early end":          {span("01:00", "03:10"), "23:00", xyra.Cut{Hours: [2]xyra.Part{added("01:00", "03:00")}, Edges: [2]xyra.Part{{}, added("03:00", "03:10")}}},
		"late end":           {span("01:00", "03:50"), "23:00", xyra.Cut{Hours: [2]xyra.Part{added("01:00", "04:00")}, Edges: [2]xyra.Part{{}, subtracted("03:50", "04:00")}}},
		"end is now":         {span("09:00", "11:10"), "11:15", xyra.Cut{Hours: [2]xyra.Part{added("09:00", "12:00")}, Edges: [2]xyra.Part{{}, subtracted("11:10", "12:00")}}},
		"little of an hour":  {span("01:20", "01:40"), "23:00", xyra.Cut{Edges: [2]xyra.Part{added("01:20", "01:40")}}},
		"most of an hour":    {span("01:05", "01:55"), "23:00", xyra.Cut{Hours: [2]xyra.Part{added("01:00", "02:00")}, Edges: [2]xyra.Part{subtracted("01:00", "01:05"), subtracted("01:55", "02:00")}}},
		"around a full hour": {span("01:50", "02:10"), "23:00", xyra.Cut{Edges: [2]xyra.Part{added("01:50", "02:00"), added("02:00", "02:10")}}},
		"most of a day": {span("02:00", "21:00"), "23:00", xyra.Cut{Days: xyra.Span{From: at("00:00"), To: next},
			Hours: [2]xyra.Part{subtracted("00:00", "02:00"), {Span: xyra.Span{From: at("21:00"), To: next}, Subtracted: true}}}},
		"most of today": {span("01:00", "03:10"), "03:15", xyra.Cut{Days: xyra.Span{From: at("00:00"), To: next},
			Hours: [2]xyra.Part{subtracted("00:00", "01:00"), {Span: xyra.Span{From: at("04:00"), To: next}, Subtracted: true}}, Edges: [2]xyra.Part{{}, subtracted("03:10", "04:00")}}},
		"days and little at both ends": {xyra.Span{From: at("20:00").AddDate(0, 0, -3), To: at("04:00")}, "23:00", xyra.Cut{Days: xyra.Span{From: at("00:00").AddDate(0, 0, -2), To: at("00:00")},
			Hours: [2]xyra.Part{{Span: xyra.Span{From: at("20:00").AddDate(0, 0, -3), To: at("00:00").AddDate(0, 0, -2)}}, added("00:00", "04:00")}}},
		"days and much at both ends": {xyra.Span{From: at("04:00").AddDate(0, 0, -3), To: at("20:00")}, "23:00", xyra.Cut{Days: xyra.Span{From: at("00:00").AddDate(0, 0, -3), To: next},
			Hours: [2]xyra.Part{{Span: xyra.Span{From: at("00:00").AddDate(0, 0, -3), To: at("04:00").AddDate(0, 0, -3)}, Subtracted: true}, {Span: xyra.Span{From: at("20:00"), To: next}, Subtracted: true}}}},
		"nothing":              {span("01:50", "01:50"), "23:00", xyra.Cut{}},
		"reversed":             {span("03:50", "01:50"), "23:00", xyra.Cut{}},
		"after the last event": {span("05:20", "06:10"), "03:00", xyra.Cut{Edges: [2]xyra.Part{added("05:20", "06:00"), added("06:00", "06:10")}}},
	} {
		if got := c.span.Cut(at(c.latest)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// However a span lies, the whole hours with its edges hold each of its instants once and no other.
func TestCut_HoldsEveryInstantOnce(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for _, start := range []time.Time{time.Date(2024, 5, 15, 12, 0, 0, 0, time.UTC), time.Date(1969, 12, 31, 22, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)} {
		for i := range 5000 {
			spread := int64(4)
			if i%2 == 0 {
				spread = 80 // hours, so that there are whole days
			}
			moment := func() time.Time {
				at := start.Add(time.Duration(random.Int64N(spread*int64(time.Hour/time.Microsecond))) * time.Microsecond)
				return at.Truncate([]time.Duration{time.Microsecond, time.Minute, 15 * time.Minute, time.Hour}[random.IntN(4)])
			}
			span, latest, event := xyra.Through(moment(), moment()), moment(), moment()
			cut := span.Cut(latest)
			times := 0
			for _, part := range []xyra.Part{{Span: cut.Days}, cut.Hours[0], cut.Hours[1], cut.Edges[0], cut.Edges[1]} {
				if holds(part.Span, event) && part.Subtracted {
					times--
				} else if holds(part.Span, event) {
					times++
				}
			}
			if (times == 1) != holds(span, event) || times != 0 && times != 1 {
				t.Fatalf("seed %d: %v, latest %v: %v counts %d times in %v", seed, span, latest, event, times, cut)
			}
		}
	}
}

func holds(s xyra.Span, at time.Time) bool { return !at.Before(s.From) && at.Before(s.To) }

// Margin is a ratio of the revenue, and of nothing else.
func TestMargin_NeedsRevenue(t *testing.T) {
	for _, c := range []struct{ revenue, costs, charges, want string }{
		{"0", "5", "0", "0.0"},
		{"-1", "5", "0", "0.0"},
		{"10", "0", "0", "1.0"},
		{"50", "0", "9.05", "0.819"},
		{"10", "20", "10", "-2.0"},
		{"3", "1", "0", "0.666666666667"},
		{"3", "7", "0", "-1.333333333333"},
	} {
		total := xyra.Totals{Revenue: money.MustParse(c.revenue), Costs: money.MustParse(c.costs), Charges: money.MustParse(c.charges)}
		if got := total.Margin().String(); got != c.want {
			t.Errorf("margin of revenue %s, costs %s, charges %s: %s, want %s", c.revenue, c.costs, c.charges, got, c.want)
		}
	}
}

// An uncharged activity counts but names no currency; a row that is subtracted leaves no trace.
func TestSumUsage_KeepsOnlyCurrenciesWithAmounts(t *testing.T) {
	one := money.FromInt(1)
	s := xyra.SumUsage([]xyra.SpanUsage{
		{Kind: xyra.Activity, Currency: "EUR", Count: 3, Quantity: one},
		{Kind: xyra.Activity, Currency: "USD", Count: 2, ChargedCount: 1, Quantity: one, Charge: one},
		{Kind: xyra.Cost, Currency: "JPY", Count: 1, Quantity: one},
		{Kind: xyra.Cost, Currency: "JPY", Count: -1, Quantity: one.Neg()},
	})
	if s.Activities != 5 || len(s.ByCurrency) != 1 || s.HasOther("USD") || !s.HasOther("EUR") {
		t.Errorf("got %+v", s)
	}
	s = xyra.SumUsage([]xyra.SpanUsage{{Kind: xyra.Outcome, Currency: "KWD", Count: 1}})
	if !s.HasOther("USD") {
		t.Error("an outcome of value 0 is an amount")
	}
}
