package xyra

import (
	"fmt"
	"time"
)

// Period is a calendar month written as year*100+month, for example 202403. Which instants it spans depends on the time zone.
type Period int32

// NewPeriod makes the period of a year (1 to 9999) and month (1 to 12).
func NewPeriod(year int, month time.Month) Period { return Period(year*100 + int(month)) }

// PeriodOf is the month that holds the instant in the zone.
func PeriodOf(at time.Time, zone *time.Location) Period {
	year, month, _ := at.In(zone).Date()
	return NewPeriod(year, month)
}

// Year is the calendar year.
func (p Period) Year() int { return int(p) / 100 }

// Month is the calendar month.
func (p Period) Month() time.Month { return time.Month(int(p) % 100) }

// Span is [from, to): the first instant of the month and the first instant of the next one in the zone.
func (p Period) Span(zone *time.Location) (from, to time.Time) {
	return firstInstant(p.Year(), p.Month(), zone), firstInstant(p.Year(), p.Month()+1, zone)
}

// firstInstant is the first moment at which the zone's calendar shows the month. time.Date alone is not enough: a
// midnight that a clock change skips or repeats may lie on either side of the border.
func firstInstant(year int, month time.Month, zone *time.Location) time.Time {
	want := PeriodOf(time.Date(year, month, 2, 0, 0, 0, 0, time.UTC), time.UTC)
	high := time.Date(year, month, 3, 0, 0, 0, 0, time.UTC)
	low := high.AddDate(0, 0, -4)
	for high.Sub(low) > time.Microsecond {
		middle := low.Add(high.Sub(low) / 2).Truncate(time.Microsecond)
		if PeriodOf(middle, zone) < want {
			low = middle
		} else {
			high = middle
		}
	}
	return high.UTC()
}

// String is the contract's form, without a leading zero: "2024-3".
func (p Period) String() string { return fmt.Sprintf("%d-%d", p.Year(), int(p.Month())) }

// Name is the form people read: "March 2024".
func (p Period) Name() string { return fmt.Sprintf("%s %d", p.Month(), p.Year()) }
