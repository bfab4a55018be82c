package api

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"xyra"
	"xyra/money"
)

func (s *Server) analyticsRoutes() []*route {
	return []*route{
		{method: http.MethodGet, path: "/analytics/organization/{org_id}/summary", summary: "Totals of an organization", tag: "analytics", rights: anyCaller, operation: endpoint(s.analyticsSummary)},
		{method: http.MethodGet, path: "/analytics/organization/{org_id}/top-agents", summary: "Best agents of an organization", tag: "analytics", rights: anyCaller, operation: endpoint(s.topAgents)},
		{method: http.MethodGet, path: "/analytics/organization/{org_id}/activity-breakdown", summary: "Activities by type", tag: "analytics", rights: anyCaller, operation: endpoint(s.activityBreakdown)},
		{method: http.MethodGet, path: "/analytics/agent/{agent_id}/daily-metrics", summary: "An agent day by day", tag: "analytics", rights: anyCaller, operation: endpoint(s.dailyMetrics)},
		{method: http.MethodGet, path: "/organizations/{organization_id}/stats", summary: "An organization with the statistics of 30 days", tag: "organizations", rights: anyCaller, operation: endpoint(s.organizationStats)},
		{method: http.MethodGet, path: "/agents/{agent_id}/stats", summary: "An agent with its statistics of all time", tag: "agents", rights: anyCaller, operation: endpoint(s.agentStats)},
		{method: http.MethodGet, path: "/agents/{agent_id}/billing-summary", summary: "What an agent cost", tag: "agents", rights: anyCaller, operation: endpoint(s.billingSummary)},
	}
}

// rangeIn is an organization and the instants between which its events count, both included.
type rangeIn struct {
	Organization int64
	Start, End   *time.Time
}

func (in *rangeIn) params() []param {
	return []param{
		pathID("org_id", &in.Organization),
		queryTime("start_date", &in.Start).explained("First instant; 30 days ago if not given."),
		queryTime("end_date", &in.End).explained("Last instant; now if not given."),
	}
}

// period fills in what was not given.
func (in *rangeIn) period(now time.Time) periodOut {
	start, end := now.AddDate(0, 0, -statisticsDays), now
	if in.Start != nil {
		start = *in.Start
	}
	if in.End != nil {
		end = *in.End
	}
	return periodOut{instant(start), instant(end)}
}

type periodOut struct {
	Start instant `json:"start_date"`
	End   instant `json:"end_date"`
}

func (p periodOut) span() xyra.Span { return xyra.Through(time.Time(p.Start), time.Time(p.End)) }

// analysed reads the organization that analytics are about.
func (c *call) analysed(id int64) (xyra.Organization, error) {
	return c.namedOrganization(id, "Not enough permissions to access analytics for this organization")
}

type analyticsSummaryOut struct {
	Organization xyra.OrganizationID `json:"organization_id"`
	Name         string              `json:"organization_name"`
	Period       periodOut           `json:"period"`
	Metrics      metricsOut          `json:"metrics"`
	Agents       agentCountsOut      `json:"agents"`
}

type metricsOut struct {
	ActivityCount int64                          `json:"activity_count"`
	TotalCost     money.Decimal                  `json:"total_cost"`
	TotalRevenue  money.Decimal                  `json:"total_revenue"`
	Margin        money.Decimal                  `json:"margin"`
	RecordedCosts money.Decimal                  `json:"recorded_costs"`
	Charges       money.Decimal                  `json:"charges"`
	ByCurrency    map[money.Currency]currencyOut `json:"by_currency,omitempty"`
}

type currencyOut struct {
	TotalCost     money.Decimal `json:"total_cost"`
	RecordedCosts money.Decimal `json:"recorded_costs"`
	Charges       money.Decimal `json:"charges"`
	TotalRevenue  money.Decimal `json:"total_revenue"`
	Margin        money.Decimal `json:"margin"`
}

type agentCountsOut struct {
	Total  int64 `json:"total"`
	Active int64 `json:"active"`
}

