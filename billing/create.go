package billing

import (
	"context"

	"xyra"
	"xyra/store"
)

// Create saves an invoice that was written by hand: organization, due date, currency, lines and, if they like, number,
// notes and metadata are the caller's; everything else is set here. An empty number is replaced by a generated one.
func Create(ctx context.Context, tx *store.Tx, caller xyra.Caller, by Issuer, invoice xyra.Invoice) (xyra.Invoice, error) {
	// Locked, so that the organization is not archived in the meantime.
	organization, err := tx.OrganizationLocked(ctx, invoice.Organization)
	if err != nil {
		if xyra.HasCode(err, xyra.CodeNotFound) {
			err = xyra.Invalid("Organization with ID %d not found", invoice.Organization)
		}
		return xyra.Invoice{}, err
	}
	if invoice.Number == "" {
		invoice.Number, invoice.ID, err = by.claimNumber(ctx, tx, organization)
	} else {
		var claimed bool
		invoice.ID, claimed, err = tx.InsertInvoiceNumber(ctx, invoice.Organization, invoice.Number)
		if err == nil && !claimed {
			err = xyra.Invalid("Invoice with number %s already exists", invoice.Number)
		}
	}
	if err != nil {
		return xyra.Invoice{}, err
	}

	if invoice, err = issue(invoice); err != nil {
		return xyra.Invoice{}, err
	}
	invoice.IssueDate, invoice.Parties = tx.Now, by.parties(organization)

	if invoice, _, err = tx.InsertInvoice(ctx, invoice); err != nil {
		return xyra.Invoice{}, err
	}
	seal(tx, caller, "invoice.create", invoice, nil)
	announceIssued(tx, invoice)
	return invoice, by.promise(ctx, tx, invoice)
}

// issue checks each line against its own quantity and price and adds them up.
func issue(invoice xyra.Invoice) (xyra.Invoice, error) {
	invoice.Period, invoice.Status = 0, xyra.InvoicePending
	for n, line := range invoice.Lines {
		expected := invoice.Currency.Round(line.Quantity.Mul(line.UnitPrice))
		if !line.Amount.Equal(expected) {
			return invoice, xyra.Invalid("Line item %d: amount %s does not match quantity x unit_price (%s)", n+1, line.Amount, expected)
		}
		invoice.Amount = invoice.Amount.Add(line.Amount)
	}
	return invoice, nil
}
