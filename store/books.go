package store

import (
	"context"

	"xyra"
	"xyra/money"
)

// InvoiceSequence is how far an organization's invoices have been counted.
type InvoiceSequence struct {
	Organization xyra.OrganizationID
	Last         int64
}

// InvoiceSequences lists every organization that has, or by the audit log has had, an invoice.
func (r Reader) InvoiceSequences(ctx context.Context) ([]InvoiceSequence, error) {
	return collect(ctx, r, "invoice sequences", func(r row) (s InvoiceSequence, err error) {
		return s, r.Scan(&s.Organization, &s.Last)
	}, `SELECT o.id, COALESCE(s.sequence, 0) FROM organizations o LEFT JOIN invoice_sequences s ON s.organization_id = o.id ORDER BY o.id`)
}

// InvoicesAfter reads the next invoices of an organization in order of sequence, with their lines, as they are stored:
// unlike Invoice it does not refuse those that do not add up.
func (r Reader) InvoicesAfter(ctx context.Context, organization xyra.OrganizationID, sequence int64, limit int) ([]xyra.Invoice, error) {
	invoices, err := collect(ctx, r, "invoices after", scanInvoice, `SELECT `+invoiceColumns+` FROM invoices
		WHERE organization_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`, organization, sequence, limit)
	if err != nil {
		return nil, err
	}
	for n := range invoices {
		if invoices[n].Lines, err = r.invoiceLines(ctx, organization, invoices[n].ID); err != nil {
			return nil, err
		}
	}
	return invoices, nil
}

// DoublyInvoiced lists the periods of an organization that have two generated invoices of one currency.
func (r Reader) DoublyInvoiced(ctx context.Context, organization xyra.OrganizationID) ([]xyra.Period, error) {
	return collect(ctx, r, "doubly invoiced", scanValue[xyra.Period], `SELECT period FROM invoices
		WHERE organization_id = $1 AND is_generated AND status <> 'cancelled' GROUP BY period, currency HAVING count(*) > 1 ORDER BY period`, organization)
}

// BilledPeriods lists the periods of which an organization's invoices have billed usage.
func (r Reader) BilledPeriods(ctx context.Context, organization xyra.OrganizationID) ([]xyra.Period, error) {
	return collect(ctx, r, "billed periods", scanValue[xyra.Period],
		`SELECT DISTINCT period FROM usage_billed WHERE organization_id = $1 ORDER BY period`, organization)
}

// BilledSum is what invoices that are not cancelled have billed of a usage row, beside what the row holds.
type BilledSum struct {
	Usage            xyra.PeriodUsage
	Quantity, Charge money.Decimal
}

// BilledSums reads every usage row of a period of which something is billed. A row that does not exist holds zeros.
func (r Reader) BilledSums(ctx context.Context, organization xyra.OrganizationID, period xyra.Period) ([]BilledSum, error) {
	scan := func(r row) (b BilledSum, err error) {
		u := &b.Usage
		err = r.Scan(&u.Organization, &u.Period, &u.Agent, &u.Version, &u.Component, &u.Currency, &u.Quantity, &u.Charge, &b.Quantity, &b.Charge)
		return b, err
	}
	return collect(ctx, r, "billed sums", scan, `SELECT b.organization_id, b.period, b.agent_id, b.version_id, b.component, b.currency,
			COALESCE(u.quantity, '0'), COALESCE(u.charge, '0'), dec_sum(b.quantity), dec_sum(b.charge)
		FROM usage_billed b
		JOIN invoices i ON i.organization_id = b.organization_id AND i.id = b.invoice_id AND i.status <> 'cancelled'
		LEFT JOIN `+allPeriods("AND period = $2")+` ON u.organization_id = b.organization_id AND u.period = b.period AND u.agent_id = b.agent_id
			AND u.version_id = b.version_id AND u.component = b.component AND u.currency = b.currency
		WHERE b.organization_id = $1 AND b.period = $2
		GROUP BY b.organization_id, b.period, b.agent_id, b.version_id, b.component, b.currency, u.quantity, u.charge`, organization, period)
}
