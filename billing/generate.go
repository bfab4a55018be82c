package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
)

// dueDays is how long after its making a generated invoice is due.
const dueDays = 15

// Generate makes the invoice of a month that is over and marks the usage on it as billed. An empty currency is the
// billing currency. Generations of one organization run one after the other; all but the first are conflicts.
func Generate(ctx context.Context, tx *store.Tx, caller xyra.Caller, by Issuer, organization xyra.OrganizationID, year, monthNumber int64, currency money.Currency) (xyra.Invoice, error) {
	m, err := load(ctx, tx, organization, year, monthNumber, currency)
	if err != nil {
		return xyra.Invoice{}, err
	}
	drafts, err := m.decide()
	if err != nil {
		return xyra.Invoice{}, fmt.Errorf("bill %s of organization %d: %w", m.period, organization, err)
	}
	if len(drafts) == 0 {
		return xyra.Invoice{}, xyra.Invalid("No billable items found for organization with ID %d in %d/%d", organization, monthNumber, year)
	}
	return m.save(ctx, tx, caller, by, drafts)
}

// load makes the checks of the contract in its order and reads what the decision needs.
func load(ctx context.Context, tx *store.Tx, id xyra.OrganizationID, year, monthNumber int64, currency money.Currency) (m month, err error) {
	if monthNumber < 1 || monthNumber > 12 {
		return m, xyra.Invalid("Month must be between 1 and 12")
	}
	// The lock comes before every other read: whoever waited for it then sees what the one before has done.
	if m.organization, err = tx.OrganizationLocked(ctx, id); err != nil {
		return m, err
	}
	if year < 1 || year > 9999 {
		return m, xyra.Invalid("year %d is out of range", year)
	}
	zone, err := time.LoadLocation(m.organization.Timezone)
	if err != nil {
		return m, fmt.Errorf("time zone of organization %d: %w", id, err)
	}
	m.period = xyra.NewPeriod(int(year), time.Month(monthNumber))
	if _, m.end = m.period.Span(zone); tx.Now.Before(m.end) {
		return m, xyra.Invalid("Billing period %s has not ended yet", m.period)
	}
	if m.agents, err = tx.AgentsEver(ctx, id); err != nil {
		return m, err
	}
	if len(m.agents) == 0 {
		return m, xyra.Invalid("No agents found for organization with ID %d", id)
	}
	if m.currency = currency; currency == "" {
		m.currency = m.organization.Currency
	}
	switch there, err := tx.GeneratedInvoice(ctx, id, m.period, m.currency); {
	case err == nil:
		return m, m.conflict(there)
	case !xyra.HasCode(err, xyra.CodeNotFound):
		return m, err
	}
	if m.unbilled, err = tx.Unbilled(ctx, id, m.period, m.currency); err != nil {
		return m, err
	}
	// After the usage, so that every version it names is among them.
	m.versions, err = tx.Versions(ctx, id)
	return m, err
}

func (m month) conflict(there xyra.Invoice) error {
	return xyra.Conflict("Invoice %s already exists for organization with ID %d, period %s and currency %s",
		there.Number, m.organization.ID, m.period, m.currency)
}

// save writes the invoice, its lines and what they bill.
func (m month) save(ctx context.Context, tx *store.Tx, caller xyra.Caller, by Issuer, drafts []draft) (xyra.Invoice, error) {
	notes := "Monthly invoice for " + m.period.Name()
	invoice := xyra.Invoice{Organization: m.organization.ID, Period: m.period, Currency: m.currency, Status: xyra.InvoicePending,
		IssueDate: tx.Now, DueDate: tx.Now.AddDate(0, 0, dueDays), Notes: &notes, Parties: by.parties(m.organization),
		Metadata: fmt.Appendf(nil, `{"billing_period":"%s"}`, m.period)}
	for _, d := range drafts {
		invoice.Lines = append(invoice.Lines, d.line)
		invoice.Amount = invoice.Amount.Add(d.line.Amount)
	}
	var err error
	if invoice.Number, invoice.ID, err = by.claimNumber(ctx, tx, m.organization); err != nil {
		return xyra.Invoice{}, err
	}
	saved, first, err := tx.InsertInvoice(ctx, invoice)
	if err != nil {
		return xyra.Invoice{}, err
	}
	if !first {
		there, err := tx.GeneratedInvoice(ctx, m.organization.ID, m.period, m.currency)
		if err != nil {
			return xyra.Invoice{}, err
		}
		return xyra.Invoice{}, m.conflict(there)
	}
	var billed []xyra.BilledUsage
	for n, d := range drafts {
		for _, u := range d.from {
			billed = append(billed, xyra.BilledUsage{Usage: u, Invoice: saved.ID, Line: saved.Lines[n].ID})
		}
	}
	if err := tx.InsertBilledUsage(ctx, billed); err != nil {
		return xyra.Invoice{}, err
	}
	audit(tx, caller, "invoice.generate", saved, map[string]string{"period": m.period.String()})
	announceIssued(tx, saved)
	return saved, by.promise(ctx, tx, saved)
}

// audit notes what was done to an invoice, with number, status and total and what more there is to say.
func audit(tx *store.Tx, caller xyra.Caller, action string, i xyra.Invoice, more map[string]string) {
	detail := map[string]string{"number": i.Number, "status": string(i.Status), "total": i.Total().String(), "currency": string(i.Currency)}
	for name, text := range more {
		detail[name] = text
	}
	text, _ := json.Marshal(detail) // texts always marshal
	tx.Audit(caller, xyra.AuditEntry{Organization: i.Organization, Action: action, ObjectID: int64(i.ID), Detail: text})
}
