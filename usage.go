package xyra

import (
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
