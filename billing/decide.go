package billing

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"xyra"
	"xyra/money"
	"xyra/pricing"
)

// The item types of lines that are not written by hand.
const (
	itemSubscription = "subscription"
	itemUsage        = "usage"
	itemOutcome      = "outcome"
)

// month is all that decides what a generated invoice bills.
type month struct {
	organization xyra.Organization
	period       xyra.Period
	start, end   time.Time // first instant of the period, and first one after it
	currency     money.Currency
	agents       []xyra.Agent // all there ever were
	versions     map[xyra.BillingModelID][]xyra.Version
	unbilled     []xyra.PeriodUsage // of the period and of earlier ones that were invoiced
	automatic    bool               // nobody has asked: agents made after the period owe no fees for it
}

// draft is a line with the usage that it bills.
type draft struct {
	line xyra.Line
	from []xyra.PeriodUsage
	fee  string // without usage: which fee it is, once for each agent and component
}

// decide makes the lines: by agent the fees of the period and its usage, then what earlier periods have gained since
// they were invoiced.
func (m month) decide() ([]draft, error) {
	groups, err := m.group()
	if err != nil {
		return nil, err
	}
	agents := slices.SortedFunc(slices.Values(m.agents), func(a, b xyra.Agent) int { return cmp.Compare(a.ID, b.ID) })
	var drafts []draft
	next := 0
	for _, a := range agents {
		drafts = append(drafts, m.fees(a)...)
		for ; next < len(groups) && groups[next].period == m.period && groups[next].agent.ID == a.ID; next++ {
			drafts = groups[next].appendTo(drafts, m)
		}
	}
	for _, g := range groups[next:] {
		drafts = g.appendTo(drafts, m)
	}
	return drafts, nil
}

// fees are the base fee and the seats of an agent that is in use when the invoice is made.
func (m month) fees(a xyra.Agent) (drafts []draft) {
	versions := m.versions[a.BillingModel]
	if !a.IsActive || a.Archived || len(versions) == 0 || m.currency != m.organization.Currency || m.automatic && !a.CreatedAt.Before(m.end) {
		return nil
	}
	version := xyra.VersionAt(versions, m.end.Add(-time.Microsecond))
	add := func(component int, description string, quantity money.Decimal) {
		c := version.Components[component]
		line := m.line(description, a, version.Model, m.period)
		line.ItemType = itemSubscription
		drafts = append(drafts, draft{line: m.priced(line, c, quantity, pricing.Rate(c, quantity)), fee: fmt.Sprintf("%d/%d", a.ID, component)})
	}
	for n, c := range version.Components {
		if c.Kind == pricing.BaseFee && c.Price.Sign() > 0 {
			add(n, "Agent base fee: "+a.Name, money.FromInt(1))
		}
	}
	for n, c := range version.Components {
		if c.Kind == pricing.Seat && pricing.SeatDue(c.Frequency, int(m.period.Month())) && a.Seats() > 0 {
			add(n, "Agent access: "+a.Name+" - "+c.Frequency+" subscription", money.FromInt(a.Seats()))
		}
	}
	return drafts
}

// line begins a line about an agent.
func (m month) line(description string, a xyra.Agent, model xyra.BillingModelID, period xyra.Period) xyra.Line {
	id, noun := int64(a.ID), "Agent"
	if period != m.period {
		description += " (" + period.Name() + ")"
	}
	return xyra.Line{Description: description, ReferenceID: &id, ReferenceType: &noun,
		Metadata: fmt.Appendf(nil, `{"billing_model_id":%d,"billing_period":"%s"}`, model, period)}
}

// priced completes a line: quantity at unit price where there is one, else one times the whole charge. Outcomes are a
// share of a value, and tiers have no unit price.
func (m month) priced(line xyra.Line, c pricing.Component, quantity, charge money.Decimal) xyra.Line {
	line.Quantity, line.UnitPrice = quantity, c.UnitPrice()
	if !c.Linear() || c.Kind == pricing.Outcome {
		line.Quantity, line.UnitPrice = money.FromInt(1), charge
	}
	line.Amount = m.currency.Round(line.Quantity.Mul(line.UnitPrice))
	return line
}
