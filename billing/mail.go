package billing

import (
	"context"

	"xyra"
	"xyra/store"
)

// promise adds what follows a new invoice: a page to pay it on and, if the installation mails invoices, a letter to the
// address that the invoice names.
func (by Issuer) promise(ctx context.Context, tx *store.Tx, i xyra.Invoice) error {
	if err := openCheckout(ctx, tx, i); err != nil {
		return err
	}
	if !by.MailsAll || i.Parties.Customer.Email == "" {
		return nil
	}
	_, _, err := tx.InsertJob(ctx, xyra.InvoiceMailJob(i, true, tx.Now))
	return err
}

// Mail promises to send an invoice to its customer, and returns the job and the address. Each call sends it once more.
func Mail(ctx context.Context, tx *store.Tx, caller xyra.Caller, by Issuer, id xyra.InvoiceID) (xyra.JobID, string, error) {
	i, err := tx.InvoiceLocked(ctx, id)
	if err != nil {
		return 0, "", err
	}
	if !by.Mails {
		return 0, "", xyra.Invalid("E-mail is not configured")
	}
	if i.Status == xyra.InvoiceCancelled {
		return 0, "", xyra.Invalid("Cannot send an invoice with status: %s", i.Status)
	}
	paper, err := tx.Paper(ctx, i, by.Seller)
	if err != nil {
		return 0, "", err
	}
	to := paper.Customer.Email
	if to == "" {
		return 0, "", xyra.Invalid("The invoice's customer has no e-mail address")
	}
	job, _, err := tx.InsertJob(ctx, xyra.InvoiceMailJob(i, false, tx.Now))
	audit(tx, caller, "invoice.mail", i, map[string]string{"to": to})
	return job, to, err
}
