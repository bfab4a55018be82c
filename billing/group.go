package billing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"xyra"
	"xyra/money"
	"xyra/pricing"
)

// group is usage that one line bills: equal period, agent, model, component and price, over any number of versions.
type group struct {
	period    xyra.Period
	agent     xyra.Agent
	version   xyra.Version // the earliest of them
	component pricing.Component
	rank      int // of the component among those of its kind in the model
	from      []xyra.PeriodUsage
	quantity  money.Decimal
	charge    money.Decimal
}

// place tells the same component in two versions of a model: the first, second … of its kind and type.
type place struct {
	kind       pricing.Kind
	typ        string
	occurrence int
}

type groupKey struct {
	period  xyra.Period
	agent   xyra.AgentID
	model   xyra.BillingModelID
	wording xyra.ModelType
	place   place
	price   string
}

// group sums the unbilled usage into lines-to-be, in the order of the invoice: this period first, then by month; by
// agent, kind of component, component and version.
func (m month) group() ([]*group, error) {
	agents := map[xyra.AgentID]xyra.Agent{}
	for _, a := range m.agents {
		agents[a.ID] = a
	}
	versions := map[xyra.VersionID]xyra.Version{}
	for _, list := range m.versions {
		for _, v := range list {
			versions[v.ID] = v
		}
	}
	byKey := map[groupKey]*group{}
	var groups []*group
	for _, u := range m.unbilled {
		a, known := agents[u.Agent]
		v, priced := versions[u.Version]
		if !known || !priced || u.Component >= len(v.Components) {
			return nil, fmt.Errorf("usage of %s: agent %d, version %d, component %d is unknown", u.Period, u.Agent, u.Version, u.Component)
		}
		c := v.Components[u.Component]
		at := placeOf(v, u.Component)
		key := groupKey{u.Period, u.Agent, v.Model, v.Type, at, priceText(c)}
		g := byKey[key]
		if g == nil {
			g = &group{period: u.Period, agent: a, version: v, component: c, rank: rankOf(m.versions[v.Model], at)}
			byKey[key], groups = g, append(groups, g)
		}
		if compareVersions(v, g.version) < 0 {
			g.version = v
		}
		g.from, g.quantity, g.charge = append(g.from, u), g.quantity.Add(u.Quantity), g.charge.Add(u.Charge)
	}
	for _, g := range groups {
		if g.component.Linear() && !pricing.Rate(g.component, g.quantity).Equal(g.charge) {
			return nil, fmt.Errorf("usage of %s: agent %d: %s at %s is not %s", g.period, g.agent.ID, g.quantity, g.component.Price, g.charge)
		}
	}
	slices.SortFunc(groups, m.compareGroups)
	return groups, nil
}

// appendTo adds the group's line. What corrections have made negative waits, unbilled, until it is positive again.
func (g *group) appendTo(drafts []draft, m month) []draft {
	if g.quantity.Sign() <= 0 || g.charge.Sign() < 0 {
		return drafts
	}
	line := m.line(g.describe(), g.agent, g.version.Model, g.period)
	line.ItemType = itemUsage
	if g.component.Kind == pricing.Outcome {
		line.ItemType = itemOutcome
	}
	return append(drafts, draft{line: m.priced(line, g.component, g.quantity, g.charge), from: g.from})
}

// describe words the line as the type of its version asks: hybrid models name the component's type.
func (g *group) describe() string {
	named := g.version.Type == xyra.ModelHybrid
	if g.component.Kind != pricing.Outcome {
		text := "Agent usage: " + g.agent.Name + " - " + g.quantity.Plain()
		if named {
			text += " " + g.component.Type
		}
		return text + " activities"
	}
	text := "Agent outcomes: " + g.agent.Name + " - "
	if g.component.Linear() {
		text += g.component.Price.String() + "% of "
	}
	text += g.quantity.String()
	if named {
		text += " " + g.component.Type
	}
	return text
}

func (m month) compareGroups(a, b *group) int {
	late := func(g *group) xyra.Period {
		if g.period == m.period {
			return 0
		}
		return g.period
	}
	kind := func(g *group) int { return slices.Index(kinds, g.component.Kind) }
	return cmp.Or(cmp.Compare(late(a), late(b)), cmp.Compare(a.agent.ID, b.agent.ID), cmp.Compare(kind(a), kind(b)),
		cmp.Compare(a.rank, b.rank), compareVersions(a.version, b.version), cmp.Compare(a.component.Type, b.component.Type))
}

// kinds are the kinds of components in the order of an invoice.
var kinds = []pricing.Kind{pricing.BaseFee, pricing.Seat, pricing.Activity, pricing.Outcome}

func compareVersions(a, b xyra.Version) int {
	return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.ID, b.ID))
}

func placeOf(v xyra.Version, component int) place {
	c := v.Components[component]
	at := place{kind: c.Kind, typ: c.Type}
	for _, before := range v.Components[:component] {
		if before.Kind == c.Kind && before.Type == c.Type {
			at.occurrence++
		}
	}
	return at
}

// rankOf counts the places of the same kind that a model had before this one. Walking all versions keeps a component
// where it first stood, wherever a later edit moved it.
func rankOf(versions []xyra.Version, of place) int {
	seen := map[place]bool{}
	for _, v := range versions {
		for i, c := range v.Components {
			if c.Kind != of.kind {
				continue
			}
			at := placeOf(v, i)
			if at == of {
				return len(seen)
			}
			seen[at] = true
		}
	}
	return len(seen)
}

// priceText is equal for components of equal price.
func priceText(c pricing.Component) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s %s", c.Scheme, c.Price.Canonical(), c.PackageSize.Canonical())
	for _, tier := range c.Tiers {
		end := "end"
		if tier.UpTo != nil {
			end = tier.UpTo.Canonical()
		}
		fmt.Fprintf(&text, " %s:%s+%s", end, tier.Price.Canonical(), tier.Flat.Canonical())
	}
	return text.String()
}
