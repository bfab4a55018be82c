package billing

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"xyra"
	"xyra/store"
)

// Change is what may be changed on an issued invoice. A nil field stays as it is; a pointer to nil clears.
type Change struct {
	Status        *xyra.InvoiceStatus
	PaymentMethod **string
	PaymentDate   **time.Time
	Notes         **string
	Metadata      *json.RawMessage
}

// next are the states that each state may become. Paid and cancelled are final.
var next = map[xyra.InvoiceStatus][]xyra.InvoiceStatus{
	xyra.InvoicePending:   {xyra.InvoicePaid, xyra.InvoiceCancelled, xyra.InvoiceOverdue},
	xyra.InvoiceOverdue:   {xyra.InvoicePaid, xyra.InvoiceCancelled},
	xyra.InvoicePaid:      nil,
	xyra.InvoiceCancelled: nil,
}

// Update applies a change to an invoice that is neither paid nor cancelled and returns it without lines. Cancelling this
// way gives its usage back as Cancel does.
func Update(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.InvoiceID, change Change) (xyra.Invoice, error) {
	invoice, err := tx.InvoiceLocked(ctx, id)
	if err != nil {
		return xyra.Invoice{}, err
	}
	if change.Status != nil && *change.Status == invoice.Status {
		change.Status = nil
	}
	changed, err := change.apply(invoice, tx.Now)
	if err != nil || change == (Change{}) {
		return changed, err
	}
	saved, err := save(ctx, tx, caller, "invoice.update", changed)
	if err == nil && change.Status != nil {
		announceStatus(tx, saved)
	}
	if err != nil || !saved.Final() {
		return saved, err
	}
	return saved, finish(ctx, tx, caller, saved)
}

// apply is the status machine of PUT.
func (c Change) apply(i xyra.Invoice, now time.Time) (xyra.Invoice, error) {
	if i.Final() {
		return i, xyra.Invalid("Cannot update invoice with status: %s", i.Status)
	}
	if c.Status != nil {
		if _, known := next[*c.Status]; !known {
			return i, xyra.Invalid("Invalid invoice status: %s. Must be one of: pending, paid, overdue, cancelled", *c.Status)
		}
		if !slices.Contains(next[i.Status], *c.Status) {
			return i, xyra.Invalid("Cannot change invoice status from %s to %s", i.Status, *c.Status)
		}
		i.Status = *c.Status
	}
	if c.PaymentMethod != nil {
		i.PaymentMethod = *c.PaymentMethod
	}
	if c.PaymentDate != nil {
		i.PaymentDate = *c.PaymentDate
	}
	if c.Notes != nil {
		i.Notes = *c.Notes
	}
	if c.Metadata != nil {
		i.Metadata = *c.Metadata
	}
	if i.Status == xyra.InvoicePaid && (c.PaymentDate == nil || *c.PaymentDate == nil) {
		i.PaymentDate = &now
	}
	return i, nil
}

// Pay records that all that is due on an invoice was paid; a nil date is now. Of several that pay or cancel at once, one wins.
func Pay(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.InvoiceID, method string, date *time.Time) (xyra.Invoice, error) {
	invoice, err := tx.InvoiceLocked(ctx, id)
	if err != nil {
		return xyra.Invoice{}, err
	}
	switch invoice.Status {
	case xyra.InvoiceCancelled:
		return xyra.Invoice{}, xyra.Invalid("Cannot mark a cancelled invoice as paid")
	case xyra.InvoicePaid:
		return xyra.Invoice{}, xyra.Invalid("Invoice is already marked as paid")
	}
	saved, err := move(ctx, tx, caller, "invoice.pay", paid(invoice, method, date, tx.Now))
	if err != nil {
		return saved, err
	}
	return saved, finish(ctx, tx, caller, saved)
}

func paid(i xyra.Invoice, method string, date *time.Time, now time.Time) xyra.Invoice {
	if date == nil {
		date = &now
	}
	i.Status, i.PaymentMethod, i.PaymentDate = xyra.InvoicePaid, &method, date
	return i
}

// Cancel withdraws an invoice; the usage that it billed is open again. A cancelled one stays as it is.
func Cancel(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.InvoiceID) (xyra.Invoice, error) {
	invoice, err := tx.InvoiceLocked(ctx, id)
	if err != nil {
		return xyra.Invoice{}, err
	}
	switch invoice.Status {
	case xyra.InvoicePaid:
		return xyra.Invoice{}, xyra.Invalid("Cannot cancel a paid invoice")
	case xyra.InvoiceCancelled:
		return invoice, nil
	}
	invoice.Status = xyra.InvoiceCancelled
	saved, err := move(ctx, tx, caller, "invoice.cancel", invoice)
	if err != nil {
		return saved, err
	}
	return saved, finish(ctx, tx, caller, saved)
}

func save(ctx context.Context, tx *store.Tx, caller xyra.Caller, action string, i xyra.Invoice) (xyra.Invoice, error) {
	saved, err := tx.UpdateInvoice(ctx, i)
	if err != nil {
		return xyra.Invoice{}, err
	}
	seal(tx, caller, action, saved, nil)
	return saved, nil
}

// move saves an invoice that has come into another state, and announces that.
func move(ctx context.Context, tx *store.Tx, caller xyra.Caller, action string, i xyra.Invoice) (xyra.Invoice, error) {
	saved, err := save(ctx, tx, caller, action, i)
	if err == nil {
		announceStatus(tx, saved)
	}
	return saved, err
}

func announceStatus(tx *store.Tx, i xyra.Invoice) {
	if n, exists := i.StatusNotice(); exists {
		tx.Announce(n)
	}
}

// announceIssued tells of a new invoice, which is final as it is made.
func announceIssued(tx *store.Tx, i xyra.Invoice) {
	tx.Announce(i.Notice(xyra.NoticeInvoiceCreated))
	tx.Announce(i.Notice(xyra.NoticeInvoiceFinalized))
}
