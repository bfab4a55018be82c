package api

import (
	"encoding/json"
	"maps"
	"time"

	"xyra"
	"xyra/money"
)

type billingSummaryIn struct {
	Agent       int64
	Start, End  *string
	Skip, Limit int64
}

func (in *billingSummaryIn) params() []param {
	return []param{
		pathID("agent_id", &in.Agent),
		queryText("start_date", &in.Start).explained("First instant; without it everything before the end counts."),
		queryText("end_date", &in.End).explained("Last instant; without it everything after the start counts."),
		queryInt("skip", &in.Skip).byDefault(0).min(0).explained("Pages cost_breakdown only."),
		queryInt("limit", &in.Limit).byDefault(1000).min(1).max(1000).explained("Pages cost_breakdown only."),
	}
}

// dateText reads a date that a summary's query gives as a text; a missing one is nil.
func dateText(name string, text *string) (*time.Time, error) {
	if text == nil {
		return nil, nil
	}
	at, err := xyra.ParseTime(*text)
	if err != nil {
		return nil, xyra.Invalid("Invalid %s format. Use ISO format (e.g., 2023-01-01T00:00:00Z)", name)
	}
	return &at, nil
}

type billingSummaryOut struct {
	Agent         xyra.AgentID                          `json:"agent_id"`
	Name          string                                `json:"agent_name"`
	BillingModel  summaryModelOut                       `json:"billing_model"`
	Period        openPeriodOut                         `json:"period"`
	TotalCost     money.Decimal                         `json:"total_cost"`
	CostByType    map[string]typeTotalOut               `json:"cost_by_type"`
	CostBreakdown []costEntryOut                        `json:"cost_breakdown"`
	ActivityStats map[string]typeCostOut                `json:"activity_stats"`
	WorkflowStats struct{}                              `json:"workflow_stats"`
	OutcomeStats  map[string]typeCostOut                `json:"outcome_stats"`
	ByCurrency    map[money.Currency]summaryCurrencyOut `json:"by_currency,omitempty"`
}

type summaryModelOut struct {
	ID   *xyra.BillingModelID `json:"id"`
	Name *string              `json:"name"`
	Type *xyra.ModelType      `json:"type"`
}

type openPeriodOut struct {
	Start *instant `json:"start_date"`
	End   *instant `json:"end_date"`
}

type typeTotalOut struct {
	Total money.Decimal `json:"total"`
	Count int64         `json:"count"`
}

type typeCostOut struct {
	Total money.Decimal `json:"total_cost"`
	Count int64         `json:"count"`
}

type costEntryOut struct {
	ID        xyra.EventID    `json:"id"`
	Type      string          `json:"type"`
	Amount    money.Decimal   `json:"amount"`
	Currency  money.Currency  `json:"currency"`
	Timestamp instant         `json:"timestamp"`
	Details   json.RawMessage `json:"details"`
}

type summaryCurrencyOut struct {
	TotalCost     money.Decimal `json:"total_cost"`
	RecordedCosts money.Decimal `json:"recorded_costs"`
	Charges       money.Decimal `json:"charges"`
}

func (s *Server) billingSummary(c *call, in *billingSummaryIn) (billingSummaryOut, error) {
	start, err := dateText("start_date", in.Start)
	if err != nil {
		return billingSummaryOut{}, err
	}
	end, err := dateText("end_date", in.End)
	if err != nil {
		return billingSummaryOut{}, err
	}
	agent, err := c.agent(in.Agent)
	if err != nil {
		return billingSummaryOut{}, err
	}
	organization, err := c.db().Organization(c.context(), agent.Organization)
	if err != nil {
		return billingSummaryOut{}, err
	}
	model, err := c.summaryModel(agent)
	if err != nil {
		return billingSummaryOut{}, err
	}
	span := xyra.AllTime()
	if start != nil {
		span.From = *start
	}
	if end != nil {
		span.To = xyra.Through(*end, *end).To
	}
	rows, err := c.db().UsageByType(c.context(), agent.Organization, []xyra.AgentID{agent.ID}, c.cut(span),
		xyra.Activity, xyra.Cost, xyra.Outcome)
	if err != nil {
		return billingSummaryOut{}, err
	}
	events, err := c.db().BillableEvents(c.context(), agent.Organization, agent.ID, span, in.Skip, in.Limit)
	out := billingSummaryOut{
		Agent: agent.ID, Name: agent.Name, BillingModel: model, Period: openPeriodOut{instantOrNil(start), instantOrNil(end)},
		CostByType: map[string]typeTotalOut{}, CostBreakdown: make([]costEntryOut, len(events)),
		ActivityStats: map[string]typeCostOut{}, OutcomeStats: map[string]typeCostOut{},
	}
	for i, e := range events {
		out.CostBreakdown[i] = newCostEntryOut(e)
	}
	out.sum(rows, organization.Currency)
	return out, err
}

