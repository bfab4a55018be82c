package store

import (
	"context"
	"fmt"
	"strings"

	"xyra"
	"xyra/money"
)

const invoiceColumns = `organization_id, id, number, sequence, period, currency, status, amount, tax_amount, issue_date,
	due_date, notes, metadata, payment_method, payment_date, stripe_invoice_id, stripe_checkout_session_id,
	stripe_payment_link, created_at, updated_at, parties, imported, hash`

func scanInvoice(r row) (i xyra.Invoice, err error) {
	err = r.Scan(&i.Organization, &i.ID, &i.Number, &i.Sequence, &i.Period, &i.Currency, &i.Status, &i.Amount, &i.TaxAmount,
		instant{&i.IssueDate}, instant{&i.DueDate}, &i.Notes, object{&i.Metadata}, &i.PaymentMethod, instantOrNil{&i.PaymentDate},
		&i.Stripe.Invoice, &i.Stripe.CheckoutSession, &i.Stripe.PaymentLink, instant{&i.CreatedAt}, instant{&i.UpdatedAt}, parsed{&i.Parties}, &i.Imported, &i.Hash)
	return i, err
}

// Invoice reads one of an organization with its lines. One that does not add up is an error, not an answer.
func (r Reader) Invoice(ctx context.Context, organization xyra.OrganizationID, id xyra.InvoiceID) (xyra.Invoice, error) {
	invoice, err := one(ctx, r, "Invoice", "invoice", scanInvoice,
		`SELECT `+invoiceColumns+` FROM invoices WHERE organization_id = $1 AND id = $2`, organization, id)
	if err != nil {
		return xyra.Invoice{}, err
	}
	if invoice.Lines, err = r.invoiceLines(ctx, organization, id); err != nil {
		return xyra.Invoice{}, err
	}
	if err := invoice.Check(); err != nil {
		return xyra.Invoice{}, fmt.Errorf("read invoice %d: %w", id, err)
	}
	return invoice, nil
}

// InvoiceAnywhere reads one of any organization with its lines; only superusers may be shown it.
func (r Reader) InvoiceAnywhere(ctx context.Context, id xyra.InvoiceID) (xyra.Invoice, error) {
	organization, err := r.invoiceOwner(ctx, id)
	if err != nil {
		return xyra.Invoice{}, err
	}
	return r.Invoice(ctx, organization, id)
}

func (r Reader) invoiceOwner(ctx context.Context, id xyra.InvoiceID) (xyra.OrganizationID, error) {
	return one(ctx, r, "Invoice", "invoice owner", scanValue[xyra.OrganizationID], `SELECT organization_id FROM invoice_numbers WHERE id = $1`, id)
}

func (r Reader) invoiceLines(ctx context.Context, organization xyra.OrganizationID, id xyra.InvoiceID) ([]xyra.Line, error) {
	scan := func(r row) (l xyra.Line, err error) {
		err = r.Scan(&l.ID, &l.Description, &l.Quantity, &l.UnitPrice, &l.Amount, &l.ItemType, &l.ReferenceID, &l.ReferenceType,
			object{&l.Metadata}, instant{&l.CreatedAt}, instant{&l.UpdatedAt})
		return l, err
	}
	return collect(ctx, r, "invoice lines", scan, `SELECT id, description, quantity, unit_price, amount, item_type, reference_id,
		reference_type, metadata, created_at, updated_at FROM invoice_lines WHERE organization_id = $1 AND invoice_id = $2 ORDER BY id`, organization, id)
}

// Invoices lists an organization's without lines, newest issue date first; an empty status is every status.
func (r Reader) Invoices(ctx context.Context, organization xyra.OrganizationID, status string, skip, limit int64) ([]xyra.Invoice, error) {
	if status == "" {
		return collect(ctx, r, "invoices", scanInvoice, `SELECT `+invoiceColumns+` FROM invoices
			WHERE organization_id = $1 ORDER BY issue_date DESC, id DESC LIMIT $2 OFFSET $3`, organization, limit, skip)
	}
	return collect(ctx, r, "invoices by status", scanInvoice, `SELECT `+invoiceColumns+` FROM invoices
		WHERE organization_id = $1 AND status = $2 ORDER BY issue_date DESC, id DESC LIMIT $3 OFFSET $4`, organization, status, limit, skip)
}

// GeneratedInvoice reads, without lines, the invoice that was generated for a period in a currency and is not cancelled.
func (r Reader) GeneratedInvoice(ctx context.Context, organization xyra.OrganizationID, period xyra.Period, currency money.Currency) (xyra.Invoice, error) {
	return one(ctx, r, "Invoice", "generated invoice", scanInvoice, `SELECT `+invoiceColumns+` FROM invoices
		WHERE organization_id = $1 AND period = $2 AND currency = $3 AND is_generated AND status <> 'cancelled'`, organization, period, currency)
}

// InvoiceLocked reads one of any organization without lines and keeps its row locked until the transaction ends, so that
// of several changes of status each sees the one before.
func (tx *Tx) InvoiceLocked(ctx context.Context, id xyra.InvoiceID) (xyra.Invoice, error) {
	organization, err := tx.invoiceOwner(ctx, id)
	if err != nil {
		return xyra.Invoice{}, err
	}
	return one(ctx, tx.Reader, "Invoice", "invoice locked", scanInvoice,
		`SELECT `+invoiceColumns+` FROM invoices WHERE organization_id = $1 AND id = $2 FOR UPDATE`, organization, id)
}

