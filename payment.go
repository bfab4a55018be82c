package xyra

import (
	"time"

	"xyra/money"
)

// PaymentID identifies a row of the payment book.
type PaymentID int64

// PaymentKind says what a row of the payment book records.
type PaymentKind string

// The kinds of rows. Money came in, credit was spent, what had settled a cancelled invoice became credit, money went
// back, a bank took it back or gave it back after all, and the difference to an amount that Stripe cannot charge exactly.
const (
	PaymentReceived   PaymentKind = "payment"
	PaymentCredit     PaymentKind = "credit"
	PaymentRelease    PaymentKind = "release"
	PaymentRefund     PaymentKind = "refund"
	PaymentDispute    PaymentKind = "dispute"
	PaymentDisputeWon PaymentKind = "dispute_won"
	PaymentRounding   PaymentKind = "rounding"
)

// PaymentSource says who told of it.
type PaymentSource string

// A person, or Stripe.
const (
	PaymentManual PaymentSource = "manual"
	PaymentStripe PaymentSource = "stripe"
)

// Payment is one row of the payment book of an invoice. Rows are never changed.
type Payment struct {
	ID           PaymentID
	Organization OrganizationID
	Invoice      InvoiceID
	Kind         PaymentKind
	Source       PaymentSource
	Currency     money.Currency
	Amount       money.Decimal // never negative
	Applied      money.Decimal // what it settles of the invoice; negative when money goes back
	Credited     money.Decimal // what it adds to the organization's unapplied credit
	Method       *string
	Reference    *string   // a bank's text; of Stripe: the checkout session, charge or dispute
	At           time.Time // when it was paid, as far as is known
	RecordedBy   string    // Caller.Name
	CreatedAt    time.Time
}

// Settlement is what the rows of an invoice in one currency add up to.
type Settlement struct {
	Applied  money.Decimal // settles the invoice
	Credited money.Decimal // became credit out of money that came in for this invoice
}

// Due is what is still to be paid when so much has been settled: never negative, and nothing once the invoice is final.
func (i Invoice) Due(settled money.Decimal) money.Decimal {
	due := i.Total().Sub(settled)
	if i.Final() || due.Sign() < 0 {
		return money.Decimal{}
	}
	return due
}

// Receive divides money that comes in between what is due and credit.
func Receive(amount, due money.Decimal) (applied, credited money.Decimal) {
	if amount.Cmp(due) <= 0 {
		return amount, money.Decimal{}
	}
	return due, amount.Sub(due)
}

// GiveBack divides money that goes back: first what became credit and is still there, then what settled the invoice. Both
// are negative.
func (s Settlement) GiveBack(amount, balance money.Decimal) (applied, credited money.Decimal) {
	fromCredit := least(amount, s.Credited, balance)
	if fromCredit.Sign() < 0 {
		fromCredit = money.Decimal{}
	}
	return fromCredit.Sub(amount), fromCredit.Neg()
}

// Restore divides money that comes back after all: it settles what the invoice has lost, and the rest is credit again. So
// it does not matter in which order money went and came.
func (i Invoice) Restore(settled, amount money.Decimal, currency money.Currency) (applied, credited money.Decimal) {
	lost := settled.Neg()
	if i.Status != InvoiceCancelled && currency == i.Currency {
		lost = i.Total().Sub(settled)
	}
	if lost.Sign() < 0 {
		lost = money.Decimal{}
	}
	return Receive(amount, lost)
}

func least(d money.Decimal, others ...money.Decimal) money.Decimal {
	for _, other := range others {
		if other.Cmp(d) < 0 {
			d = other
		}
	}
	return d
}

// Credit is an organization's unapplied money in one currency.
type Credit struct {
	Currency money.Currency
	Balance  money.Decimal
}

// Divided tells whether what a row applies and credits is its amount, in the direction of its kind.
func (p Payment) Divided() bool {
	both := p.Applied.Add(p.Credited)
	switch p.Kind {
	case PaymentReceived, PaymentDisputeWon:
		return both.Equal(p.Amount)
	case PaymentRefund, PaymentDispute:
		return both.Equal(p.Amount.Neg())
	case PaymentCredit:
		return both.IsZero() && p.Applied.Equal(p.Amount)
	case PaymentRelease:
		return both.IsZero() && p.Credited.Equal(p.Amount)
	case PaymentRounding:
		return p.Credited.IsZero() && p.Applied.Abs().Equal(p.Amount)
	}
	return false
}
