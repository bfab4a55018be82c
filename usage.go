package xyra

import (
	"fmt"
	"time"

	"xyra/money"
)

// SpanUsage is what the events of one UTC hour or day add up to, per agent, kind, type and currency. Quantity sums
// quantities, amounts or values, by kind. Corrections may make sums negative.
type SpanUsage struct {
	Organization OrganizationID
	Agent        AgentID
	From         time.Time // first instant of the hour or day
	Kind         EventKind
	Type         string
	Currency     money.Currency
	Count        int64
	ChargedCount int64 // events whose charge is not 0
	Quantity     money.Decimal
	Charge       money.Decimal
}

// PeriodUsage is what a period's events add up to for one component of one version, in one currency: the running total
// that tiered prices need and that invoices read.
type PeriodUsage struct {
	Organization OrganizationID
	Period       Period
	Agent        AgentID
	Version      VersionID
	Component    int // index in the version's components
	Currency     money.Currency
	Quantity     money.Decimal
	Charge       money.Decimal
}

// Name tells the row from all others, for reports.
func (u SpanUsage) Name() string {
	return fmt.Sprintf("(organization %d, agent %d, from %s, %s %q, %s)", u.Organization, u.Agent, FormatTime(u.From), u.Kind, u.Type, u.Currency)
}

// Name tells the row from all others, for reports.
func (p PeriodUsage) Name() string {
	return fmt.Sprintf("(organization %d, period %s, agent %d, version %d, component %d, %s)", p.Organization, p.Period, p.Agent, p.Version, p.Component, p.Currency)
}
