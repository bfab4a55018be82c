package xyra

import (
	"time"

	"xyra/money"
)

// Span is the time from From up to, but not including, To. It is empty unless To is after From.
type Span struct {
	From, To time.Time
}

// AllTime spans every instant an event may have.
func AllTime() Span { return Span{FromMicros(earliestMicros), FromMicros(latestMicros + 1)} }

// Through spans the instants from first to last, both included; instants are whole microseconds.
func Through(first, last time.Time) Span { return Span{first, last.Add(time.Microsecond)} }

// Empty tells whether no instant lies in the span.
func (s Span) Empty() bool { return !s.From.Before(s.To) }

// Edge is a part of an hour that a span cuts. The sum of its events is added to the sum of the whole hours, or
// subtracted from it.
type Edge struct {
	Span
	Subtracted bool
}

// Cut is a span as sums are read: whole UTC days and, before and after them, hours from the rollups, and at most two
// edges from the raw events. Unused parts are empty.
type Cut struct {
	Days  Span
	Hours [2]Span
	Edges [2]Edge
}

// Cut splits the span so that its parts make its exact sum. Of each hour that the span cuts it takes the side with less
// time in which there can be events: none is later than latest.
func (s Span) Cut(latest time.Time) Cut {
	hours, edges := s.cutHours(latest)
	cut := Cut{Hours: [2]Span{hours}, Edges: edges}
	days := Span{hours.From.Add(day - time.Hour).Truncate(day), hours.To.Truncate(day)}
	if !days.Empty() {
		cut.Days, cut.Hours = days, [2]Span{{hours.From, days.From}, {days.To, hours.To}}
	}
	return cut
}

const day = 24 * time.Hour

// cutHours splits the span into whole hours and edges.
func (s Span) cutHours(latest time.Time) (hours Span, edges [2]Edge) {
	if s.Empty() {
		return hours, edges
	}
	first, last := s.From.Truncate(time.Hour), s.To.Truncate(time.Hour)
	if first.Equal(last) {
		before, after := Span{first, s.From}, Span{s.To, first.Add(time.Hour)}
		if before.until(latest)+after.until(latest) < s.until(latest) {
			return Span{first, after.To}, [2]Edge{{before, true}, {after, true}}
		}
		return hours, [2]Edge{{s, false}}
	}
	hours = Span{first, last}
	if s.From.After(first) {
		inside, outside := Span{s.From, first.Add(time.Hour)}, Span{first, s.From}
		if outside.until(latest) < inside.until(latest) {
			edges[0] = Edge{outside, true}
		} else {
			edges[0], hours.From = Edge{inside, false}, inside.To
		}
	}
	if s.To.After(last) {
		inside, outside := Span{last, s.To}, Span{s.To, last.Add(time.Hour)}
		if outside.until(latest) < inside.until(latest) {
			edges[1], hours.To = Edge{outside, true}, outside.To
		} else {
			edges[1] = Edge{inside, false}
		}
	}
	return hours, edges
}

// until is how much of the span lies before latest.
func (s Span) until(latest time.Time) time.Duration {
	if s.To.After(latest) {
		s.To = latest
	}
	return max(s.To.Sub(s.From), 0)
}

// Totals is what events add up to in one currency.
type Totals struct {
	Amounts int64 // events that carry an amount: costs, outcomes and charged activities
	Costs   money.Decimal
	Charges money.Decimal
	Revenue money.Decimal // values of outcomes, verified or not
}

// Cost is all that was spent: recorded costs and charges.
func (t Totals) Cost() money.Decimal { return t.Costs.Add(t.Charges) }

// marginPlaces is how exact a ratio is emitted.
const marginPlaces = 12

// Margin is the part of the revenue that cost does not eat, rounded half away from zero to 12 places; without revenue
// it is 0.
func (t Totals) Margin() money.Decimal {
	if t.Revenue.Sign() <= 0 {
		return money.Decimal{}
	}
	return t.Revenue.Sub(t.Cost()).QuoHalfAway(t.Revenue, marginPlaces)
}

// Statistics is what events add up to, every currency for itself.
type Statistics struct {
	Activities int64                     // records, whatever their quantity or currency
	ByCurrency map[money.Currency]Totals // only currencies in which there is an amount
}

// SumUsage adds rows up; rows to subtract have negative counts and sums.
func SumUsage(rows []SpanUsage) Statistics {
	s := Statistics{ByCurrency: map[money.Currency]Totals{}}
	for _, u := range rows {
		t := s.ByCurrency[u.Currency]
		switch u.Kind {
		case Activity:
			s.Activities += u.Count
			t.Amounts += u.ChargedCount
		case Cost:
			t.Amounts += u.Count
			t.Costs = t.Costs.Add(u.Quantity)
		case Outcome:
			t.Amounts += u.Count
			t.Revenue = t.Revenue.Add(u.Quantity)
		}
		t.Charges = t.Charges.Add(u.Charge)
		s.ByCurrency[u.Currency] = t
	}
	for currency, t := range s.ByCurrency {
		if t.Amounts == 0 {
			delete(s.ByCurrency, currency)
		}
	}
	return s
}

// In is the part in one currency.
func (s Statistics) In(currency money.Currency) Totals { return s.ByCurrency[currency] }

// HasOther tells whether any amount is in another currency than this one.
func (s Statistics) HasOther(currency money.Currency) bool {
	_, own := s.ByCurrency[currency]
	return len(s.ByCurrency) > 1 || len(s.ByCurrency) == 1 && !own
}

// Metric is what agents are ranked by.
type Metric string

// The metrics, under the names clients give.
const (
	MetricMargin   Metric = "margin"
	MetricRevenue  Metric = "revenue"
	MetricCost     Metric = "cost"
	MetricActivity Metric = "activity"
)

// Known tells whether agents can be ranked by m.
func (m Metric) Known() bool {
	return m == MetricMargin || m == MetricRevenue || m == MetricCost || m == MetricActivity
}

// Of is the value an agent is ranked by: what is emitted, so that a reader finds the order by what he sees.
func (m Metric) Of(s Statistics, currency money.Currency) money.Decimal {
	switch m {
	case MetricRevenue:
		return s.In(currency).Revenue
	case MetricCost:
		return s.In(currency).Cost()
	case MetricActivity:
		return money.FromInt(s.Activities)
	}
	return s.In(currency).Margin()
}

// Percentage is what count is of total, in hundredths, rounded half away from zero to two places; total is not 0.
func Percentage(count, total int64) money.Decimal {
	return money.FromInt(count).Mul(money.FromInt(100)).QuoHalfAway(money.FromInt(total), 2)
}