func (s *Server) analyticsSummary(c *call, in *rangeIn) (analyticsSummaryOut, error) {
	organization, err := c.analysed(in.Organization)
	if err != nil {
		return analyticsSummaryOut{}, err
	}
	fleet, err := c.fleet(organization.ID)
	if err != nil {
		return analyticsSummaryOut{}, err
	}
	period := in.period(c.now)
	statistics, err := c.statistics(fleet, period.span())
	total := statistics.In(organization.Currency)
	return analyticsSummaryOut{
		Organization: organization.ID, Name: organization.Name, Period: period,
		Metrics: metricsOut{
			ActivityCount: statistics.Activities, TotalCost: total.Cost(), TotalRevenue: total.Revenue,
			Margin: total.Margin(), RecordedCosts: total.Costs, Charges: total.Charges,
			ByCurrency: byCurrency(statistics, organization.Currency, func(t xyra.Totals) currencyOut {
				return currencyOut{TotalCost: t.Cost(), RecordedCosts: t.Costs, Charges: t.Charges, TotalRevenue: t.Revenue, Margin: t.Margin()}
			}),
		},
		Agents: agentCountsOut{Total: int64(len(fleet.present)), Active: fleet.active},
	}, err
}

type topAgentsIn struct {
	rangeIn
	Metric string
	Limit  int64
}

func (in *topAgentsIn) params() []param {
	return append(in.rangeIn.params()[:1:1],
		queryText("metric", &in.Metric).byDefault(string(xyra.MetricMargin)).explained("margin, revenue, cost or activity."),
		queryInt("limit", &in.Limit).byDefault(5).min(1).max(1000),
		in.rangeIn.params()[1], in.rangeIn.params()[2])
}

type topAgentOut struct {
	Agent    xyra.AgentID       `json:"agent_id"`
	Name     string             `json:"name"`
	IsActive bool               `json:"is_active"`
	Metrics  topAgentMetricsOut `json:"metrics"`
}

type topAgentMetricsOut struct {
	ActivityCount int64         `json:"activity_count"`
	TotalCost     money.Decimal `json:"total_cost"`
	TotalRevenue  money.Decimal `json:"total_revenue"`
	Margin        money.Decimal `json:"margin"`
}

func (s *Server) topAgents(c *call, in *topAgentsIn) ([]topAgentOut, error) {
	organization, err := c.analysed(in.Organization)
	if err != nil {
		return nil, err
	}
	metric := xyra.Metric(in.Metric)
	if !metric.Known() {
		return nil, xyra.Invalid("Invalid metric: %s. Must be one of: margin, revenue, cost, activity", in.Metric)
	}
	fleet, err := c.fleet(organization.ID)
	if err != nil {
		return nil, err
	}
	ids := make([]xyra.AgentID, len(fleet.present))
	for i, a := range fleet.present {
		ids[i] = a.ID
	}
	rows, err := c.db().UsageByAgent(c.context(), organization.ID, ids, c.cut(in.period(c.now).span()))
	if err != nil {
		return nil, err
	}
	return rank(fleet.present, rows, metric, organization.Currency, in.Limit), nil
}

// rank puts the best agents first, agents without events included; equal ones stand by id.
func rank(agents []xyra.Agent, rows []xyra.SpanUsage, metric xyra.Metric, currency money.Currency, limit int64) []topAgentOut {
	usage := map[xyra.AgentID][]xyra.SpanUsage{}
	for _, u := range rows {
		usage[u.Agent] = append(usage[u.Agent], u)
	}
	type ranked struct {
		agent      xyra.Agent
		statistics xyra.Statistics
		value      money.Decimal
	}
	list := make([]ranked, len(agents))
	for i, a := range agents {
		statistics := xyra.SumUsage(usage[a.ID])
		list[i] = ranked{a, statistics, metric.Of(statistics, currency)}
	}
	slices.SortFunc(list, func(a, b ranked) int {
		return cmp.Or(b.value.Cmp(a.value), cmp.Compare(a.agent.ID, b.agent.ID))
	})
	best := make([]topAgentOut, min(limit, int64(len(list))))
	for i := range best {
		agent, total := list[i].agent, list[i].statistics.In(currency)
		best[i] = topAgentOut{Agent: agent.ID, Name: agent.Name, IsActive: agent.IsActive, Metrics: topAgentMetricsOut{
			ActivityCount: list[i].statistics.Activities, TotalCost: total.Cost(), TotalRevenue: total.Revenue, Margin: total.Margin()}}
	}
	return best
}

