package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"xyra"
	"xyra/money"
)

var (
	hourRows = newSpanRows("usage_hours", "hour")
	dayRows  = newSpanRows("usage_days", "day")
)

// newSpanRows adds to the rollup of hours or of days, which differ in name only.
func newSpanRows(table, span string) bulk {
	sum := func(add, column string) string {
		return fmt.Sprintf("%s = "+add, column, table+"."+column, "excluded."+column)
	}
	rest := "ON CONFLICT (organization_id, agent_id, " + span + ", kind, type, currency) DO UPDATE SET " + strings.Join([]string{
		sum("%s + %s", "count"), sum("%s + %s", "charged_count"), sum("dec_add(%s, %s)", "quantity"), sum("dec_add(%s, %s)", "charge")}, ", ")
	return newBulk(table, rest, "organization_id bigint", "agent_id bigint", span+" bigint", "kind smallint", "type text", "currency text",
		"count bigint", "charged_count bigint", "quantity numeric", "charge numeric")
}

var periodRows = newBulk("usage_periods", `ON CONFLICT (organization_id, period, agent_id, version_id, component, currency) DO UPDATE SET
	quantity = dec_add(usage_periods.quantity, excluded.quantity), charge = dec_add(usage_periods.charge, excluded.charge)`,
	"organization_id bigint", "period integer", "agent_id bigint", "version_id bigint", "component bigint", "currency text",
	"quantity numeric", "charge numeric")

var agentActivityRows = newBulk("agent_activity", `ON CONFLICT (organization_id, agent_id) DO UPDATE SET last_active = excluded.last_active
	WHERE agent_activity.last_active < excluded.last_active`,
	"organization_id bigint", "agent_id bigint", "last_active bigint")

// recordingTexts are all statements of the ingest path, for SQLite to prepare.
func recordingTexts() []string {
	texts := []string{epochText, agentStateText, userStateText, keyStateText, eventsByKeyText, periodTotalsText, takePendingText}
	for _, b := range []bulk{eventRows, hourRows, dayRows, periodRows, agentActivityRows, recordRows, pendingRows} {
		texts = append(texts, b.texts()...)
	}
	return texts
}

// AgentSeen is an agent that has reported an activity.
type AgentSeen struct {
	Organization xyra.OrganizationID
	Agent        xyra.AgentID
	At           time.Time
}

// Rollups is what a recording adds to the sums, each list in key order.
type Rollups struct {
	Hours   []xyra.SpanUsage
	Days    []xyra.SpanUsage
	Periods []xyra.PeriodUsage
	// Pending is the id of one of the events if all this is to be written as pending usage, 0 if the rollups are to be changed.
	Pending xyra.EventID
}

// Commit adds to the rollups, notes when agents were active, and commits. All lists must be in key order, so that concurrent
// recordings never wait for each other in a circle.
func (rec *Recording) Commit(ctx context.Context, add Rollups, seen []AgentSeen) error {
	return rec.commit(ctx, rec.addSteps(add, seen)...)
}

// addSteps are the statements that add to the rollups. When agents were active is part of pending usage.
func (rec *Recording) addSteps(add Rollups, seen []AgentSeen) []*step {
	if add.Pending != 0 {
		return rec.pendingUsageSteps(add)
	}
	steps := spanSteps(rec.pg != nil, "hour usage", hourRows, add.Hours)
	steps = append(steps, spanSteps(rec.pg != nil, "day usage", dayRows, add.Days)...)
	steps = append(steps, periodSteps(rec.pg != nil, add.Periods)...)
	var organizations, agents, at []int64
	for _, s := range seen {
		organizations, agents, at = append(organizations, int64(s.Organization)), append(agents, int64(s.Agent)), append(at, micros(s.At))
	}
	return append(steps, agentActivityRows.steps(rec.pg != nil, "agent activity", len(seen), organizations, agents, at)...)
}

func spanSteps(postgres bool, name string, into bulk, spans []xyra.SpanUsage) []*step {
	var organization, agent, from, kind, count, charged []int64
	var typ, currency, quantity, charge []string
	for _, h := range spans {
		organization, agent, from = append(organization, int64(h.Organization)), append(agent, int64(h.Agent)), append(from, micros(h.From))
		kind, typ, currency = append(kind, int64(h.Kind)), append(typ, h.Type), append(currency, string(h.Currency))
		count, charged = append(count, h.Count), append(charged, h.ChargedCount)
		quantity, charge = append(quantity, h.Quantity.Canonical()), append(charge, h.Charge.Canonical())
	}
	return into.steps(postgres, name, len(spans), organization, agent, from, kind, typ, currency, count, charged, quantity, charge)
}

