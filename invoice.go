package xyra

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"xyra/money"
)

// InvoiceID identifies an invoice.
type InvoiceID int64

// InvoiceStatus is where an invoice stands.
type InvoiceStatus string

// The states of an invoice. Paid and cancelled are final; a draft is only shown and never stored.
const (
	InvoiceDraft     InvoiceStatus = "draft"
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
	Parties       Parties // none on invoices from before they were kept
	Lines         []Line  // empty in lists
	InvoiceOrigin
}

// InvoiceOrigin says when the row of an invoice was made and changed, and whether another program had issued it before.
type InvoiceOrigin struct {
	CreatedAt time.Time
	UpdatedAt time.Time
	Imported  []byte // Digest at the import of an invoice that another program issued; nil for our own
	Hash      []byte // chains what is frozen to the invoice before; nil while an older program's is not chained
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
// after it is loaded with lines; an invoice that fails is neither saved nor shown. One that another program issued is a
// document: its sums are that program's, and what is proved is that they are still those which were imported.
func (i Invoice) Check() error {
	if i.Imported != nil {
		if !bytes.Equal(i.Digest(), i.Imported) {
			return fmt.Errorf("invoice %s: its amounts or lines are no longer those that were imported", i.Number)
		}
		return nil
	}
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

// Digest is SHA-256 over what never changes on an invoice: number, currency, amounts and lines.
func (i Invoice) Digest() []byte {
	h := sha256.New()
	part := func(texts ...string) {
		for _, text := range texts {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
			h.Write([]byte(text))
		}
	}
	part(i.Number, string(i.Currency), i.Amount.Canonical(), i.TaxAmount.Canonical())
	for _, l := range i.Lines {
		part(strconv.FormatInt(l.ID, 10), l.Description, l.ItemType, l.Quantity.Canonical(), l.UnitPrice.Canonical(), l.Amount.Canonical())
	}
	return h.Sum(nil)
}

// BilledUsage is the part of a usage row that one line of an invoice bills. Cancelling the invoice gives it back.
type BilledUsage struct {
	Usage   PeriodUsage // Quantity and Charge are the billed part
	Invoice InvoiceID
	Line    int64
}
