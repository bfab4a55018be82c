package store

import (
	"context"
	"time"

	"xyra"
)

// A statement of this file adds up an organization's usage in a span, kept apart by kind and currency and by what its
// name says; the other fields of its rows are zero. Rollups and the events of the edges are read by one statement, so
// that they are of one moment.
//
// The first column says of which part of the cut a row is: -1 the days, 0 and 1 the edges, 2 and 3 the hours.
//
// An edge asks the rollup first which agents have events in its hour. CROSS JOIN makes SQLite keep that order: without
// statistics it would rather read all events of the organization.
//
// That a part's span is not empty is said in its own words, for both databases look at that once and then leave the part
// out; without it an empty part walked the whole index of the organization.
const (
	usageDays   = `FROM usage_days_all WHERE organization_id = $1 AND agent_id = ANY($2) AND day >= $11 AND day < $12 AND $11 < $12 `
	usageHours0 = `FROM usage_hours_all WHERE organization_id = $1 AND agent_id = ANY($2) AND hour >= $3 AND hour < $4 AND $3 < $4 `
	usageHours1 = `FROM usage_hours_all WHERE organization_id = $1 AND agent_id = ANY($2) AND hour >= $13 AND hour < $14 AND $13 < $14 `
	usageEdge0  = `FROM (SELECT DISTINCT agent_id AS id FROM usage_hours_all WHERE organization_id = $1 AND agent_id = ANY($2) AND hour = $9) u
		CROSS JOIN events WHERE organization_id = $1 AND agent_id = u.id AND timestamp >= $5 AND timestamp < $6 AND $5 < $6 `
	usageEdge1 = `FROM (SELECT DISTINCT agent_id AS id FROM usage_hours_all WHERE organization_id = $1 AND agent_id = ANY($2) AND hour = $10) u
		CROSS JOIN events WHERE organization_id = $1 AND agent_id = u.id AND timestamp >= $7 AND timestamp < $8 AND $7 < $8 `

	rollupSums = `CAST(SUM(count) AS BIGINT), CAST(SUM(charged_count) AS BIGINT), dec_sum(quantity), dec_sum(charge) `
	edgeSums   = `COUNT(*), COUNT(CASE WHEN charge <> '0' THEN 1 END), dec_sum(quantity), dec_sum(charge) `

	totalUsage = `SELECT -1, 0, kind, '', currency, ` + rollupSums + usageDays + `GROUP BY kind, currency
		UNION ALL SELECT 2, 0, kind, '', currency, ` + rollupSums + usageHours0 + `GROUP BY kind, currency
		UNION ALL SELECT 3, 0, kind, '', currency, ` + rollupSums + usageHours1 + `GROUP BY kind, currency
		UNION ALL SELECT 0, 0, kind, '', currency, ` + edgeSums + usageEdge0 + `GROUP BY kind, currency
		UNION ALL SELECT 1, 0, kind, '', currency, ` + edgeSums + usageEdge1 + `GROUP BY kind, currency`
	agentUsage = `SELECT -1, agent_id, kind, '', currency, ` + rollupSums + usageDays + `GROUP BY agent_id, kind, currency
		UNION ALL SELECT 2, agent_id, kind, '', currency, ` + rollupSums + usageHours0 + `GROUP BY agent_id, kind, currency
		UNION ALL SELECT 3, agent_id, kind, '', currency, ` + rollupSums + usageHours1 + `GROUP BY agent_id, kind, currency
		UNION ALL SELECT 0, agent_id, kind, '', currency, ` + edgeSums + usageEdge0 + `GROUP BY agent_id, kind, currency
		UNION ALL SELECT 1, agent_id, kind, '', currency, ` + edgeSums + usageEdge1 + `GROUP BY agent_id, kind, currency`
	typeUsage = `SELECT -1, 0, kind, type, currency, ` + rollupSums + usageDays + `AND kind = ANY($15) GROUP BY kind, type, currency
		UNION ALL SELECT 2, 0, kind, type, currency, ` + rollupSums + usageHours0 + `AND kind = ANY($15) GROUP BY kind, type, currency
		UNION ALL SELECT 3, 0, kind, type, currency, ` + rollupSums + usageHours1 + `AND kind = ANY($15) GROUP BY kind, type, currency
		UNION ALL SELECT 0, 0, kind, type, currency, ` + edgeSums + usageEdge0 + `AND kind = ANY($15) GROUP BY kind, type, currency
		UNION ALL SELECT 1, 0, kind, type, currency, ` + edgeSums + usageEdge1 + `AND kind = ANY($15) GROUP BY kind, type, currency`
)

// UsageTotal is what some agents of an organization used in a span that is cut.
func (r Reader) UsageTotal(ctx context.Context, organization xyra.OrganizationID, agents []xyra.AgentID, cut xyra.Cut) ([]xyra.SpanUsage, error) {
	return r.usage(ctx, "usage total", totalUsage, organization, agents, cut)
}

