package billing

import (
	"context"

	"xyra"
	"xyra/store"
)

// MarkOverdue notes that an invoice was not paid in time. One that is not pending, or whose due date has not passed, stays
// as it is and is false.
func MarkOverdue(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.InvoiceID) (xyra.Invoice, bool, error) {
	invoice, err := tx.InvoiceLocked(ctx, id)
	if err != nil || invoice.Status != xyra.InvoicePending || !invoice.DueDate.Before(tx.Now) {
		return invoice, false, err
	}
	invoice.Status = xyra.InvoiceOverdue
	invoice, err = move(ctx, tx, caller, "invoice.overdue", invoice)
	return invoice, err == nil, err
}
