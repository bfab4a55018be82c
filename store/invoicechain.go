package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"xyra"
)

// chainEnd is how far an organization's invoices are counted and how far they are chained, with the last hash.
type chainEnd struct {
	organization      xyra.OrganizationID
	sequence, chained int64
	hash              []byte
}

func scanChainEnd(r row) (e chainEnd, err error) {
	return e, r.Scan(&e.organization, &e.sequence, &e.chained, &e.hash)
}

// link makes i, which is otherwise ready, the next of its organization's sequence and chain, and returns its parties as
// they are stored. The sequence stays locked until the transaction ends.
func (tx *Tx) link(ctx context.Context, i xyra.Invoice) (xyra.Invoice, string, error) {
	parties, err := json.Marshal(i.Parties)
	if err != nil {
		return i, "", fmt.Errorf("write the parties of invoice %s: %w", i.Number, err)
	}
	end, err := one(ctx, tx.Reader, "Sequence", "invoice sequence", scanChainEnd, `INSERT INTO invoice_sequences (organization_id, sequence) VALUES ($1, 1)
		ON CONFLICT (organization_id) DO UPDATE SET sequence = invoice_sequences.sequence + 1
		RETURNING organization_id, sequence, chained, hash`, i.Organization)
	if err != nil {
		return i, "", err
	}
	if end.chained < end.sequence-1 {
		if end, err = tx.chainRest(ctx, end, end.sequence-1); err != nil {
			return i, "", err
		}
	}
	text := string(parties)
	i.Sequence = end.sequence
	i.Hash = frozenInvoice{Invoice: i, generated: i.Period != 0, parties: &text}.link(end.hash)
	end.chained, end.hash = i.Sequence, i.Hash
	return i, text, tx.updateChainEnd(ctx, end)
}

func (tx *Tx) updateChainEnd(ctx context.Context, e chainEnd) error {
	_, err := tx.exec(ctx, "invoice chain", `UPDATE invoice_sequences SET chained = $2, hash = $3 WHERE organization_id = $1`, e.organization, e.chained, e.hash)
	return err
}

// chainPage bounds how many invoices are held in memory at once.
const chainPage = 200

// chainRest chains what an older program has issued up to a sequence, and says of each in the audit log that, and as what,
// it was chained only now.
func (tx *Tx) chainRest(ctx context.Context, end chainEnd, upTo int64) (chainEnd, error) {
	for end.chained < upTo {
		page, err := tx.frozenInvoices(ctx, end.organization, end.chained)
		if err != nil {
			return end, err
		}
		for _, f := range page {
			if f.Sequence > upTo {
				break
			}
			f.Hash = f.link(end.hash)
			if _, err := tx.exec(ctx, "chain invoice", `UPDATE invoices SET hash = $3 WHERE organization_id = $1 AND id = $2`, f.Organization, f.ID, f.Hash); err != nil {
				return end, err
			}
			detail, err := json.Marshal(map[string]any{"number": f.Number, "sequence": f.Sequence})
			if err != nil {
				return end, fmt.Errorf("write the audit entry of invoice %s: %w", f.Number, err)
			}
			tx.Audit(xyra.Caller{}, xyra.AuditEntry{Organization: f.Organization, Action: "invoice.chain", ObjectID: int64(f.ID), Detail: detail, Seal: InvoiceSeal(f.Invoice)})
			end.chained, end.hash = f.Sequence, f.Hash
		}
		if len(page) < chainPage {
			break
		}
	}
	return end, nil
}

// chainInvoices chains what invoices older programs have left, an organization at a time. Those that were issued before
// there was a chain are vouched for from then on, as they were then.
func (db *DB) chainInvoices(ctx context.Context) error {
	open, err := collect(ctx, db.Reader, "unchained invoices", scanChainEnd,
		`SELECT organization_id, sequence, chained, hash FROM invoice_sequences WHERE chained < sequence ORDER BY organization_id`)
	if err != nil {
		return err
	}
	for _, o := range open {
		err := db.Tx(ctx, func(tx *Tx) error {
			end, err := one(ctx, tx.Reader, "Sequence", "invoice chain locked", scanChainEnd,
				`SELECT organization_id, sequence, chained, hash FROM invoice_sequences WHERE organization_id = $1 FOR UPDATE`, o.organization)
			if err != nil {
				return err
			}
			if end, err = tx.chainRest(ctx, end, end.sequence); err != nil {
				return err
			}
			return tx.updateChainEnd(ctx, end)
		})
		if err != nil {
			return fmt.Errorf("chain the invoices of organization %d: %w", o.organization, err)
		}
	}
	return nil
}

