package xyra

import (
	"time"

	"xyra/money"
)

// UsageTotal is what events of one kind and currency add up to. Quantity sums quantities, amounts or values, by kind.
type UsageTotal struct {
	Kind     EventKind
	Currency money.Currency
	Count    int64
	Quantity money.Decimal
	Charge   money.Decimal
}

// UsageSummary is what an organization's events from a day on added up to at an instant. Two of them with the same first
// day tell what was recorded between them, late events included.
type UsageSummary struct {
	Organization OrganizationID
	Since        time.Time // first instant of a UTC day
	At           time.Time
	Totals       []UsageTotal // by kind and currency
}

// Summaries reach back so far: events later than that are in no summary.
const (
	usageSummaryLeast = 62 * 24 * time.Hour
	usageSummaryMost  = 93 * 24 * time.Hour
)

// UsageSummarySince is the first day of a summary that begins anew at now.
func UsageSummarySince(now time.Time) time.Time {
	return now.Add(-usageSummaryLeast).UTC().Truncate(24 * time.Hour)
}

// Outdated tells whether the summary reaches further back than is needed.
func (s UsageSummary) Outdated(now time.Time) bool { return now.Sub(s.Since) > usageSummaryMost }

// usageData is one total as notices show it.
type usageData struct {
	Kind     string         `json:"kind"`
	Currency money.Currency `json:"currency"`
	Count    int64          `json:"count"`
	Quantity money.Decimal  `json:"quantity"`
	Charge   money.Decimal  `json:"charge"`
}

// Notice says what was recorded between the earlier summary and this one; nothing is no notice.
func (s UsageSummary) Notice(earlier UsageSummary) (n Notice, exists bool) {
	type key struct {
		kind     EventKind
		currency money.Currency
	}
	before := map[key]UsageTotal{}
	for _, t := range earlier.Totals {
		before[key{t.Kind, t.Currency}] = t
	}
	data := struct {
		Organization OrganizationID `json:"organization_id"`
		From         string         `json:"from"`
		To           string         `json:"to"`
		Usage        []usageData    `json:"usage"`
	}{Organization: s.Organization, From: FormatTime(earlier.At), To: FormatTime(s.At)}
	for _, t := range s.Totals {
		b := before[key{t.Kind, t.Currency}]
		if t.Count != b.Count {
			data.Usage = append(data.Usage, usageData{t.Kind.String(), t.Currency, t.Count - b.Count, t.Quantity.Sub(b.Quantity), t.Charge.Sub(b.Charge)})
		}
	}
	if len(data.Usage) == 0 {
		return n, false
	}
	return NewNotice(NoticeUsageRecorded, s.Organization, data), true
}

// PeriodCharge is what an agent's events of a period cost the customer so far, in one currency.
type PeriodCharge struct {
	Agent    AgentID
	Currency money.Currency
	Charge   money.Decimal
}

// Of is the charge that the threshold watches.
func (t UsageThreshold) Of(charges []PeriodCharge) money.Decimal {
	sum := money.Decimal{}
	for _, c := range charges {
		if c.Currency == t.Currency && (t.Agent == 0 || t.Agent == c.Agent) {
			sum = sum.Add(c.Charge)
		}
	}
	return sum
}

// Notice says that a period's charge has reached the threshold.
func (t UsageThreshold) Notice(organization OrganizationID, p Period, charge money.Decimal) Notice {
	data := struct {
		Organization OrganizationID `json:"organization_id"`
		Agent        *AgentID       `json:"agent_id"` // null: all agents together
		Period       string         `json:"billing_period"`
		Currency     money.Currency `json:"currency"`
		Threshold    money.Decimal  `json:"threshold"`
		Charge       money.Decimal  `json:"charge"`
	}{Organization: organization, Period: p.String(), Currency: t.Currency, Threshold: t.Charge, Charge: charge}
	if t.Agent != 0 {
		data.Agent = &t.Agent
	}
	return NewNotice(NoticeUsageThreshold, organization, data)
}
