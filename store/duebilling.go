package store

import (
	"context"
	"time"

	"xyra"
	"xyra/money"
)

// PeriodCurrency is what one generated invoice covers.
type PeriodCurrency struct {
	Period   xyra.Period
	Currency money.Currency
}

func scanPeriodCurrency(r row) (p PeriodCurrency, err error) {
	return p, r.Scan(&p.Period, &p.Currency)
}

// UnbilledPeriods lists the periods, up to one and that one included, and currencies in which an organization has usage
// that no invoice has billed, earliest first.
func (r Reader) UnbilledPeriods(ctx context.Context, organization xyra.OrganizationID, through xyra.Period) ([]PeriodCurrency, error) {
	return collect(ctx, r, "unbilled periods", scanPeriodCurrency, `SELECT DISTINCT u.period, u.currency FROM `+allPeriods("AND period <= $2")+`
		WHERE (u.quantity <> `+billedQuantity+` OR u.charge <> `+billedCharge+`)
		ORDER BY u.period, u.currency`, organization, through)
}

// GeneratedPeriods lists every period and currency for which an organization ever had a generated invoice, cancelled ones
// included.
func (r Reader) GeneratedPeriods(ctx context.Context, organization xyra.OrganizationID) ([]PeriodCurrency, error) {
	return collect(ctx, r, "generated periods", scanPeriodCurrency, `SELECT DISTINCT period, currency FROM invoices
		WHERE organization_id = $1 AND is_generated ORDER BY period, currency`, organization)
}

// FeesExpected tells whether an organization has an agent in use, made before an instant, whose billing model ever had
// seats or a base fee.
func (r Reader) FeesExpected(ctx context.Context, organization xyra.OrganizationID, before time.Time) (bool, error) {
	return value[bool](ctx, r, "fees expected", `SELECT EXISTS (SELECT 1 FROM agents a
		JOIN billing_model_versions v ON v.organization_id = a.organization_id AND v.billing_model_id = a.billing_model_id
		JOIN billing_model_components c ON c.organization_id = v.organization_id AND c.version_id = v.id
		WHERE a.organization_id = $1 AND a.is_active AND a.archived_at IS NULL AND a.created_at < $2 AND c.kind IN ('base_fee', 'seat'))`,
		organization, xyra.Micros(before))
}

// GeneratedAmounts lists the amounts of the latest generated invoices of an organization in a currency that are not
// cancelled, by period, most of them at most.
func (r Reader) GeneratedAmounts(ctx context.Context, organization xyra.OrganizationID, currency money.Currency, most int) ([]money.Decimal, error) {
	return collect(ctx, r, "generated amounts", scanValue[money.Decimal], `SELECT amount FROM invoices
		WHERE organization_id = $1 AND currency = $2 AND is_generated AND status <> 'cancelled' ORDER BY period DESC LIMIT $3`, organization, currency, most)
}

// OrganizationsAfter lists the next organizations that are not archived, by id.
func (r Reader) OrganizationsAfter(ctx context.Context, after xyra.OrganizationID, limit int) ([]xyra.Organization, error) {
	return collect(ctx, r, "organizations after", scanOrganization, `SELECT `+organizationColumns+` FROM organizations
		WHERE archived_at IS NULL AND id > $1 ORDER BY id LIMIT $2`, after, limit)
}

// InvoicesPastDue names pending invoices of all organizations whose due date has passed, longest first.
func (r Reader) InvoicesPastDue(ctx context.Context, now time.Time, limit int) ([]xyra.InvoiceID, error) {
	return collect(ctx, r, "invoices past due", scanValue[xyra.InvoiceID], `SELECT id FROM invoices
		WHERE status = 'pending' AND due_date < $1 ORDER BY due_date, id LIMIT $2`, xyra.Micros(now), limit)
}
