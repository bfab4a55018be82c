package api

import (
	"xyra"
	"xyra/money"
)

// statisticsDays is how far back statistics look when no start is given.
const statisticsDays = 30

// cut splits a span for reading; no event is later than the clock allows.
func (c *call) cut(span xyra.Span) xyra.Cut { return span.Cut(c.now.Add(futureMax)) }

type agentIn struct {
	Agent int64
}

func (in *agentIn) params() []param { return []param{pathID("agent_id", &in.Agent)} }

type agentStatsOut struct {
	agentOut
	ActivityCount int64                               `json:"activity_count"`
	TotalCost     money.Decimal                       `json:"total_cost"`
	TotalOutcomes money.Decimal                       `json:"total_outcomes_value"`
	Margin        money.Decimal                       `json:"margin"`
	RecordedCosts money.Decimal                       `json:"recorded_costs"`
	Charges       money.Decimal                       `json:"charges"`
	ByCurrency    map[money.Currency]agentCurrencyOut `json:"by_currency,omitempty"`
}

type agentCurrencyOut struct {
	TotalCost     money.Decimal `json:"total_cost"`
	RecordedCosts money.Decimal `json:"recorded_costs"`
	Charges       money.Decimal `json:"charges"`
	TotalOutcomes money.Decimal `json:"total_outcomes_value"`
	Margin        money.Decimal `json:"margin"`
}

// agentStats covers all time, so it reads nothing but rollups.
func (s *Server) agentStats(c *call, in *agentIn) (agentStatsOut, error) {
	agent, err := c.agent(in.Agent)
	if err != nil {
		return agentStatsOut{}, err
	}
	organization, err := c.db().Organization(c.context(), agent.Organization)
	if err != nil {
		return agentStatsOut{}, err
	}
	rows, err := c.db().UsageTotal(c.context(), agent.Organization, []xyra.AgentID{agent.ID}, c.cut(xyra.AllTime()))
	if err != nil {
		return agentStatsOut{}, err
	}
	statistics := xyra.SumUsage(rows)
	total := statistics.In(organization.Currency)
	return agentStatsOut{
		agentOut: newAgentOut(agent), ActivityCount: statistics.Activities,
		TotalCost: total.Cost(), TotalOutcomes: total.Revenue, Margin: total.Margin(), RecordedCosts: total.Costs, Charges: total.Charges,
		ByCurrency: byCurrency(statistics, organization.Currency, func(t xyra.Totals) agentCurrencyOut {
			return agentCurrencyOut{TotalCost: t.Cost(), RecordedCosts: t.Costs, Charges: t.Charges, TotalOutcomes: t.Revenue, Margin: t.Margin()}
		}),
	}, nil
}

// byCurrency shows every currency for itself when any amount is in another than the billing currency, else nothing.
func byCurrency[Out any](statistics xyra.Statistics, billing money.Currency, show func(xyra.Totals) Out) map[money.Currency]Out {
	if !statistics.HasOther(billing) {
		return nil
	}
	out := map[money.Currency]Out{}
	for currency, total := range statistics.ByCurrency {
		out[currency] = show(total)
	}
	return out
}

type organizationStatsIn struct {
	Organization int64
}

func (in *organizationStatsIn) params() []param {
	return []param{pathID("organization_id", &in.Organization)}
}

type organizationStatsOut struct {
	organizationOut
	AgentCount       int64                                      `json:"agent_count"`
	ActiveAgentCount int64                                      `json:"active_agent_count"`
	MonthlyCost      money.Decimal                              `json:"monthly_cost"`
	MonthlyRevenue   money.Decimal                              `json:"monthly_revenue"`
	RecordedCosts    money.Decimal                              `json:"recorded_costs"`
	Charges          money.Decimal                              `json:"charges"`
	ByCurrency       map[money.Currency]organizationCurrencyOut `json:"by_currency,omitempty"`
}

type organizationCurrencyOut struct {
	MonthlyCost    money.Decimal `json:"monthly_cost"`
	MonthlyRevenue money.Decimal `json:"monthly_revenue"`
	RecordedCosts  money.Decimal `json:"recorded_costs"`
	Charges        money.Decimal `json:"charges"`
}

func (s *Server) organizationStats(c *call, in *organizationStatsIn) (organizationStatsOut, error) {
	if !c.caller.Reaches(xyra.OrganizationID(in.Organization)) {
		return organizationStatsOut{}, xyra.NotFound("Organization")
	}
	organization, err := c.db().Organization(c.context(), xyra.OrganizationID(in.Organization))
	if err != nil {
		return organizationStatsOut{}, err
	}
	fleet, err := c.fleet(organization.ID)
	if err != nil {
		return organizationStatsOut{}, err
	}
	statistics, err := c.statistics(fleet, xyra.Through(c.now.AddDate(0, 0, -statisticsDays), c.now))
	if err != nil {
		return organizationStatsOut{}, err
	}
	total := statistics.In(organization.Currency)
	return organizationStatsOut{
		organizationOut: newOrganizationOut(organization), AgentCount: int64(len(fleet.present)), ActiveAgentCount: fleet.active,
		MonthlyCost: total.Cost(), MonthlyRevenue: total.Revenue, RecordedCosts: total.Costs, Charges: total.Charges,
		ByCurrency: byCurrency(statistics, organization.Currency, func(t xyra.Totals) organizationCurrencyOut {
			return organizationCurrencyOut{MonthlyCost: t.Cost(), MonthlyRevenue: t.Revenue, RecordedCosts: t.Costs, Charges: t.Charges}
		}),
	}, nil
}

// fleet is an organization's agents as statistics need them.
type fleet struct {
	organization xyra.OrganizationID
	ever         []xyra.AgentID // archived ones too: their usage keeps counting
	present      []xyra.Agent   // not archived
	active       int64          // of those present
}

func (c *call) fleet(organization xyra.OrganizationID) (fleet, error) {
	agents, err := c.db().Fleet(c.context(), organization)
	f := fleet{organization: organization}
	for _, a := range agents {
		f.ever = append(f.ever, a.ID)
		if a.Archived {
			continue
		}
		f.present = append(f.present, a)
		if a.IsActive {
			f.active++
		}
	}
	return f, err
}

// statistics adds up what the whole fleet did in a span.
func (c *call) statistics(f fleet, span xyra.Span) (xyra.Statistics, error) {
	rows, err := c.db().UsageTotal(c.context(), f.organization, f.ever, c.cut(span))
	return xyra.SumUsage(rows), err
}
