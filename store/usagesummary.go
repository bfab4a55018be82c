package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"xyra"
)

// UsageSummary adds up what an organization's events from a UTC day on are now.
func (r Reader) UsageSummary(ctx context.Context, organization xyra.OrganizationID, since, now time.Time) (xyra.UsageSummary, error) {
	scan := func(r row) (t xyra.UsageTotal, err error) {
		return t, r.Scan(&t.Kind, &t.Currency, &t.Count, &t.Quantity, &t.Charge)
	}
	totals, err := collect(ctx, r, "usage summary", scan, `SELECT kind, currency, CAST(SUM(count) AS BIGINT), dec_sum(quantity), dec_sum(charge)
		FROM usage_days_all WHERE organization_id = $1 AND day >= $2 GROUP BY kind, currency ORDER BY kind, currency`, organization, xyra.Micros(since))
	return xyra.UsageSummary{Organization: organization, Since: since, At: now, Totals: totals}, err
}

// LatestUsageSummary reads the one that was told last.
func (r Reader) LatestUsageSummary(ctx context.Context, organization xyra.OrganizationID) (xyra.UsageSummary, error) {
	scan := func(r row) (s xyra.UsageSummary, err error) {
		return s, r.Scan(&s.Organization, instant{&s.Since}, instant{&s.At}, parsed{&s.Totals})
	}
	return one(ctx, r, "Usage summary", "latest usage summary", scan, `SELECT organization_id, since, at, totals FROM usage_summaries
		WHERE organization_id = $1`, organization)
}

// InsertUsageSummary keeps s as the latest, whichever there was.
func (tx *Tx) InsertUsageSummary(ctx context.Context, s xyra.UsageSummary) error {
	totals, err := json.Marshal(s.Totals)
	if err != nil {
		return fmt.Errorf("write a usage summary: %w", err)
	}
	_, err = tx.exec(ctx, "insert usage summary", `INSERT INTO usage_summaries (organization_id, since, at, totals) VALUES ($1, $2, $3, $4)
		ON CONFLICT (organization_id) DO UPDATE SET since = excluded.since, at = excluded.at, totals = excluded.totals`,
		s.Organization, xyra.Micros(s.Since), xyra.Micros(s.At), string(totals))
	return err
}

// UpdateUsageSummary keeps s as the latest. It is false, and nothing is written, when the latest is another one than that
// of the instant after.
func (tx *Tx) UpdateUsageSummary(ctx context.Context, s xyra.UsageSummary, after time.Time) (bool, error) {
	totals, err := json.Marshal(s.Totals)
	if err != nil {
		return false, fmt.Errorf("write a usage summary: %w", err)
	}
	touched, err := tx.exec(ctx, "update usage summary", `UPDATE usage_summaries SET since = $2, at = $3, totals = $4
		WHERE organization_id = $1 AND at = $5`, s.Organization, xyra.Micros(s.Since), xyra.Micros(s.At), string(totals), xyra.Micros(after))
	return touched == 1, err
}

// PeriodCharges adds up what an organization's events of a period cost, by agent and currency.
func (r Reader) PeriodCharges(ctx context.Context, organization xyra.OrganizationID, p xyra.Period) ([]xyra.PeriodCharge, error) {
	scan := func(r row) (c xyra.PeriodCharge, err error) { return c, r.Scan(&c.Agent, &c.Currency, &c.Charge) }
	return collect(ctx, r, "period charges", scan, `SELECT agent_id, currency, dec_sum(charge) FROM usage_periods_all
		WHERE organization_id = $1 AND period = $2 GROUP BY agent_id, currency ORDER BY agent_id, currency`, organization, p)
}

// AddThresholdReached notes that an endpoint is told of a threshold in a period; false means that it was told before.
func (tx *Tx) AddThresholdReached(ctx context.Context, e xyra.WebhookEndpoint, p xyra.Period, t xyra.UsageThreshold) (bool, error) {
	touched, err := tx.exec(ctx, "threshold reached", `INSERT INTO webhook_thresholds
		(organization_id, endpoint_id, period, agent_id, currency, charge, reached_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (organization_id, endpoint_id, period, agent_id, currency, charge) DO NOTHING`,
		e.Organization, e.ID, p, t.Agent, t.Currency, t.Charge, xyra.Micros(tx.Now))
	return touched == 1, err
}
