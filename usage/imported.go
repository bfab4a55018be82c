package usage

import (
	"xyra"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
)

// ImportedRollups is what events that another program had recorded add to the rollups: hours and days take the charge
// that they came with, periods what their version prices, for that is what invoices bill. versions must name no prices
// that depend on a total.
func ImportedRollups(events []xyra.Event, versions map[xyra.VersionID]xyra.Version) store.Rollups {
	s := newSums()
	for _, e := range events {
		charged := appendParts(nil, versions[e.Version].Components, e.Kind, e.Type)
		charges := make([]money.Decimal, len(charged))
		for i, p := range charged {
			charges[i] = pricing.Rate(*p.component, e.Quantity)
		}
		s.add(e, charged, charges)
	}
	return s.sorted()
}
