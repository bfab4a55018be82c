package xyra

import (
	"encoding/json"
	"time"

	"xyra/money"
	"xyra/pricing"
)

// EventID identifies an event within its organization and kind.
type EventID int64

// EventKind tells the three sorts of event apart. The numbers are stored.
type EventKind int16

// The three kinds.
const (
	Activity EventKind = 1
	Cost     EventKind = 2
	Outcome  EventKind = 3
)

// String is the kind's word in JSON and logs.
func (k EventKind) String() string {
	switch k {
	case Activity:
		return "activity"
	case Cost:
		return "cost"
	case Outcome:
		return "outcome"
	}
	return "unknown"
}

// Prices tells which components charge this kind; costs are charged by none.
func (k EventKind) Prices(c pricing.Component, typ string) bool {
	switch k {
	case Activity:
		return c.Matches(pricing.Activity, typ)
	case Outcome:
		return c.Matches(pricing.Outcome, typ)
	}
	return false
}

// Event is one activity, cost or outcome as it is stored.
type Event struct {
	Organization   OrganizationID
	Kind           EventKind
	ID             EventID
	Agent          AgentID
	Type           string
	Quantity       money.Decimal  // the activity's quantity, the cost's amount or the outcome's value
	Currency       money.Currency // of amount, value and charge; for an activity the billing currency when it was recorded
	Timestamp      time.Time      // when it happened, as the agent says
	RecordedAt     time.Time      // when it was stored
	Period         Period         // fixed at recording by the time zone then in force
	Details        json.RawMessage
	Verified       bool // outcomes only
	Source         string
	IdempotencyKey string // "" none; unique with Source in the organization, over all kinds, for ever
	Digest         []byte // of the content as sent; only with an idempotency key
	Charge         money.Decimal
	Version        VersionID // 0: no model
	RecordedBy     string    // Caller.Name
}

// SourceImport is the Source of events that another program had recorded and charged before they came here.
const SourceImport = "import-xyra"

// Imported tells whether another program recorded the event: its charge is that program's, whatever our prices say. Events
// that a caller sends with the same source have a key.
func (e Event) Imported() bool { return e.Source == SourceImport && e.IdempotencyKey == "" }
