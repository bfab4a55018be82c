package xyra

import (
	"fmt"
	"time"

	"xyra/money"
)

// The kinds of jobs that bring Stripe to what the books say.
const (
	JobStripeCustomer = "stripe.customer"
	JobStripeCheckout = "stripe.checkout"
)

// stripeAttemptsMax lets Stripe be away for a day before a job fails for good.
const stripeAttemptsMax = 30

// StripeEventWaits is how long an event waits for the payment that it is about. Stripe repeats an event for three days and
// shows it for thirty.
const StripeEventWaits = 90 * 24 * time.Hour

// StripeJobArgs are the arguments of both kinds.
type StripeJobArgs struct {
	Invoice InvoiceID `json:"invoice_id,omitempty"` // of JobStripeCheckout
}

// StripeCustomerJob brings Stripe's customer to what the organization is now.
func StripeCustomerJob(id OrganizationID) Job {
	return Job{Kind: JobStripeCustomer, Organization: id, AttemptsMax: stripeAttemptsMax}
}

// StripeCheckoutJob brings Stripe's checkout sessions to what is due on the invoice now.
func StripeCheckoutJob(organization OrganizationID, id InvoiceID) Job {
	return Job{Kind: JobStripeCheckout, Organization: organization, AttemptsMax: stripeAttemptsMax, Args: fmt.Appendf(nil, `{"invoice_id":%d}`, id)}
}

// CheckoutStatus is where a checkout session stands, as far as is known here.
type CheckoutStatus string

// The states of a session. A later one is never left for an earlier one; processing means that the customer is done and
// the bank is not.
const (
	CheckoutOpen       CheckoutStatus = "open"
	CheckoutProcessing CheckoutStatus = "processing"
	CheckoutExpired    CheckoutStatus = "expired"
	CheckoutFailed     CheckoutStatus = "failed"
	CheckoutComplete   CheckoutStatus = "complete"
)

var checkoutRanks = map[CheckoutStatus]int{CheckoutOpen: 0, CheckoutProcessing: 1, CheckoutExpired: 2, CheckoutFailed: 2, CheckoutComplete: 3}

// May tells whether a session in state s moves on to another one; events come in any order.
func (s CheckoutStatus) May(to CheckoutStatus) bool { return checkoutRanks[to] > checkoutRanks[s] }

// CheckoutSession is a page of Stripe's on which an invoice is paid.
type CheckoutSession struct {
	ID           string
	Organization OrganizationID
	Invoice      InvoiceID
	Status       CheckoutStatus
	Amount       money.Decimal // what Stripe was asked to charge
	Link         string
	Intent       *string // Stripe's payment intent, once one is known
	CreatedAt    time.Time
	ExpiresAt    time.Time
}

// Pays tells whether the customer can still pay charge on the session at now.
func (c CheckoutSession) Pays(charge money.Decimal, now time.Time) bool {
	return c.Status == CheckoutOpen && c.Amount.Equal(charge) && now.Before(c.ExpiresAt)
}

// StripeEvent is what an event of Stripe's says that matters here.
type StripeEvent struct {
	ID            string         `json:"id"` // "" none was sent
	Type          string         `json:"type"`
	Session       string         `json:"session,omitempty"`
	Intent        string         `json:"intent,omitempty"`
	Charge        string         `json:"charge,omitempty"`
	Dispute       string         `json:"dispute,omitempty"`
	Refund        string         `json:"refund,omitempty"`
	Invoice       InvoiceID      `json:"invoice_id,omitempty"` // of a session: what was written on it when it was made here
	InvoiceNumber string         `json:"invoice_number,omitempty"`
	Status        string         `json:"status,omitempty"` // payment_status of a session, status of a dispute or refund
	Amount        *money.Decimal `json:"amount,omitempty"` // of a charge: what has been refunded so far; nil: not sent
	Currency      money.Currency `json:"currency,omitempty"`
	AmountUnknown bool           `json:"amount_unknown,omitempty"` // an amount was sent that cannot be understood
}

// stripeUnits are the decimal places of an amount at Stripe where they are not the currency's own, and 10^places are not
// enough: see https://docs.stripe.com/currencies#special-cases. All others have two.
var stripeUnits = map[money.Currency]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "JPY": 0, "KMF": 0, "KRW": 0, "MGA": 0, "PYG": 0, "RWF": 0, "VND": 0, "VUV": 0,
	"XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3,
}

// stripeSteps are the decimal places of the smallest step that Stripe can charge, where they are fewer than those of the
// amount: two zeros stand behind whole kronur and shillings, one behind the fils.
var stripeSteps = map[money.Currency]int{"ISK": 0, "UGX": 0, "BHD": 2, "JOD": 2, "KWD": 2, "OMR": 2, "TND": 2}

func stripePlaces(c money.Currency) int {
	if places, listed := stripeUnits[c]; listed {
		return places
	}
	return 2
}

// StripeCharge is the amount nearest to d that Stripe can charge, a half away from zero: 5.124 KWD is charged as 5.12.
func StripeCharge(c money.Currency, d money.Decimal) money.Decimal {
	places, coarser := stripeSteps[c]
	if !coarser {
		places = stripePlaces(c)
	}
	return d.RoundHalfAway(places)
}

// StripeAmount is what StripeCharge would charge, as Stripe writes it: in its smallest unit. It is false beyond 64 bits.
func StripeAmount(c money.Currency, d money.Decimal) (int64, bool) {
	return StripeCharge(c, d).Shift(stripePlaces(c)).Int64()
}

// FromStripeAmount reads an amount as Stripe writes it.
func FromStripeAmount(c money.Currency, units int64) money.Decimal {
	return money.FromInt(units).Shift(-stripePlaces(c))
}
