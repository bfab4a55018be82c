package store

import (
	"context"

	"xyra"
	"xyra/money"
)

const paymentColumns = `organization_id, id, invoice_id, kind, source, currency, amount, applied, credited, method, reference, at,
	recorded_by, created_at`

func scanPayment(r row) (p xyra.Payment, err error) {
	err = r.Scan(&p.Organization, &p.ID, &p.Invoice, &p.Kind, &p.Source, &p.Currency, &p.Amount, &p.Applied, &p.Credited,
		&p.Method, &p.Reference, instant{&p.At}, &p.RecordedBy, instant{&p.CreatedAt})
	return p, err
}

// Payments lists an invoice's book in the order in which it was written.
func (r Reader) Payments(ctx context.Context, organization xyra.OrganizationID, invoice xyra.InvoiceID, skip, limit int64) ([]xyra.Payment, error) {
	return collect(ctx, r, "payments", scanPayment, `SELECT `+paymentColumns+` FROM payments
		WHERE organization_id = $1 AND invoice_id = $2 ORDER BY id LIMIT $3 OFFSET $4`, organization, invoice, limit, skip)
}

// StripePayment reads the one row of a kind that Stripe's name stands for: payments, disputes and their ends.
func (r Reader) StripePayment(ctx context.Context, organization xyra.OrganizationID, kind xyra.PaymentKind, reference string) (xyra.Payment, error) {
	return one(ctx, r, "Payment", "stripe payment", scanPayment, `SELECT `+paymentColumns+` FROM payments
		WHERE organization_id = $1 AND kind = $2 AND reference = $3 AND source = 'stripe' AND kind IN ('payment', 'dispute', 'dispute_won')`,
		organization, kind, reference)
}

// Refunded is how much of a charge of an invoice the book holds as refunded.
func (r Reader) Refunded(ctx context.Context, organization xyra.OrganizationID, invoice xyra.InvoiceID, charge string) (money.Decimal, error) {
	return value[money.Decimal](ctx, r, "refunded", `SELECT COALESCE(dec_sum(amount), '0') FROM payments
		WHERE organization_id = $1 AND invoice_id = $2 AND kind = 'refund' AND source = 'stripe' AND reference = $3`, organization, invoice, charge)
}

// Settlement adds up an invoice's book in one currency.
func (r Reader) Settlement(ctx context.Context, organization xyra.OrganizationID, invoice xyra.InvoiceID, currency money.Currency) (xyra.Settlement, error) {
	scan := func(r row) (s xyra.Settlement, err error) { return s, r.Scan(&s.Applied, &s.Credited) }
	return one(ctx, r, "Settlement", "settlement", scan, `SELECT COALESCE(dec_sum(applied), '0'),
			COALESCE(dec_sum(credited) FILTER (WHERE kind <> 'credit'), '0')
		FROM payments WHERE organization_id = $1 AND invoice_id = $2 AND currency = $3`, organization, invoice, currency)
}

// InsertPayment adds a row with its id and time and returns it, and changes the organization's credit with it. The
// invoice must be locked.
func (tx *Tx) InsertPayment(ctx context.Context, p xyra.Payment) (xyra.Payment, error) {
	ids, err := tx.ids(ctx, "payment_ids", 1)
	if err != nil {
		return p, err
	}
	p.ID, p.CreatedAt = xyra.PaymentID(ids[0]), tx.Now
	if _, err := tx.exec(ctx, "insert payment", `INSERT INTO payments (`+paymentColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`, p.Organization, p.ID, p.Invoice, p.Kind, p.Source, p.Currency,
		p.Amount, p.Applied, p.Credited, p.Method, p.Reference, xyra.Micros(p.At), p.RecordedBy, xyra.Micros(p.CreatedAt)); err != nil {
		return p, err
	}
	if p.Credited.IsZero() {
		return p, nil
	}
	_, err = tx.exec(ctx, "add credit", `INSERT INTO credits (organization_id, currency, balance) VALUES ($1, $2, $3)
		ON CONFLICT (organization_id, currency) DO UPDATE SET balance = dec_add(credits.balance, excluded.balance)`, p.Organization, p.Currency, p.Credited)
	return p, err
}

func scanCredit(r row) (c xyra.Credit, err error) { return c, r.Scan(&c.Currency, &c.Balance) }

// Credits lists an organization's unapplied money, a row for each currency that there ever was.
func (r Reader) Credits(ctx context.Context, organization xyra.OrganizationID) ([]xyra.Credit, error) {
	return collect(ctx, r, "credits", scanCredit, `SELECT currency, balance FROM credits WHERE organization_id = $1 ORDER BY currency`, organization)
}

// CreditLocked is the unapplied money in a currency; the row stays locked until the transaction ends. Lock the invoice
// first.
func (tx *Tx) CreditLocked(ctx context.Context, organization xyra.OrganizationID, currency money.Currency) (money.Decimal, error) {
	credit, err := one(ctx, tx.Reader, "Credit", "credit locked", scanCredit,
		`SELECT currency, balance FROM credits WHERE organization_id = $1 AND currency = $2 FOR UPDATE`, organization, currency)
	if xyra.HasCode(err, xyra.CodeNotFound) {
		return money.Decimal{}, nil
	}
	return credit.Balance, err
}

// CreditSums recomputes an organization's credit from its payment book.
func (r Reader) CreditSums(ctx context.Context, organization xyra.OrganizationID) ([]xyra.Credit, error) {
	return collect(ctx, r, "credit sums", scanCredit, `SELECT currency, dec_sum(credited) FROM payments
		WHERE organization_id = $1 GROUP BY currency ORDER BY currency`, organization)
}