// frozenInvoices reads the next invoices of an organization by sequence as the chain covers them.
func (r Reader) frozenInvoices(ctx context.Context, organization xyra.OrganizationID, sequence int64) ([]frozenInvoice, error) {
	scan := func(r row) (f frozenInvoice, err error) {
		i := &f.Invoice
		err = r.Scan(&i.Organization, &i.ID, &i.Number, &i.Sequence, &f.generated, &i.Period, &i.Currency, &i.Amount, &i.TaxAmount,
			instant{&i.IssueDate}, instant{&i.DueDate}, instant{&i.CreatedAt}, &f.parties, &i.Imported, &i.Hash, &i.Status, &i.Notes, object{&i.Metadata},
			&i.PaymentMethod, instantOrNil{&i.PaymentDate}, &i.Stripe.Invoice, &i.Stripe.CheckoutSession, &i.Stripe.PaymentLink, instant{&i.UpdatedAt})
		return f, err
	}
	page, err := collect(ctx, r, "frozen invoices", scan, `SELECT organization_id, id, number, sequence, is_generated, period, currency, amount, tax_amount,
			issue_date, due_date, created_at, parties, imported, hash, status, notes, metadata, payment_method, payment_date, stripe_invoice_id,
			stripe_checkout_session_id, stripe_payment_link, updated_at
		FROM invoices WHERE organization_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`, organization, sequence, chainPage)
	if err != nil {
		return nil, err
	}
	for n := range page {
		if page[n].Lines, err = r.invoiceLines(ctx, organization, page[n].ID); err != nil {
			return nil, err
		}
	}
	return page, nil
}

// lastSeal is the newest audit entry that says what an invoice has become. One of an older program has no seal.
type lastSeal struct {
	exists  bool
	seal    []byte
	chained bool // the invoice was issued or chained by a program that seals
}

func (r Reader) lastSeal(ctx context.Context, organization xyra.OrganizationID, id xyra.InvoiceID) (lastSeal, error) {
	seals, err := collect(ctx, r, "invoice seal", scanValue[[]byte], `SELECT seal FROM audit_entries WHERE organization_id = $1 AND object_id = $2
		AND action IN ('invoice.create', 'invoice.generate', 'invoice.import', 'invoice.chain', 'invoice.update', 'invoice.pay', 'invoice.cancel',
			'invoice.overdue', 'invoice.checkout') ORDER BY sequence DESC LIMIT 1`, organization, int64(id))
	if err != nil || len(seals) == 0 {
		return lastSeal{}, err
	}
	chained, err := value[bool](ctx, r, "invoice chained", `SELECT EXISTS (SELECT 1 FROM audit_entries WHERE organization_id = $1 AND object_id = $2
		AND action IN ('invoice.create', 'invoice.generate', 'invoice.import', 'invoice.chain') AND seal IS NOT NULL)`, organization, int64(id))
	return lastSeal{true, seals[0], chained}, err
}

// VerifyInvoices walks an organization's invoices along their chain and returns a text for each that is not as it was
// issued, for each whose state is not what the audit log says of it, and for each that is missing.
func (r Reader) VerifyInvoices(ctx context.Context, organization xyra.OrganizationID) (faults []string, err error) {
	ends, err := collect(ctx, r, "invoice chain", scanChainEnd,
		`SELECT organization_id, sequence, chained, hash FROM invoice_sequences WHERE organization_id = $1`, organization)
	if err != nil {
		return nil, err
	}
	var said, reached chainEnd
	if len(ends) > 0 {
		said = ends[0]
	}
	for last := int64(0); ; {
		page, err := r.frozenInvoices(ctx, organization, last)
		if err != nil {
			return nil, err
		}
		for _, f := range page {
			last = f.Sequence
			seal, err := r.lastSeal(ctx, organization, f.ID)
			if err != nil {
				return nil, err
			}
			faults = append(faults, f.faults(reached.hash, last <= said.chained, seal)...)
			if f.Hash != nil {
				reached.chained, reached.hash = f.Sequence, f.Hash
			}
		}
		if len(page) < chainPage {
			break
		}
	}
	if reached.chained != said.chained || !bytes.Equal(reached.hash, said.hash) {
		faults = append(faults, fmt.Sprintf("organization %d: its chain of invoices ends at %d, its head says %d or has another hash", organization, reached.chained, said.chained))
	}
	missing, err := r.missing(ctx, organization)
	return append(faults, missing...), err
}

