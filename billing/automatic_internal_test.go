package billing

import (
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
)

func TestDueOf_LeavesOutWhatEverHadAnInvoice(t *testing.T) {
	p := func(period xyra.Period, currency money.Currency) store.PeriodCurrency {
		return store.PeriodCurrency{Period: period, Currency: currency}
	}
	for _, c := range []struct {
		name                string
		unbilled, generated []store.PeriodCurrency
		since               xyra.Period
		want                []store.PeriodCurrency
	}{
		{name: "nothing"},
		{name: "latest and earlier, each currency", unbilled: []store.PeriodCurrency{p(202404, "EUR"), p(202401, "USD"), p(202404, "USD")},
			want: []store.PeriodCurrency{p(202401, "USD"), p(202404, "EUR"), p(202404, "USD")}},
		{name: "late usage goes on the latest", unbilled: []store.PeriodCurrency{p(202402, "USD")}, generated: []store.PeriodCurrency{p(202402, "USD")},
			want: []store.PeriodCurrency{p(202404, "USD")}},
		{name: "late usage waits for the next month", unbilled: []store.PeriodCurrency{p(202402, "USD")}, generated: []store.PeriodCurrency{p(202402, "USD"), p(202404, "USD")}},
		{name: "fees and usage once", unbilled: []store.PeriodCurrency{p(202404, "USD"), p(202404, "USD")}, want: []store.PeriodCurrency{p(202404, "USD")}},
		{name: "not before since", unbilled: []store.PeriodCurrency{p(202402, "USD"), p(202403, "USD")}, since: 202403, want: []store.PeriodCurrency{p(202403, "USD")}},
	} {
		got := dueOf(c.unbilled, c.generated, 202404, c.since)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
			continue
		}
		for n := range got {
			if got[n] != c.want[n] {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	}
}

func TestLatestOver_IsTheLocalMonthBefore(t *testing.T) {
	for zone, want := range map[string]xyra.Period{"UTC": 202311, "Pacific/Kiritimati": 202312, "Pacific/Pago_Pago": 202311} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := latestOver(time.Date(2023, 12, 31, 12, 0, 0, 0, time.UTC), location); got != want {
			t.Errorf("%s: %s, want %s", zone, got, want)
		}
	}
}

func TestDoubt_FindsEachKindOfFault(t *testing.T) {
	amount := func(units int64) xyra.Line { return xyra.Line{Description: "L", Amount: money.FromInt(units)} }
	usage := func(component int) []xyra.PeriodUsage {
		return []xyra.PeriodUsage{{Period: 202404, Agent: 1, Version: 2, Component: component, Currency: "USD"}}
	}
	earlier := []money.Decimal{money.FromInt(5), money.FromInt(10), money.FromInt(7)}
	for _, c := range []struct {
		name    string
		drafts  []draft
		earlier []money.Decimal
		want    string
	}{
		{name: "sound", drafts: []draft{{line: amount(40), from: usage(0)}, {line: amount(30), from: usage(1)}, {line: amount(30), fee: "1/0"}}, earlier: earlier},
		{name: "usage twice", drafts: []draft{{line: amount(1), from: usage(0)}, {line: amount(1), from: usage(0)}}, want: "billed by two lines"},
		{name: "fee twice", drafts: []draft{{line: amount(1), fee: "1/0"}, {line: amount(1), fee: "1/0"}}, want: "charged twice"},
		{name: "neither", drafts: []draft{{line: amount(1)}}, want: "charged twice"},
		{name: "below zero", drafts: []draft{{line: amount(-1), fee: "1/0"}}, want: "is -1"},
		{name: "too much", drafts: []draft{{line: amount(101), fee: "1/0"}}, earlier: earlier, want: "more than 10 times"},
		{name: "too few to compare", drafts: []draft{{line: amount(101), fee: "1/0"}}, earlier: earlier[:2]},
		{name: "only zeros before", drafts: []draft{{line: amount(101), fee: "1/0"}}, earlier: make([]money.Decimal, 4)},
	} {
		err := month{currency: "USD"}.doubt(c.drafts, c.earlier, 10)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
