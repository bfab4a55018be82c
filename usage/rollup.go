package usage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"xyra"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
)

// hourKey and periodKey are the keys of the two rollups.
type hourKey struct {
	organization xyra.OrganizationID
	agent        xyra.AgentID
	hour         int64
	kind         xyra.EventKind
	typ          string
	currency     money.Currency
}

type periodKey struct {
	organization xyra.OrganizationID
	period       xyra.Period
	agent        xyra.AgentID
	version      xyra.VersionID
	component    int
	currency     money.Currency
}

func compareHours(a, b xyra.HourUsage) int {
	return cmp.Or(cmp.Compare(a.Organization, b.Organization), cmp.Compare(a.Agent, b.Agent), a.Hour.Compare(b.Hour), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Type, b.Type), cmp.Compare(a.Currency, b.Currency))
}

func comparePeriods(a, b xyra.PeriodUsage) int {
	return cmp.Or(cmp.Compare(a.Organization, b.Organization), cmp.Compare(a.Period, b.Period), cmp.Compare(a.Agent, b.Agent),
		cmp.Compare(a.Version, b.Version), cmp.Compare(a.Component, b.Component), cmp.Compare(a.Currency, b.Currency))
}

// sums collects what events add to both rollups.
type sums struct {
	hours   map[hourKey]*xyra.HourUsage
	periods map[periodKey]*xyra.PeriodUsage
}

func newSums() sums {
	return sums{map[hourKey]*xyra.HourUsage{}, map[periodKey]*xyra.PeriodUsage{}}
}

// add counts one event. charges are what each of its parts charged.
func (s sums) add(e xyra.Event, parts []part, charges []money.Decimal) {
	hour := e.Timestamp.Truncate(time.Hour)
	hk := hourKey{e.Organization, e.Agent, hour.Unix(), e.Kind, e.Type, e.Currency}
	h := s.hours[hk]
	if h == nil {
		h = &xyra.HourUsage{Organization: e.Organization, Agent: e.Agent, Hour: hour, Kind: e.Kind, Type: e.Type, Currency: e.Currency}
		s.hours[hk] = h
	}
	h.Count++
	if !e.Charge.IsZero() {
		h.ChargedCount++
	}
	h.Quantity, h.Charge = h.Quantity.Add(e.Quantity), h.Charge.Add(e.Charge)
	for i, p := range parts {
		pk := periodKey{e.Organization, e.Period, e.Agent, e.Version, p.index, e.Currency}
		u := s.periods[pk]
		if u == nil {
			u = &xyra.PeriodUsage{Organization: e.Organization, Period: e.Period, Agent: e.Agent, Version: e.Version, Component: p.index, Currency: e.Currency}
			s.periods[pk] = u
		}
		u.Quantity, u.Charge = u.Quantity.Add(e.Quantity), u.Charge.Add(charges[i])
	}
}

// sorted returns both rollups in key order.
func (s sums) sorted() (hours []xyra.HourUsage, periods []xyra.PeriodUsage) {
	for _, h := range s.hours {
		hours = append(hours, *h)
	}
	for _, p := range s.periods {
		periods = append(periods, *p)
	}
	slices.SortFunc(hours, compareHours)
	slices.SortFunc(periods, comparePeriods)
	return hours, periods
}

// rollups is what a batch of new events adds.
func rollups(entries []*entry) (hours []xyra.HourUsage, periods []xyra.PeriodUsage, seen []store.AgentSeen) {
	s := newSums()
	for _, e := range entries {
		s.add(e.event, e.parts, e.charges())
		if e.event.Kind == xyra.Activity {
			seen = append(seen, store.AgentSeen{Organization: e.event.Organization, Agent: e.event.Agent})
		}
	}
	slices.SortFunc(seen, func(a, b store.AgentSeen) int {
		return cmp.Or(cmp.Compare(a.Organization, b.Organization), cmp.Compare(a.Agent, b.Agent))
	})
	hours, periods = s.sorted()
	return hours, periods, slices.Compact(seen)
}

// charges are what each part of an entry charges: tiered ones were computed under the lock of their total.
func (e *entry) charges() []money.Decimal {
	list := make([]money.Decimal, len(e.parts))
	for i, p := range e.parts {
		if p.component.Linear() {
			list[i] = pricing.Rate(p.component, e.event.Quantity)
		} else {
			list[i] = e.tiered[i]
		}
	}
	return list
}

func (e *entry) periodKey(p part) periodKey {
	return periodKey{e.event.Organization, e.event.Period, e.event.Agent, e.event.Version, p.index, e.event.Currency}
}

// tieredKeys are the usage rows whose running total a price of this batch depends on, in key order.
func tieredKeys(entries []*entry) []xyra.PeriodUsage {
	s := newSums()
	for _, e := range entries {
		for _, p := range e.parts {
			if !p.component.Linear() {
				k := e.periodKey(p)
				s.periods[k] = &xyra.PeriodUsage{Organization: k.organization, Period: k.period, Agent: k.agent, Version: k.version,
					Component: k.component, Currency: k.currency}
			}
		}
	}
	_, keys := s.sorted()
	return keys
}

// chargeTiered locks the running totals that tiered prices depend on and charges every event the difference it makes.
func chargeTiered(ctx context.Context, rec *store.Recording, entries []*entry) error {
	keys := tieredKeys(entries)
	if len(keys) == 0 {
		return nil
	}
	locked, err := rec.PeriodTotals(ctx, keys)
	if err != nil {
		return err
	}
	totals := map[periodKey]money.Decimal{}
	for i, k := range keys {
		totals[periodKey{k.Organization, k.Period, k.Agent, k.Version, k.Component, k.Currency}] = locked[i]
	}
	for _, e := range entries {
		e.tiered = make([]money.Decimal, len(e.parts))
		for i, p := range e.parts {
			if p.component.Linear() {
				continue
			}
			k := e.periodKey(p)
			e.tiered[i] = pricing.Charge(p.component, totals[k], e.event.Quantity)
			totals[k] = totals[k].Add(e.event.Quantity)
			e.event.Charge = e.event.Charge.Add(e.tiered[i])
		}
	}
	return nil
}