// InsertInvoiceNumber claims a number and the id that goes with it. It is false when the number is taken; it waits for a
// transaction that holds the same number, so a transaction should claim one only.
func (tx *Tx) InsertInvoiceNumber(ctx context.Context, organization xyra.OrganizationID, number string) (xyra.InvoiceID, bool, error) {
	ids, err := collect(ctx, tx.Reader, "insert invoice number", scanValue[xyra.InvoiceID], `INSERT INTO invoice_numbers (number, organization_id)
		VALUES ($1, $2) ON CONFLICT (number) DO NOTHING RETURNING id`, number, organization)
	if err != nil || len(ids) == 0 {
		return 0, false, err
	}
	return ids[0], true, nil
}

// InsertInvoice saves i and its lines under the id of its claimed number and returns it with sequence, line ids and
// times. It is false, and nothing is kept, when the period has a generated invoice already. The sequence is locked
// until the transaction ends: nothing that others hold should be waited for afterwards.
func (tx *Tx) InsertInvoice(ctx context.Context, i xyra.Invoice) (xyra.Invoice, bool, error) {
	if err := i.Check(); err != nil {
		return i, false, fmt.Errorf("insert invoice: %w", err)
	}
	lineIDs, err := tx.ids(ctx, "line_ids", len(i.Lines))
	if err != nil {
		return i, false, err
	}
	i.CreatedAt, i.UpdatedAt = tx.Now, tx.Now
	for n := range i.Lines {
		i.Lines[n].ID, i.Lines[n].CreatedAt, i.Lines[n].UpdatedAt = lineIDs[n], tx.Now, tx.Now
	}
	i, parties, err := tx.link(ctx, i)
	if err != nil {
		return i, false, err
	}
	now := xyra.Micros(tx.Now)
	inserted, err := tx.exec(ctx, "insert invoice", `INSERT INTO invoices (organization_id, id, number, sequence, is_generated, period,
		currency, status, amount, tax_amount, issue_date, due_date, notes, metadata, payment_method, payment_date, created_at, updated_at, parties, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17, $18, $19)
		ON CONFLICT (organization_id, period, currency) WHERE is_generated AND status <> 'cancelled' DO NOTHING`,
		i.Organization, i.ID, i.Number, i.Sequence, i.Period != 0, i.Period, i.Currency, i.Status, i.Amount, i.TaxAmount,
		xyra.Micros(i.IssueDate), xyra.Micros(i.DueDate), i.Notes, textOrNil(i.Metadata), i.PaymentMethod, microsOrNil(i.PaymentDate), now, parties, i.Hash)
	if err != nil || inserted == 0 {
		return i, false, err
	}
	return i, true, tx.insertLines(ctx, i)
}

// InvoiceSequence is how many invoices an organization has had. It stands still while the organization is locked.
func (r Reader) InvoiceSequence(ctx context.Context, organization xyra.OrganizationID) (int64, error) {
	return value[int64](ctx, r, "invoice sequence", `SELECT COALESCE((SELECT sequence FROM invoice_sequences WHERE organization_id = $1), 0)`, organization)
}

// rowsAtOnce bounds how many rows one INSERT carries: both databases limit the parameters of a statement.
const rowsAtOnce = 100

func (tx *Tx) insertLines(ctx context.Context, i xyra.Invoice) error {
	const columns = 13
	for from := 0; from < len(i.Lines); from += rowsAtOnce {
		lines := i.Lines[from:min(from+rowsAtOnce, len(i.Lines))]
		args := make([]any, 0, columns*len(lines))
		for _, l := range lines {
			args = append(args, i.Organization, i.ID, l.ID, l.Description, l.Quantity, l.UnitPrice, l.Amount, l.ItemType,
				l.ReferenceID, l.ReferenceType, textOrNil(l.Metadata), xyra.Micros(l.CreatedAt), xyra.Micros(l.UpdatedAt))
		}
		if _, err := tx.exec(ctx, "insert invoice lines", `INSERT INTO invoice_lines (organization_id, invoice_id, id, description,
			quantity, unit_price, amount, item_type, reference_id, reference_type, metadata, created_at, updated_at)
			VALUES `+placeholders(len(lines), columns), args...); err != nil {
			return err
		}
	}
	return nil
}

// placeholders writes ($1, $2), ($3, $4) … for so many rows.
func placeholders(rows, columns int) string {
	var text strings.Builder
	for n := range rows * columns {
		switch {
		case n == 0:
			text.WriteString("(")
		case n%columns == 0:
			text.WriteString("), (")
		default:
			text.WriteString(", ")
		}
		fmt.Fprintf(&text, "$%d", n+1)
	}
	return text.String() + ")"
}

// UpdateInvoice writes what may change after issue: status, payment, notes and metadata. It sets and returns updated_at.
func (tx *Tx) UpdateInvoice(ctx context.Context, i xyra.Invoice) (xyra.Invoice, error) {
	i.UpdatedAt = tx.Now
	_, err := tx.exec(ctx, "update invoice", `UPDATE invoices SET status = $3, payment_method = $4, payment_date = $5, notes = $6,
		metadata = $7, updated_at = $8 WHERE organization_id = $1 AND id = $2`, i.Organization, i.ID, i.Status, i.PaymentMethod,
		microsOrNil(i.PaymentDate), i.Notes, textOrNil(i.Metadata), xyra.Micros(i.UpdatedAt))
	return i, err
}