func (c *call) summaryModel(agent xyra.Agent) (summaryModelOut, error) {
	if agent.BillingModel == 0 {
		return summaryModelOut{}, nil
	}
	model, err := c.db().BillingModel(c.context(), agent.Organization, agent.BillingModel)
	return summaryModelOut{ID: &model.ID, Name: &model.Name, Type: &model.Version.Type}, err
}

// sum fills in everything that is added up; the maps hold the billing currency.
func (out *billingSummaryOut) sum(rows []xyra.SpanUsage, billing money.Currency) {
	statistics := xyra.SumUsage(rows)
	out.TotalCost = statistics.In(billing).Cost()
	out.ByCurrency = byCurrency(statistics, billing, func(t xyra.Totals) summaryCurrencyOut {
		return summaryCurrencyOut{TotalCost: t.Cost(), RecordedCosts: t.Costs, Charges: t.Charges}
	})
	for _, u := range rows {
		if u.Currency != billing {
			continue
		}
		switch u.Kind {
		case xyra.Cost:
			addTo(out.CostByType, u.Type, u.Quantity, u.Count)
		case xyra.Activity:
			addTo(out.CostByType, u.Kind.String(), u.Charge, u.ChargedCount)
			addTo(out.ActivityStats, u.Type, u.Charge, u.ChargedCount)
		case xyra.Outcome:
			addTo(out.CostByType, u.Kind.String(), u.Charge, u.ChargedCount)
			addTo(out.OutcomeStats, u.Type, u.Charge, u.ChargedCount)
		}
	}
	// Types of events that were not charged, or lie in the cut part of an hour, have no entry.
	maps.DeleteFunc(out.CostByType, func(_ string, t typeTotalOut) bool { return t.Count == 0 })
	maps.DeleteFunc(out.ActivityStats, func(_ string, t typeCostOut) bool { return t.Count == 0 })
	maps.DeleteFunc(out.OutcomeStats, func(_ string, t typeCostOut) bool { return t.Count == 0 })
}

// addTo adds an amount and the number of its entries to one type of a map.
func addTo[Out typeTotalOut | typeCostOut](totals map[string]Out, typ string, amount money.Decimal, entries int64) {
	sum := typeTotalOut(totals[typ])
	totals[typ] = Out(typeTotalOut{sum.Total.Add(amount), sum.Count + entries})
}

// newCostEntryOut shows a cost as it is, and a charged event as a cost that names it.
func newCostEntryOut(e xyra.Event) costEntryOut {
	entry := costEntryOut{ID: e.ID, Type: e.Type, Amount: e.Quantity, Currency: e.Currency, Timestamp: instant(e.Timestamp), Details: e.Details}
	switch e.Kind {
	case xyra.Activity:
		entry.Type, entry.Amount = e.Kind.String(), e.Charge
		entry.Details = encode(struct {
			ID   xyra.EventID `json:"activity_id"`
			Type string       `json:"activity_type"`
		}{e.ID, e.Type})
	case xyra.Outcome:
		entry.Type, entry.Amount = e.Kind.String(), e.Charge
		entry.Details = encode(struct {
			ID   xyra.EventID `json:"outcome_id"`
			Type string       `json:"outcome_type"`
		}{e.ID, e.Type})
	}
	return entry
}
