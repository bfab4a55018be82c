package xyra

import (
	"fmt"
	"time"

	"xyra/money"
)

// HourUsage is what the events of one UTC hour add up to, per agent, kind, type and currency. Quantity sums quantities,
// amounts or values, by kind. Corrections may make sums negative.
type HourUsage struct {
	Organization OrganizationID
	Agent        AgentID
	Hour         time.Time // first instant of the hour
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
func (h HourUsage) Name() string {
	return fmt.Sprintf("(organization %d, agent %d, hour %s, %s %q, %s)", h.Organization, h.Agent, h.Hour.Format("2006-01-02T15"), h.Kind, h.Type, h.Currency)
}

// Name tells the row from all others, for reports.
func (p PeriodUsage) Name() string {
	return fmt.Sprintf("(organization %d, period %s, agent %d, version %d, component %d, %s)", p.Organization, p.Period, p.Agent, p.Version, p.Component, p.Currency)
}
