package notice

import (
	"context"
	"fmt"
	"slices"
	"time"

	"xyra"
	"xyra/store"
)

func subscribes(e xyra.WebhookEndpoint) bool {
	return e.IsActive && slices.Contains(e.Types, xyra.NoticeUsageRecorded)
}

// beginSummaries lets the first summary of an organization that nobody was told of before begin now.
func beginSummaries(ctx context.Context, tx *store.Tx, e xyra.WebhookEndpoint, before []xyra.WebhookEndpoint) error {
	if !subscribes(e) || slices.ContainsFunc(before, subscribes) {
		return nil
	}
	s, err := tx.UsageSummary(ctx, e.Organization, xyra.UsageSummarySince(tx.Now), tx.Now)
	if err != nil {
		return err
	}
	return tx.InsertUsageSummary(ctx, s)
}

// SummarizeUsage announces what an organization has recorded since its latest summary, if somebody wants to hear it. Of
// two that do so at once one is heard.
func SummarizeUsage(ctx context.Context, db *store.DB, id xyra.OrganizationID) error {
	endpoints, err := db.WebhookEndpoints(ctx, id, 0, xyra.WebhookEndpointsMax)
	if err != nil || !slices.ContainsFunc(endpoints, subscribes) {
		return err
	}
	var latest, now, kept xyra.UsageSummary
	err = db.Snapshot(ctx, func(r store.Reader) error {
		if latest, err = r.LatestUsageSummary(ctx, id); err != nil {
			return err
		}
		if now, err = r.UsageSummary(ctx, id, latest.Since, db.Now()); err != nil {
			return err
		}
		// What is kept may begin later, so that summaries do not read ever more days.
		if kept = now; latest.Outdated(now.At) {
			kept, err = r.UsageSummary(ctx, id, xyra.UsageSummarySince(now.At), now.At)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("sum up the usage of organization %d: %w", id, err)
	}
	return db.Tx(ctx, func(tx *store.Tx) error {
		first, err := tx.UpdateUsageSummary(ctx, kept, latest.At)
		if err != nil || !first {
			return err
		}
		if n, exists := now.Notice(latest); exists {
			tx.Announce(n)
		}
		return nil
	})
}

// lateness is for how long after its end a period is still watched.
const lateness = 24 * time.Hour

// WatchThresholds announces which thresholds the charges of an organization's period have reached: each once for each
// endpoint and period.
func WatchThresholds(ctx context.Context, db *store.DB, id xyra.OrganizationID) error {
	endpoints, err := db.WebhookEndpoints(ctx, id, 0, xyra.WebhookEndpointsMax)
	if err != nil {
		return err
	}
	endpoints = slices.DeleteFunc(endpoints, func(e xyra.WebhookEndpoint) bool {
		return !e.IsActive || len(e.Thresholds) == 0 || !slices.Contains(e.Types, xyra.NoticeUsageThreshold)
	})
	if len(endpoints) == 0 {
		return nil
	}
	o, err := db.Organization(ctx, id)
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(o.Timezone)
	if err != nil {
		return fmt.Errorf("time zone of organization %d: %w", id, err)
	}
	now := db.Now()
	periods := []xyra.Period{xyra.PeriodOf(now.Add(-lateness), zone), xyra.PeriodOf(now, zone)}
	for _, p := range slices.Compact(periods) {
		charges, err := db.PeriodCharges(ctx, id, p)
		if err != nil {
			return err
		}
		_, end := p.Span(zone)
		for _, e := range endpoints {
			if !e.CreatedAt.Before(end) {
				continue
			}
			if err := announceReached(ctx, db, e, p, charges); err != nil {
				return err
			}
		}
	}
	return nil
}

func announceReached(ctx context.Context, db *store.DB, e xyra.WebhookEndpoint, p xyra.Period, charges []xyra.PeriodCharge) error {
	var reached []xyra.UsageThreshold
	for _, t := range e.Thresholds {
		if t.Of(charges).Cmp(t.Charge) >= 0 {
			reached = append(reached, t)
		}
	}
	if len(reached) == 0 {
		return nil
	}
	return db.Tx(ctx, func(tx *store.Tx) error {
		for _, t := range reached {
			first, err := tx.AddThresholdReached(ctx, e, p, t)
			if err != nil {
				return err
			}
			if first {
				tx.Announce(t.Notice(e.Organization, p, t.Of(charges)).For(e.ID))
			}
		}
		return nil
	})
}
