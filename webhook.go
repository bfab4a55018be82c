package xyra

import (
	"encoding/json"
	"fmt"
	"time"

	"xyra/money"
)

// WebhookEndpointID identifies an endpoint.
type WebhookEndpointID int64

// WebhookDeliveryID identifies a delivery.
type WebhookDeliveryID int64

// WebhookEndpoint is an address of an organization's where it wants to be told of notices.
type WebhookEndpoint struct {
	ID             WebhookEndpointID
	Organization   OrganizationID
	URL            string
	Description    *string
	Types          []NoticeType
	Thresholds     []UsageThreshold // for NoticeUsageThreshold
	IsActive       bool
	DisabledReason *string // why it was made inactive by itself
	Secret         []byte  // sealed; it must be signed with, so a hash would not do
	Previous       []byte  // sealed; the secret before, which signs as well until PreviousUntil
	PreviousUntil  *time.Time
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// UsageThreshold is a charge of a period at which an endpoint wants to be told, once.
type UsageThreshold struct {
	Agent    AgentID        `json:"agent_id"` // 0: all agents together
	Currency money.Currency `json:"currency"`
	Charge   money.Decimal  `json:"charge"`
}

// Bounds of endpoints.
const (
	WebhookEndpointsMax  = 20 // of an organization
	WebhookThresholdsMax = 50 // of an endpoint
	WebhookURLMax        = 2000
	WebhookOverlap       = 24 * time.Hour // how long a replaced secret signs
	WebhookKept          = 30 * 24 * time.Hour
	webhookTriedFor      = 3 * 24 * time.Hour
	webhookFailingFor    = 5 * 24 * time.Hour // until an endpoint is made inactive
)

// WebhookDeliveryState is where a delivery stands.
type WebhookDeliveryState string

// The states of a delivery. All but the first are ends.
const (
	WebhookPending   WebhookDeliveryState = "pending"
	WebhookDelivered WebhookDeliveryState = "delivered"
	WebhookFailed    WebhookDeliveryState = "failed"
	WebhookDiscarded WebhookDeliveryState = "discarded" // the endpoint was deleted, disabled or gone, or a person gave it up
)

// WebhookDelivery is one notice on its way to one endpoint.
type WebhookDelivery struct {
	ID           WebhookDeliveryID
	Organization OrganizationID
	Endpoint     WebhookEndpointID
	Message      string // the same in every attempt and replay: receivers tell repeats by it
	Type         NoticeType
	Payload      json.RawMessage
	ReplayOf     WebhookDeliveryID // 0: the first of its message
	State        WebhookDeliveryState
	Attempts     int
	LastStatus   *int    // HTTP status of the last answer; nil: there was none
	LastError    *string // why the last attempt did not count, without what lies behind the address
	NextAttempt  *time.Time
	CreatedAt    time.Time
	FinishedAt   *time.Time
}

// WebhookAttempt is what came of one attempt. An empty Fault is success.
type WebhookAttempt struct {
	Status int // 0: no answer
	Fault  string
	Gone   bool          // the receiver wants nothing more, ever
	Wait   time.Duration // what the receiver asks for before the next attempt; 0: nothing
}

// Attempted decides what becomes of a pending delivery: done, given up three days after it was made, or due again after
// pause, or after what the receiver asks for if that is longer.
func (d WebhookDelivery) Attempted(a WebhookAttempt, now time.Time, pause time.Duration) WebhookDelivery {
	d.Attempts++
	d.LastStatus, d.LastError, d.NextAttempt = nil, nil, nil
	if a.Status != 0 {
		d.LastStatus = &a.Status
	}
	if a.Fault == "" {
		d.State, d.FinishedAt = WebhookDelivered, &now
		return d
	}
	d.LastError = &a.Fault
	next := now.Add(max(pause, a.Wait))
	switch {
	case a.Gone:
		d.State, d.FinishedAt = WebhookDiscarded, &now
	case next.After(d.CreatedAt.Add(webhookTriedFor)):
		d.State, d.FinishedAt = WebhookFailed, &now
	default:
		d.NextAttempt = &next
	}
	return d
}

// Fails tells whether an endpoint has failed for so long that it is made inactive: since the oldest delivery was made that
// was given up after the latest one had arrived. What happened before somebody last changed the endpoint does not count.
func (e WebhookEndpoint) Fails(since *time.Time, now time.Time) bool {
	return e.IsActive && since != nil && now.Sub(*since) >= webhookFailingFor
}

// DisabledNotice says that the endpoint was made inactive by itself, to the organization's other ones.
func (e WebhookEndpoint) DisabledNotice(reason string) Notice {
	return NewNotice(NoticeEndpointDisabled, e.Organization, struct {
		Organization OrganizationID    `json:"organization_id"`
		Endpoint     WebhookEndpointID `json:"endpoint_id"`
		Reason       string            `json:"reason"`
	}{e.Organization, e.ID, reason})
}

// Discarded is the delivery given up because its endpoint takes nothing more, or a person says so.
func (d WebhookDelivery) Discarded(reason string, now time.Time) WebhookDelivery {
	d.State, d.LastError, d.NextAttempt, d.FinishedAt = WebhookDiscarded, &reason, nil, &now
	return d
}

// JobWebhook is the kind of job that makes the attempts of one delivery.
const JobWebhook = "webhook.delivery"

// webhookAttemptsMax is more than a delivery gets in three days: the delivery itself says when it is given up.
const webhookAttemptsMax = 1000

// WebhookJobArgs are the arguments of JobWebhook.
type WebhookJobArgs struct {
	Delivery WebhookDeliveryID `json:"delivery_id"`
	Endpoint WebhookEndpointID `json:"endpoint_id"`
	ByHand   bool              `json:"by_hand,omitempty"` // a person waits for it: it is tried although the endpoint is given a rest
}

// Job attempts the delivery until it has ended.
func (d WebhookDelivery) Job(byHand bool) Job {
	args, _ := json.Marshal(WebhookJobArgs{d.ID, d.Endpoint, byHand}) // numbers always marshal
	return Job{Kind: JobWebhook, Organization: d.Organization, Args: args, AttemptsMax: webhookAttemptsMax,
		UniqueKey: fmt.Sprintf("%s:%d:%d", JobWebhook, d.Organization, d.ID)}
}
