package xyra

import (
	"encoding/json"
	"fmt"
	"time"

	"xyra/money"
)

// InvoiceID identifies an invoice.
type InvoiceID int64

// InvoiceStatus is where an invoice stands.
type InvoiceStatus string

// The states of an invoice. Paid and cancelled are final.
const (
	InvoicePending   InvoiceStatus = "pending"
	InvoiceOverdue   InvoiceStatus = "overdue"
	InvoicePaid      InvoiceStatus = "paid"
	InvoiceCancelled InvoiceStatus = "cancelled"
)

// Invoice is a bill in one currency.
type Invoice struct {
	ID            InvoiceID
	Organization  OrganizationID
	Number        string // unique in the installation
	Sequence      int64  // counts the organization's invoices without gap, from 1
	Period        Period // 0: written by hand
	Currency      money.Currency
	Status        InvoiceStatus
	Amount        money.Decimal // sum of the lines
	TaxAmount     money.Decimal
	IssueDate     time.Time
	DueDate       time.Time
	Notes         *string
	Metadata      json.RawMessage
	PaymentMethod *string
	PaymentDate   *time.Time
	Stripe        StripeReferences
	CreatedAt     time.Time
	UpdatedAt     time.Time
	Parties       Parties // none on invoices from before they were kept
	Lines         []Line  // empty in lists
}

// StripeReferences are the names Stripe has for an invoice.
type StripeReferences struct {
	Invoice         *string
	CheckoutSession *string
	PaymentLink     *string
}

// Line is one row of an invoice.
type Line struct {
	ID            int64
	Description   string
	Quantity      money.Decimal
	UnitPrice     money.Decimal
	Amount        money.Decimal // quantity × unit price, rounded once to the currency's minor unit
	ItemType      string
	ReferenceID   *int64
	ReferenceType *string
	Metadata      json.RawMessage
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Total is what is to be paid.
func (i Invoice) Total() money.Decimal { return i.Amount.Add(i.TaxAmount) }

// Final tells whether nothing may change any more.
func (i Invoice) Final() bool { return i.Status == InvoicePaid || i.Status == InvoiceCancelled }

// Check proves that the lines are rounded as written and add up to the amount. It runs before an invoice is saved and
// after it is loaded with lines; an invoice that fails is neither saved nor shown.
func (i Invoice) Check() error {
	sum := money.Decimal{}
	for n, line := range i.Lines {
		if want := i.Currency.Round(line.Quantity.Mul(line.UnitPrice)); !want.Equal(line.Amount) {
			return fmt.Errorf("invoice %s line %d: amount %s is not quantity × unit price rounded (%s)", i.Number, n+1, line.Amount, want)
		}
		sum = sum.Add(line.Amount)
	}
	if !sum.Equal(i.Amount) {
		return fmt.Errorf("invoice %s: amount %s is not the sum of its lines (%s)", i.Number, i.Amount, sum)
	}
	return nil
}

// BilledUsage is the part of a usage row that one line of an invoice bills. Cancelling the invoice gives it back.
type BilledUsage struct {
	Usage   PeriodUsage // Quantity and Charge are the billed part
	Invoice InvoiceID
	Line    int64
}
