package usage

import (
	"context"
	"fmt"
	"slices"

	"xyra"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
)

// verifyPage is how many events are held in memory at once.
const verifyPage = 5000

// Verify recomputes the rollups and every charge from the raw events, on one snapshot, and returns a text for each row
// that differs. None means that the database adds up.
func Verify(ctx context.Context, db *store.DB) (faults []string, err error) {
	err = db.Snapshot(ctx, func(r store.Reader) error {
		organizations, err := r.OrganizationIDs(ctx)
		if err != nil {
			return err
		}
		for _, o := range organizations {
			found, err := verifyOrganization(ctx, r, o)
			if err != nil {
				return fmt.Errorf("verify organization %d: %w", o, err)
			}
			faults = append(faults, found...)
		}
		return nil
	})
	return faults, err
}

func verifyOrganization(ctx context.Context, r store.Reader, o xyra.OrganizationID) (faults []string, err error) {
	models, err := r.Versions(ctx, o)
	if err != nil {
		return nil, err
	}
	versions := map[xyra.VersionID]xyra.Version{}
	for _, list := range models {
		for _, v := range list {
			versions[v.ID] = v
		}
	}
	want := newSums()
	for _, kind := range []xyra.EventKind{xyra.Activity, xyra.Cost, xyra.Outcome} {
		for last := xyra.EventID(-1 << 62); ; {
			page, err := r.EventsAfter(ctx, o, kind, last, verifyPage)
			if err != nil {
				return nil, err
			}
			for _, e := range page {
				faults = append(faults, recount(want, versions[e.Version], e)...)
				last = e.ID
			}
			if len(page) < verifyPage {
				break
			}
		}
	}
	hours, err := r.HourUsages(ctx, o)
	if err != nil {
		return nil, err
	}
	days, err := r.DayUsages(ctx, o)
	if err != nil {
		return nil, err
	}
	periods, err := r.PeriodUsages(ctx, o)
	if err != nil {
		return nil, err
	}
	faults = append(faults, compareRollup("usage_hours", want.hours, hours)...)
	faults = append(faults, compareRollup("usage_days", want.days, days)...)
	return append(faults, want.comparePeriods(periods, versions)...), nil
}

// recount adds an event to the sums and checks its charge where that does not depend on other events. The charge of an
// imported event is a fact like its quantity; what its version prices is what invoices bill.
func recount(want sums, v xyra.Version, e xyra.Event) (faults []string) {
	charged := appendParts(nil, v.Components, e.Kind, e.Type)
	charges := make([]money.Decimal, len(charged))
	linear, sum := true, money.Decimal{}
	for i, p := range charged {
		if !p.component.Linear() {
			linear = false // its part of the charge is checked with the period's total
			continue
		}
		charges[i] = pricing.Rate(*p.component, e.Quantity)
		sum = sum.Add(charges[i])
	}
	if linear && !e.Imported() && !sum.Equal(e.Charge) {
		faults = append(faults, fmt.Sprintf("%s %d of organization %d: charge is %s, its version says %s", e.Kind, e.ID, e.Organization, e.Charge, sum))
	}
	want.add(e, charged, charges)
	return faults
}

// compareRollup takes from want what have has.
func compareRollup(table string, want map[spanKey]*xyra.SpanUsage, have []xyra.SpanUsage) (faults []string) {
	for _, h := range have {
		k := spanKey{h.Organization, h.Agent, h.From.Unix(), h.Kind, h.Type, h.Currency}
		w := want[k]
		delete(want, k)
		if w == nil || !w.From.Equal(h.From) { // the key knows whole seconds only
			w = &xyra.SpanUsage{}
		}
		if w.Count != h.Count || w.ChargedCount != h.ChargedCount || !w.Quantity.Equal(h.Quantity) || !w.Charge.Equal(h.Charge) {
			faults = append(faults, fmt.Sprintf("%s %s: has count %d, charged %d, quantity %s, charge %s; events say %d, %d, %s, %s", table, h.Name(),
				h.Count, h.ChargedCount, h.Quantity, h.Charge, w.Count, w.ChargedCount, w.Quantity, w.Charge))
		}
	}
	for _, w := range want {
		faults = append(faults, fmt.Sprintf("%s %s: is missing, events say count %d, quantity %s", table, w.Name(), w.Count, w.Quantity))
	}
	slices.Sort(faults)
	return faults
}

func (s sums) comparePeriods(have []xyra.PeriodUsage, versions map[xyra.VersionID]xyra.Version) (faults []string) {
	for _, p := range have {
		k := periodKey{p.Organization, p.Period, p.Agent, p.Version, p.Component, p.Currency}
		w := s.periods[k]
		delete(s.periods, k)
		if w == nil {
			w = &xyra.PeriodUsage{}
		}
		components := versions[p.Version].Components
		if p.Component >= len(components) {
			faults = append(faults, fmt.Sprintf("usage_periods %s: version %d has no such component", p.Name(), p.Version))
			continue
		}
		charge := pricing.Rate(components[p.Component], w.Quantity)
		if !w.Quantity.Equal(p.Quantity) || !charge.Equal(p.Charge) {
			faults = append(faults, fmt.Sprintf("usage_periods %s: has quantity %s, charge %s; events say %s, %s", p.Name(), p.Quantity, p.Charge, w.Quantity, charge))
		}
	}
	for _, w := range s.periods {
		faults = append(faults, fmt.Sprintf("usage_periods %s: is missing, events say quantity %s", w.Name(), w.Quantity))
	}
	slices.Sort(faults)
	return faults
}