// faults says what is wrong with an invoice, whose hash should go on from before when it is chained. One that is not yet
// chained comes from an older program that runs beside this one: then nothing has sealed its issue.
func (f frozenInvoice) faults(before []byte, chained bool, last lastSeal) (faults []string) {
	say := func(what string) {
		faults = append(faults, fmt.Sprintf("organization %d: invoice %s (sequence %d) %s", f.Organization, f.Number, f.Sequence, what))
	}
	switch {
	case chained && !bytes.Equal(f.link(before), f.Hash):
		say("is not as it was issued, or not in its place: its hash does not go on from the one before")
	case !chained && (f.Hash != nil || last.chained):
		say("is outside the chain")
	}
	switch {
	case !last.exists && chained:
		say("is not in the audit log")
	case last.seal != nil && !bytes.Equal(InvoiceSeal(f.Invoice), last.seal):
		say("is not in the state that the audit log says")
	}
	return faults
}

// missing says which invoices and payments the audit log knows and the books do not, and which payments are not what it says.
func (r Reader) missing(ctx context.Context, organization xyra.OrganizationID) (faults []string, err error) {
	gone, err := collect(ctx, r, "missing invoices", scanValue[int64], `SELECT object_id FROM audit_entries a WHERE a.organization_id = $1
		AND a.action IN ('invoice.create', 'invoice.generate', 'invoice.import')
		AND NOT EXISTS (SELECT 1 FROM invoices i WHERE i.organization_id = $1 AND i.id = a.object_id) ORDER BY a.sequence LIMIT 100`, organization)
	if err != nil {
		return nil, err
	}
	for _, id := range gone {
		faults = append(faults, fmt.Sprintf("organization %d: invoice with id %d is in the audit log and is missing", organization, id))
	}
	if gone, err = collect(ctx, r, "missing payments", scanValue[int64], `SELECT object_id FROM audit_entries a WHERE a.organization_id = $1
		AND a.action = 'payment.record'
		AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.organization_id = $1 AND p.id = a.object_id) ORDER BY a.sequence LIMIT 100`, organization); err != nil {
		return nil, err
	}
	for _, id := range gone {
		faults = append(faults, fmt.Sprintf("organization %d: payment %d is in the audit log and is missing", organization, id))
	}
	payments, err := r.verifyPayments(ctx, organization)
	return append(faults, payments...), err
}

// sealedPayment is a payment beside what its audit entry says of it.
type sealedPayment struct {
	xyra.Payment
	entries int64
	seal    []byte
}

func (r Reader) verifyPayments(ctx context.Context, organization xyra.OrganizationID) (faults []string, err error) {
	scan := func(r row) (p sealedPayment, err error) {
		err = r.Scan(&p.Organization, &p.ID, &p.Invoice, &p.Kind, &p.Source, &p.Currency, &p.Amount, &p.Applied, &p.Credited,
			&p.Method, &p.Reference, instant{&p.At}, &p.RecordedBy, instant{&p.CreatedAt}, &p.entries, &p.seal)
		return p, err
	}
	for last := xyra.PaymentID(0); ; {
		page, err := collect(ctx, r, "sealed payments", scan, `SELECT `+paymentColumns+`,
				(SELECT COUNT(*) FROM audit_entries a WHERE a.organization_id = $1 AND a.object_id = p.id AND a.action = 'payment.record'),
				(SELECT a.seal FROM audit_entries a WHERE a.organization_id = $1 AND a.object_id = p.id AND a.action = 'payment.record' ORDER BY a.sequence LIMIT 1)
			FROM payments p WHERE p.organization_id = $1 AND p.id > $2 ORDER BY p.id LIMIT $3`, organization, last, chainPage)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			last = p.ID
			switch {
			case p.entries == 0:
				faults = append(faults, fmt.Sprintf("organization %d: payment %d of invoice %d is not in the audit log", organization, p.ID, p.Invoice))
			case p.seal != nil && !bytes.Equal(PaymentSeal(p.Payment), p.seal):
				faults = append(faults, fmt.Sprintf("organization %d: payment %d of invoice %d is not as it was recorded", organization, p.ID, p.Invoice))
			}
		}
		if len(page) < chainPage {
			return faults, nil
		}
	}
}
