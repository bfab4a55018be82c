package xyra

import (
	"encoding/json"
	"time"

	"xyra/money"
)

// OrganizationID identifies an organization; 0 is none (the platform itself in the audit log).
type OrganizationID int64

// StatusSuspended is the status under which members and keys of an organization may read but not write.
const StatusSuspended = "suspended"

// Organization is a customer of the operator.
type Organization struct {
	ID           OrganizationID
	Name         string
	Description  *string
	ExternalID   *string // unique among organizations that are not archived
	Status       string  // free text; StatusSuspended has an effect
	BillingEmail *string
	ContactName  *string
	ContactPhone *string
	Timezone     string          // IANA name; decides the period of events recorded from now on
	Settings     json.RawMessage // object as sent; updates copy "currency" in if it is missing
	Currency     money.Currency  // billing currency: the one Settings name, else USD
	Stripe       *string         // Stripe's customer id
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Suspended tells whether members and keys may only read.
func (o Organization) Suspended() bool { return o.Status == StatusSuspended }