// UsageByAgent is UsageTotal with the agents kept apart.
func (r Reader) UsageByAgent(ctx context.Context, organization xyra.OrganizationID, agents []xyra.AgentID, cut xyra.Cut) ([]xyra.SpanUsage, error) {
	return r.usage(ctx, "usage by agent", agentUsage, organization, agents, cut)
}

// UsageByType is UsageTotal of some kinds with the types kept apart.
func (r Reader) UsageByType(ctx context.Context, organization xyra.OrganizationID, agents []xyra.AgentID, cut xyra.Cut, kinds ...xyra.EventKind) ([]xyra.SpanUsage, error) {
	numbers := make([]int64, len(kinds))
	for i, kind := range kinds {
		numbers[i] = int64(kind)
	}
	return r.usage(ctx, "usage by type", typeUsage, organization, agents, cut, numbers)
}

func (r Reader) usage(ctx context.Context, name, statement string, organization xyra.OrganizationID, agents []xyra.AgentID, cut xyra.Cut, more ...any) ([]xyra.SpanUsage, error) {
	if len(agents) == 0 {
		return nil, nil
	}
	parts := [4]xyra.Part{cut.Edges[0], cut.Edges[1], cut.Hours[0], cut.Hours[1]}
	scan := func(r row) (u xyra.SpanUsage, err error) {
		var part int
		err = r.Scan(&part, &u.Agent, &u.Kind, &u.Type, &u.Currency, &u.Count, &u.ChargedCount, &u.Quantity, &u.Charge)
		if part >= 0 && parts[part].Subtracted {
			u.Count, u.ChargedCount, u.Quantity, u.Charge = -u.Count, -u.ChargedCount, u.Quantity.Neg(), u.Charge.Neg()
		}
		return u, err
	}
	first, second := cut.Edges[0], cut.Edges[1]
	args := []any{organization, int64s(agents), micros(cut.Hours[0].From), micros(cut.Hours[0].To), micros(first.From), micros(first.To),
		micros(second.From), micros(second.To), micros(first.From.Truncate(time.Hour)), micros(second.From.Truncate(time.Hour)),
		micros(cut.Days.From), micros(cut.Days.To), micros(cut.Hours[1].From), micros(cut.Hours[1].To)}
	return collect(ctx, r, name, scan, statement, append(args, more...)...)
}

// UsageByDay is what one agent used in a span of whole UTC days, the days kept apart.
func (r Reader) UsageByDay(ctx context.Context, organization xyra.OrganizationID, agent xyra.AgentID, days xyra.Span) ([]xyra.SpanUsage, error) {
	scan := func(r row) (u xyra.SpanUsage, err error) {
		return u, r.Scan(instant{&u.From}, &u.Kind, &u.Currency, &u.Count, &u.ChargedCount, &u.Quantity, &u.Charge)
	}
	return collect(ctx, r, "usage by day", scan, `SELECT day, kind, currency, `+rollupSums+`
		FROM usage_days_all WHERE organization_id = $1 AND agent_id = $2 AND day >= $3 AND day < $4 GROUP BY day, kind, currency`,
		organization, agent, micros(days.From), micros(days.To))
}

// BillableEvents are an agent's costs and charged events in a span, by timestamp, then id, then kind.
func (r Reader) BillableEvents(ctx context.Context, organization xyra.OrganizationID, agent xyra.AgentID, span xyra.Span, skip, limit int64) ([]xyra.Event, error) {
	scan := func(r row) (e xyra.Event, err error) {
		return e, r.Scan(&e.Kind, &e.ID, &e.Type, &e.Quantity, &e.Currency, instant{&e.Timestamp}, object{&e.Details}, &e.Charge)
	}
	return collect(ctx, r, "billable events", scan, `SELECT kind, id, type, quantity, currency, timestamp, details, charge FROM events
		WHERE organization_id = $1 AND agent_id = $2 AND timestamp >= $3 AND timestamp < $4 AND (kind = 2 OR charge > '0')
		ORDER BY timestamp, id, kind LIMIT $5 OFFSET $6`,
		organization, agent, micros(span.From), micros(span.To), limit, skip)
}

// Fleet lists all agents that an organization ever had, by id, with nothing but ID, Name, IsActive and Archived set.
func (r Reader) Fleet(ctx context.Context, organization xyra.OrganizationID) ([]xyra.Agent, error) {
	scan := func(r row) (a xyra.Agent, err error) { return a, r.Scan(&a.ID, &a.Name, &a.IsActive, &a.Archived) }
	return collect(ctx, r, "fleet", scan, `SELECT id, name, is_active, archived_at IS NOT NULL FROM agents
		WHERE organization_id = $1 ORDER BY id`, organization)
}