func periodSteps(postgres bool, periods []xyra.PeriodUsage) []*step {
	var organization, period, agent, version, component []int64
	var currency, quantity, charge []string
	for _, p := range periods {
		organization, period, agent = append(organization, int64(p.Organization)), append(period, int64(p.Period)), append(agent, int64(p.Agent))
		version, component, currency = append(version, int64(p.Version)), append(component, int64(p.Component)), append(currency, string(p.Currency))
		quantity, charge = append(quantity, p.Quantity.Canonical()), append(charge, p.Charge.Canonical())
	}
	return periodRows.steps(postgres, "period usage", len(periods), organization, period, agent, version, component, currency, quantity, charge)
}

const periodTotalsText = `SELECT quantity FROM usage_periods WHERE organization_id = $1 AND period = $2 AND agent_id = $3
	AND version_id = $4 AND component = $5 AND currency = $6 FOR UPDATE`

// PeriodTotals reads the running quantities of usage rows and keeps the rows locked: prices that depend on the total
// need it. Rows that do not exist yet are made, so that there is something to lock. Keys must be in key order.
func (rec *Recording) PeriodTotals(ctx context.Context, keys []xyra.PeriodUsage) ([]money.Decimal, error) {
	steps := periodSteps(rec.pg != nil, keys)
	totals := make([]money.Decimal, len(keys))
	for i, k := range keys {
		steps = append(steps, &step{name: "period total", text: periodTotalsText,
			args: []any{k.Organization, k.Period, k.Agent, k.Version, k.Component, k.Currency},
			scan: func(r row) error { return r.Scan(&totals[i]) }})
	}
	return totals, rec.run(ctx, "period totals", steps...)
}

// HourUsages is an organization's whole rollup of hours, for recomputation, pending usage included.
func (r Reader) HourUsages(ctx context.Context, organization xyra.OrganizationID) ([]xyra.SpanUsage, error) {
	return collect(ctx, r, "hour usages", scanSpanUsage, `SELECT organization_id, agent_id, hour, kind, type, currency,
		`+rollupSums+`FROM usage_hours_all WHERE organization_id = $1 GROUP BY organization_id, agent_id, hour, kind, type, currency`, organization)
}

// DayUsages is an organization's whole rollup of days, for recomputation, pending usage included.
func (r Reader) DayUsages(ctx context.Context, organization xyra.OrganizationID) ([]xyra.SpanUsage, error) {
	return collect(ctx, r, "day usages", scanSpanUsage, `SELECT organization_id, agent_id, day, kind, type, currency,
		`+rollupSums+`FROM usage_days_all WHERE organization_id = $1 GROUP BY organization_id, agent_id, day, kind, type, currency`, organization)
}

func scanSpanUsage(r row) (u xyra.SpanUsage, err error) {
	err = r.Scan(&u.Organization, &u.Agent, instant{&u.From}, &u.Kind, &u.Type, &u.Currency, &u.Count, &u.ChargedCount, &u.Quantity, &u.Charge)
	return u, err
}

// allPeriods is the rollup of periods of organization $1, pending usage included, as rows u. more narrows it.
func allPeriods(more string) string {
	return `(SELECT organization_id, period, agent_id, version_id, component, currency, dec_sum(quantity) AS quantity, dec_sum(charge) AS charge
		FROM usage_periods_all WHERE organization_id = $1 ` + more + `
		GROUP BY organization_id, period, agent_id, version_id, component, currency) u`
}

// PeriodUsages is an organization's whole period rollup, for recomputation, pending usage included.
func (r Reader) PeriodUsages(ctx context.Context, organization xyra.OrganizationID) ([]xyra.PeriodUsage, error) {
	return collect(ctx, r, "period usages", func(r row) (p xyra.PeriodUsage, err error) {
		err = r.Scan(&p.Organization, &p.Period, &p.Agent, &p.Version, &p.Component, &p.Currency, &p.Quantity, &p.Charge)
		return p, err
	}, `SELECT u.organization_id, u.period, u.agent_id, u.version_id, u.component, u.currency, u.quantity, u.charge
		FROM `+allPeriods(""), organization)
}
