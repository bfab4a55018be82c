package billing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/pricing"
)

func number(text string) money.Decimal {
	d, err := money.ParseExact(text)
	if err != nil {
		panic(err)
	}
	return d
}

// single is a model with a single version.
func single(typ xyra.ModelType, components ...pricing.Component) map[xyra.BillingModelID][]xyra.Version {
	return map[xyra.BillingModelID][]xyra.Version{7: {{ID: 70, Model: 7, Type: typ, Components: components}}}
}

func used(period xyra.Period, agent xyra.AgentID, version xyra.VersionID, component int, quantity, charge string) xyra.PeriodUsage {
	return xyra.PeriodUsage{Period: period, Agent: agent, Version: version, Component: component, Currency: "USD", Quantity: number(quantity), Charge: number(charge)}
}

// What is billed, by what there is. Months run from the first to the first, UTC.
func TestDecide_LinesByCase(t *testing.T) {
	agent := func(change func(*xyra.Agent)) xyra.Agent {
		a := xyra.Agent{ID: 1, Name: "Bot", IsActive: true, BillingModel: 7}
		if change != nil {
			change(&a)
		}
		return a
	}
	plain := []xyra.Agent{agent(nil)}
	seats := func(frequency string) map[xyra.BillingModelID][]xyra.Version {
		return single(xyra.ModelSeat, pricing.Component{Kind: pricing.Seat, Price: number("10"), Frequency: frequency})
	}
	fee := pricing.Component{Kind: pricing.BaseFee, Price: number("50")}
	call := pricing.Component{Kind: pricing.Activity, Type: "call", Price: number("0.5")}
	packages := pricing.Component{Kind: pricing.Activity, Type: "call", Scheme: pricing.Package, PackageSize: number("100"), Price: number("3")}
	older := xyra.Version{ID: 70, Model: 7, Type: xyra.ModelActivity, Components: []pricing.Component{call}}
	newer := xyra.Version{ID: 71, Model: 7, Type: xyra.ModelHybrid, From: time.Date(2024, 5, 20, 0, 0, 0, 0, time.UTC), Components: []pricing.Component{fee, call}}
	for _, c := range []struct {
		name     string
		period   xyra.Period
		currency money.Currency
		agents   []xyra.Agent
		versions map[xyra.BillingModelID][]xyra.Version
		unbilled []xyra.PeriodUsage
		want     string
	}{
		{name: "a monthly seat, every month", agents: plain, versions: seats("monthly"), want: "Agent access: Bot - monthly subscription 1.0 x 10.0"},
		{name: "a quarterly seat outside its months", agents: plain, versions: seats("quarterly")},
		{name: "a quarterly seat in October", period: 202410, agents: plain, versions: seats("quarterly"), want: "Agent access: Bot - quarterly subscription 1.0 x 10.0"},
		{name: "a yearly seat in April", period: 202404, agents: plain, versions: seats("yearly")},
		{name: "a yearly seat in January", period: 202401, agents: plain, versions: seats("yearly"), want: "Agent access: Bot - yearly subscription 1.0 x 10.0"},
		{name: "seats of the config", agents: []xyra.Agent{agent(func(a *xyra.Agent) { a.Config = []byte(`{"seats":4}`) })}, versions: seats("monthly"), want: "Agent access: Bot - monthly subscription 4.0 x 10.0"},
		{name: "no seats", agents: []xyra.Agent{agent(func(a *xyra.Agent) { a.Config = []byte(`{"seats":0}`) })}, versions: seats("monthly")},
		{name: "an inactive agent has no fees", agents: []xyra.Agent{agent(func(a *xyra.Agent) { a.IsActive = false })}, versions: seats("monthly")},
		{name: "an archived agent has no fees", agents: []xyra.Agent{agent(func(a *xyra.Agent) { a.Archived = true })}, versions: seats("monthly")},
		{name: "no fees in another currency", currency: "EUR", agents: plain, versions: seats("monthly")},
		{name: "no model", agents: []xyra.Agent{agent(func(a *xyra.Agent) { a.BillingModel = 0 })}, versions: seats("monthly")},
		{name: "a free base fee", agents: plain, versions: single(xyra.ModelHybrid, pricing.Component{Kind: pricing.BaseFee}, call)},
		{name: "usage of an archived agent", agents: []xyra.Agent{agent(func(a *xyra.Agent) { a.Archived = true })}, versions: single(xyra.ModelHybrid, fee, call),
			unbilled: []xyra.PeriodUsage{used(202405, 1, 70, 1, "4", "2")}, want: "Agent usage: Bot - 4 call activities 4.0 x 0.5"},
		{name: "a package is charged whole", agents: plain, versions: single(xyra.ModelActivity, packages),
			unbilled: []xyra.PeriodUsage{used(202405, 1, 70, 0, "101", "6")}, want: "Agent usage: Bot - 101 activities 1.0 x 6.0"},
		{name: "the type of each version words its line", agents: plain, versions: map[xyra.BillingModelID][]xyra.Version{7: {older, newer}},
			unbilled: []xyra.PeriodUsage{used(202405, 1, 71, 1, "1", "0.5"), used(202405, 1, 70, 0, "2", "1")},
			want:     "Agent base fee: Bot 1.0 x 50.0; Agent usage: Bot - 2 activities 2.0 x 0.5; Agent usage: Bot - 1 call activities 1.0 x 0.5"},
		{name: "late months in their order, after all agents", agents: []xyra.Agent{agent(nil), agent(func(a *xyra.Agent) { a.ID, a.Name, a.BillingModel = 2, "Cat", 0 })},
			versions: single(xyra.ModelActivity, call),
			unbilled: []xyra.PeriodUsage{used(202312, 2, 70, 0, "1", "0.5"), used(202403, 1, 70, 0, "1", "0.5"), used(202405, 1, 70, 0, "1", "0.5"), used(202312, 1, 70, 0, "1", "0.5"), used(202405, 2, 70, 0, "1", "0.5")},
			want: "Agent usage: Bot - 1 activities 1.0 x 0.5; Agent usage: Cat - 1 activities 1.0 x 0.5; Agent usage: Bot - 1 activities (December 2023) 1.0 x 0.5; " +
				"Agent usage: Cat - 1 activities (December 2023) 1.0 x 0.5; Agent usage: Bot - 1 activities (March 2024) 1.0 x 0.5"},
		{name: "parts that sum to nothing", agents: plain, versions: single(xyra.ModelActivity, call), unbilled: []xyra.PeriodUsage{used(202405, 1, 70, 0, "-1", "-0.5")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := month{organization: xyra.Organization{Currency: "USD"}, period: 202405, currency: "USD", agents: c.agents, versions: c.versions, unbilled: c.unbilled}
			if c.period != 0 {
				m.period = c.period
			}
			if c.currency != "" {
				m.currency = c.currency
			}
			_, m.end = m.period.Span(time.UTC)
			drafts, err := m.decide()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range drafts {
				got = append(got, fmt.Sprintf("%s %s x %s", d.line.Description, d.line.Quantity, d.line.UnitPrice))
			}
			if text := strings.Join(got, "; "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
		})
	}
}

// Usage that names what does not exist is a fault, never a line that is silently left out.
func TestDecide_UnknownUsageIsAFault(t *testing.T) {
	m := month{organization: xyra.Organization{Currency: "USD"}, period: 202405, currency: "USD", agents: []xyra.Agent{{ID: 1}},
		versions: single(xyra.ModelActivity, pricing.Component{Kind: pricing.Activity, Type: "call", Price: number("1")})}
	for _, u := range []xyra.PeriodUsage{used(202405, 2, 70, 0, "1", "1"), used(202405, 1, 71, 0, "1", "1"), used(202405, 1, 70, 1, "1", "1"), used(202405, 1, 70, 0, "1", "2")} {
		m.unbilled = []xyra.PeriodUsage{u}
		if _, err := m.decide(); err == nil {
			t.Errorf("%+v was billed", u)
		}
	}
}
