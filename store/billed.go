package store

import (
	"context"

	"xyra"
	"xyra/money"
)

func scanUnbilled(r row) (u xyra.PeriodUsage, err error) {
	var quantity, charge money.Decimal
	if err := r.Scan(&u.Organization, &u.Period, &u.Agent, &u.Version, &u.Component, &u.Currency, &u.Quantity, &u.Charge, &quantity, &charge); err != nil {
		return u, err
	}
	u.Quantity, u.Charge = u.Quantity.Sub(quantity), u.Charge.Sub(charge)
	return u, nil
}

// What invoices that are not cancelled have billed of the usage row u of organization $1.
const (
	billedParts = ` FROM usage_billed b
		JOIN invoices i ON i.organization_id = b.organization_id AND i.id = b.invoice_id AND i.status <> 'cancelled'
		WHERE b.organization_id = $1 AND b.period = u.period AND b.agent_id = u.agent_id AND b.version_id = u.version_id
		AND b.component = u.component AND b.currency = u.currency`
	billedQuantity = `COALESCE((SELECT dec_sum(b.quantity)` + billedParts + `), '0')`
	billedCharge   = `COALESCE((SELECT dec_sum(b.charge)` + billedParts + `), '0')`
)

// Unbilled reads what no invoice has billed yet of a period's usage in one currency, and of the usage of every
// earlier period that has a generated invoice. Quantity and Charge are the open part, which corrections may make
// negative. In a transaction that has locked the organization, what is returned is what its invoice may bill. The rows
// are not locked, and need not be: what is recorded meanwhile is open for the next invoice.
func (r Reader) Unbilled(ctx context.Context, organization xyra.OrganizationID, period xyra.Period, currency money.Currency) ([]xyra.PeriodUsage, error) {
	return collect(ctx, r, "unbilled usage", scanUnbilled, `SELECT u.organization_id, u.period, u.agent_id, u.version_id,
		u.component, u.currency, u.quantity, u.charge, `+billedQuantity+`, `+billedCharge+` FROM `+allPeriods("AND currency = $2 AND period <= $3")+`
		WHERE (u.period = $3 OR EXISTS (SELECT 1 FROM invoices g WHERE g.organization_id = $1 AND g.period = u.period
			AND g.currency = $2 AND g.is_generated AND g.status <> 'cancelled'))
		AND (u.quantity <> `+billedQuantity+` OR u.charge <> `+billedCharge+`)
		ORDER BY u.period, u.agent_id, u.version_id, u.component`, organization, currency, period)
}

// InsertBilledUsage records what the lines of an invoice have taken from which usage rows.
func (tx *Tx) InsertBilledUsage(ctx context.Context, billed []xyra.BilledUsage) error {
	const columns = 10
	for from := 0; from < len(billed); from += rowsAtOnce {
		rows := billed[from:min(from+rowsAtOnce, len(billed))]
		args := make([]any, 0, columns*len(rows))
		for _, b := range rows {
			u := b.Usage
			args = append(args, u.Organization, b.Invoice, b.Line, u.Period, u.Agent, u.Version, u.Component, u.Currency, u.Quantity, u.Charge)
		}
		if _, err := tx.exec(ctx, "insert billed usage", `INSERT INTO usage_billed (organization_id, invoice_id, line_id, period, agent_id,
			version_id, component, currency, quantity, charge) VALUES `+placeholders(len(rows), columns), args...); err != nil {
			return err
		}
	}
	return nil
}

// BilledUsage reads what an invoice has taken, by line.
func (r Reader) BilledUsage(ctx context.Context, organization xyra.OrganizationID, id xyra.InvoiceID) ([]xyra.BilledUsage, error) {
	scan := func(r row) (b xyra.BilledUsage, err error) {
		u := &b.Usage
		err = r.Scan(&u.Organization, &b.Invoice, &b.Line, &u.Period, &u.Agent, &u.Version, &u.Component, &u.Currency, &u.Quantity, &u.Charge)
		return b, err
	}
	return collect(ctx, r, "billed usage", scan, `SELECT organization_id, invoice_id, line_id, period, agent_id, version_id, component,
		currency, quantity, charge FROM usage_billed WHERE organization_id = $1 AND invoice_id = $2
		ORDER BY line_id, period, agent_id, version_id, component`, organization, id)
}
