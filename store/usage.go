package store

import (
	"context"

	"xyra"
	"xyra/money"
)

var hourRows = newBulk("usage_hours", `ON CONFLICT (organization_id, agent_id, hour, kind, type, currency) DO UPDATE SET
	count = usage_hours.count + excluded.count, charged_count = usage_hours.charged_count + excluded.charged_count,
	quantity = dec_add(usage_hours.quantity, excluded.quantity), charge = dec_add(usage_hours.charge, excluded.charge)`,
	"organization_id bigint", "agent_id bigint", "hour bigint", "kind smallint", "type text", "currency text",
	"count bigint", "charged_count bigint", "quantity numeric", "charge numeric")

var periodRows = newBulk("usage_periods", `ON CONFLICT (organization_id, period, agent_id, version_id, component, currency) DO UPDATE SET
	quantity = dec_add(usage_periods.quantity, excluded.quantity), charge = dec_add(usage_periods.charge, excluded.charge)`,
	"organization_id bigint", "period integer", "agent_id bigint", "version_id bigint", "component bigint", "currency text",
	"quantity numeric", "charge numeric")

var agentActivityRows = newBulk("agent_activity", `ON CONFLICT (organization_id, agent_id) DO UPDATE SET last_active = excluded.last_active
	WHERE agent_activity.last_active < excluded.last_active`,
	"organization_id bigint", "agent_id bigint", "last_active bigint")

// recordingTexts are all statements of the ingest path, for SQLite to prepare.
func recordingTexts() []string {
	texts := []string{agentStateText, userStateText, keyStateText, eventsByKeyText, periodTotalsText}
	for _, b := range []bulk{eventRows, hourRows, periodRows, agentActivityRows, recordRows} {
		texts = append(texts, b.texts()...)
	}
	return texts
}

// AgentSeen is an agent that has just reported an activity.
type AgentSeen struct {
	Organization xyra.OrganizationID
	Agent        xyra.AgentID
}

// Commit adds to both rollups, notes which agents were active at Now, and commits. All lists must be in key order, so
// that concurrent recordings never wait for each other in a circle.
func (rec *Recording) Commit(ctx context.Context, hours []xyra.HourUsage, periods []xyra.PeriodUsage, seen []AgentSeen) error {
	steps := rec.hourSteps(hours)
	steps = append(steps, rec.periodSteps(periods)...)
	var organizations, agents, at []int64
	for _, s := range seen {
		organizations, agents, at = append(organizations, int64(s.Organization)), append(agents, int64(s.Agent)), append(at, micros(rec.Now))
	}
	steps = append(steps, agentActivityRows.steps(rec.pg != nil, "agent activity", len(seen), organizations, agents, at)...)
	return rec.commit(ctx, steps...)
}

func (rec *Recording) hourSteps(hours []xyra.HourUsage) []*step {
	var organization, agent, hour, kind, count, charged []int64
	var typ, currency, quantity, charge []string
	for _, h := range hours {
		organization, agent, hour = append(organization, int64(h.Organization)), append(agent, int64(h.Agent)), append(hour, micros(h.Hour))
		kind, typ, currency = append(kind, int64(h.Kind)), append(typ, h.Type), append(currency, string(h.Currency))
		count, charged = append(count, h.Count), append(charged, h.ChargedCount)
		quantity, charge = append(quantity, h.Quantity.Canonical()), append(charge, h.Charge.Canonical())
	}
	return hourRows.steps(rec.pg != nil, "hour usage", len(hours), organization, agent, hour, kind, typ, currency, count, charged, quantity, charge)
}

func (rec *Recording) periodSteps(periods []xyra.PeriodUsage) []*step {
	var organization, period, agent, version, component []int64
	var currency, quantity, charge []string
	for _, p := range periods {
		organization, period, agent = append(organization, int64(p.Organization)), append(period, int64(p.Period)), append(agent, int64(p.Agent))
		version, component, currency = append(version, int64(p.Version)), append(component, int64(p.Component)), append(currency, string(p.Currency))
		quantity, charge = append(quantity, p.Quantity.Canonical()), append(charge, p.Charge.Canonical())
	}
	return periodRows.steps(rec.pg != nil, "period usage", len(periods), organization, period, agent, version, component, currency, quantity, charge)
}

const periodTotalsText = `SELECT quantity FROM usage_periods WHERE organization_id = $1 AND period = $2 AND agent_id = $3
	AND version_id = $4 AND component = $5 AND currency = $6 FOR UPDATE`

// PeriodTotals reads the running quantities of usage rows and keeps the rows locked: prices that depend on the total
// need it. Rows that do not exist yet are made, so that there is something to lock. Keys must be in key order.
func (rec *Recording) PeriodTotals(ctx context.Context, keys []xyra.PeriodUsage) ([]money.Decimal, error) {
	steps := rec.periodSteps(keys)
	totals := make([]money.Decimal, len(keys))
	for i, k := range keys {
		steps = append(steps, &step{name: "period total", text: periodTotalsText,
			args: []any{k.Organization, k.Period, k.Agent, k.Version, k.Component, k.Currency},
			scan: func(r row) error { return r.Scan(&totals[i]) }})
	}
	return totals, rec.run(ctx, "period totals", steps...)
}

// HourUsages is an organization's whole hour rollup in key order, for recomputation.
func (r Reader) HourUsages(ctx context.Context, organization xyra.OrganizationID) ([]xyra.HourUsage, error) {
	return collect(ctx, r, "hour usages", func(r row) (h xyra.HourUsage, err error) {
		err = r.Scan(&h.Organization, &h.Agent, instant{&h.Hour}, &h.Kind, &h.Type, &h.Currency, &h.Count, &h.ChargedCount, &h.Quantity, &h.Charge)
		return h, err
	}, `SELECT organization_id, agent_id, hour, kind, type, currency, count, charged_count, quantity, charge FROM usage_hours
		WHERE organization_id = $1`, organization)
}

// PeriodUsages is an organization's whole period rollup, for recomputation.
func (r Reader) PeriodUsages(ctx context.Context, organization xyra.OrganizationID) ([]xyra.PeriodUsage, error) {
	return collect(ctx, r, "period usages", func(r row) (p xyra.PeriodUsage, err error) {
		err = r.Scan(&p.Organization, &p.Period, &p.Agent, &p.Version, &p.Component, &p.Currency, &p.Quantity, &p.Charge)
		return p, err
	}, `SELECT organization_id, period, agent_id, version_id, component, currency, quantity, charge FROM usage_periods
		WHERE organization_id = $1`, organization)
}