type breakdownOut struct {
	Organization    xyra.OrganizationID        `json:"organization_id"`
	Name            string                     `json:"organization_name"`
	Period          periodOut                  `json:"period"`
	TotalActivities int64                      `json:"total_activities"`
	ActivityTypes   map[string]activityTypeOut `json:"activity_types"`
}

type activityTypeOut struct {
	Count      int64         `json:"count"`
	Percentage money.Decimal `json:"percentage"`
}

func (s *Server) activityBreakdown(c *call, in *rangeIn) (breakdownOut, error) {
	organization, err := c.analysed(in.Organization)
	if err != nil {
		return breakdownOut{}, err
	}
	fleet, err := c.fleet(organization.ID)
	if err != nil {
		return breakdownOut{}, err
	}
	period := in.period(c.now)
	rows, err := c.db().UsageByType(c.context(), organization.ID, fleet.ever, c.cut(period.span()), xyra.Activity)
	out := breakdownOut{Organization: organization.ID, Name: organization.Name, Period: period, ActivityTypes: map[string]activityTypeOut{}}
	counts := map[string]int64{}
	for _, u := range rows {
		counts[u.Type] += u.Count
		out.TotalActivities += u.Count
	}
	for typ, count := range counts {
		if count != 0 {
			out.ActivityTypes[typ] = activityTypeOut{count, xyra.Percentage(count, out.TotalActivities)}
		}
	}
	return out, err
}

type dailyMetricsIn struct {
	Agent int64
	Days  int64
}

// daysMax bounds an answer to ten years of days.
const daysMax = 3660

func (in *dailyMetricsIn) params() []param {
	return []param{pathID("agent_id", &in.Agent), queryInt("days", &in.Days).byDefault(statisticsDays).max(daysMax)}
}

type dayOut struct {
	Date          string        `json:"date"`
	ActivityCount int64         `json:"activity_count"`
	Cost          money.Decimal `json:"cost"`
	Revenue       money.Decimal `json:"revenue"`
	Margin        money.Decimal `json:"margin"`
}

func (s *Server) dailyMetrics(c *call, in *dailyMetricsIn) ([]dayOut, error) {
	agent, err := c.agent(in.Agent)
	if err != nil {
		return nil, err
	}
	organization, err := c.db().Organization(c.context(), agent.Organization)
	if err != nil {
		return nil, err
	}
	list := []dayOut{}
	if in.Days < 0 {
		return list, nil
	}
	today := c.now.Truncate(24 * time.Hour)
	days := xyra.Span{From: today.AddDate(0, 0, -int(in.Days)), To: today.AddDate(0, 0, 1)}
	rows, err := c.db().UsageByDay(c.context(), agent.Organization, agent.ID, days)
	if err != nil {
		return nil, err
	}
	usage := map[int64][]xyra.SpanUsage{}
	for _, u := range rows {
		usage[xyra.Micros(u.From)] = append(usage[xyra.Micros(u.From)], u)
	}
	for day := days.From; day.Before(days.To); day = day.AddDate(0, 0, 1) {
		statistics := xyra.SumUsage(usage[xyra.Micros(day)])
		total := statistics.In(organization.Currency)
		list = append(list, dayOut{day.Format(time.DateOnly), statistics.Activities, total.Cost(), total.Revenue, total.Margin()})
	}
	return list, nil
}
