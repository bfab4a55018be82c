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

// Part is a piece of a cut span. Its sum is added to that of the whole days, or subtracted from it.
type Part struct {
	Span
	Subtracted bool
}

// Cut is a span as sums are read: whole UTC days and, at their two ends, whole hours from the rollups and less than an hour from
// the raw events. Unused parts are empty.
type Cut struct {
	Days  Span
	Hours [2]Part
	Edges [2]Part
}

const day = 24 * time.Hour

// Cut splits the span so that its parts make its exact sum. Of each hour and each day that the span cuts it takes the side with
// less time in which there can be events: none is later than latest.
func (s Span) Cut(latest time.Time) (c Cut) {
	hours, edges := s.cut(time.Hour, latest)
	c.Edges = edges
	c.Days, c.Hours = hours.cut(day, latest)
	return c
}

// cut splits the span into whole units and what is added to them or subtracted at the two ends.
func (s Span) cut(unit time.Duration, latest time.Time) (whole Span, ends [2]Part) {
	if s.Empty() {
		return whole, ends
	}
	first, last := s.From.Truncate(unit), s.To.Truncate(unit)
	if first.Equal(last) {
		before, after := Span{first, s.From}, Span{s.To, first.Add(unit)}
		if before.until(latest)+after.until(latest) < s.until(latest) {
			return Span{first, after.To}, [2]Part{{before, true}, {after, true}}
		}
		return whole, [2]Part{{s, false}}
	}
	whole = Span{first, last}
	if s.From.After(first) {
		inside, outside := Span{s.From, first.Add(unit)}, Span{first, s.From}
		if outside.until(latest) < inside.until(latest) {
			ends[0] = Part{outside, true}
		} else {
			ends[0], whole.From = Part{inside, false}, inside.To
		}
	}
	if s.To.After(last) {
		inside, outside := Span{last, s.To}, Span{s.To, last.Add(unit)}
		if outside.until(latest) < inside.until(latest) {
			ends[1], whole.To = Part{outside, true}, outside.To
		} else {
			ends[1] = Part{inside, false}
		}
	}
	return whole, ends
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
