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
	drafts, err := m.billable()
	if err != nil {
		return xyra.Invoice{}, err
	}
	return m.save(ctx, tx, caller, by, drafts)
}

// billable decides, and refuses a month without lines.
func (m month) billable() ([]draft, error) {
	drafts, err := m.decide()
	if err != nil {
		return nil, fmt.Errorf("bill %s of organization %d: %w", m.period, m.organization.ID, err)
	}
	if len(drafts) == 0 {
		return nil, xyra.Invalid("No billable items found for organization with ID %d in %d/%d", m.organization.ID, m.period.Month(), m.period.Year())
	}
	return drafts, nil
}

// load makes the checks of the contract in its order and reads what the decision needs.
func load(ctx context.Context, tx *store.Tx, id xyra.OrganizationID, year, monthNumber int64, currency money.Currency) (month, error) {
	// The lock comes before every other read: whoever waited for it then sees what the one before has done.
	m, err := asked(ctx, tx.OrganizationLocked, id, year, monthNumber, currency)
	if err != nil {
		return m, err
	}
	if tx.Now.Before(m.end) {
		return m, xyra.Invalid("Billing period %s has not ended yet", m.period)
	}
	return m, m.read(ctx, tx.Reader)
}

// asked is the month that a request names, with the organization that the function reads.
func asked(ctx context.Context, organization func(context.Context, xyra.OrganizationID) (xyra.Organization, error), id xyra.OrganizationID, year, monthNumber int64, currency money.Currency) (m month, err error) {
	if monthNumber < 1 || monthNumber > 12 {
		return m, xyra.Invalid("Month must be between 1 and 12")
	}
	if m.organization, err = organization(ctx, id); err != nil {
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
	m.start, m.end = m.period.Span(zone)
	if m.currency = currency; currency == "" {
		m.currency = m.organization.Currency
	}
	return m, nil
}

// read adds what there is to bill, after the checks that come before it.
func (m *month) read(ctx context.Context, r store.Reader) (err error) {
	id := m.organization.ID
	if m.agents, err = r.AgentsEver(ctx, id); err != nil {
		return err
	}
	if len(m.agents) == 0 {
		return xyra.Invalid("No agents found for organization with ID %d", id)
	}
	switch there, err := r.GeneratedInvoice(ctx, id, m.period, m.currency); {
	case err == nil:
		return m.conflict(there)
	case !xyra.HasCode(err, xyra.CodeNotFound):
		return err
	}
	if m.unbilled, err = r.Unbilled(ctx, id, m.period, m.currency); err != nil {
		return err
	}
	// After the usage, so that every version it names is among them.
	m.versions, err = r.Versions(ctx, id)
	return err
}

func (m month) conflict(there xyra.Invoice) error {
	return xyra.Conflict("Invoice %s already exists for organization with ID %d, period %s and currency %s",
		there.Number, m.organization.ID, m.period, m.currency)
}

// invoice is what the lines make at an instant, before it has a number.
func (m month) invoice(now time.Time, by Issuer, drafts []draft) xyra.Invoice {
	notes := "Monthly invoice for " + m.period.Name()
	invoice := xyra.Invoice{Organization: m.organization.ID, Period: m.period, Currency: m.currency, Status: xyra.InvoicePending,
		IssueDate: now, DueDate: now.AddDate(0, 0, dueDays), Notes: &notes, Parties: by.parties(m.organization),
		Metadata: fmt.Appendf(nil, `{"billing_period":"%s"}`, m.period)}
	for _, d := range drafts {
		invoice.Lines = append(invoice.Lines, d.line)
		invoice.Amount = invoice.Amount.Add(d.line.Amount)
	}
	return invoice
}

// save writes the invoice, its lines and what they bill.
func (m month) save(ctx context.Context, tx *store.Tx, caller xyra.Caller, by Issuer, drafts []draft) (xyra.Invoice, error) {
	invoice := m.invoice(tx.Now, by, drafts)
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
	seal(tx, caller, "invoice.generate", saved, map[string]string{"period": m.period.String()})
	announceIssued(tx, saved)
	return saved, by.promise(ctx, tx, saved)
}

// audit notes what was done about an invoice that it did not change, with number, status and total and what more there is
// to say.
func audit(tx *store.Tx, caller xyra.Caller, action string, i xyra.Invoice, more map[string]string) {
	tx.Audit(caller, entry(action, i, more))
}

// seal notes a change of an invoice, with a digest of what it has become: i must be locked and saved.
func seal(tx *store.Tx, caller xyra.Caller, action string, i xyra.Invoice, more map[string]string) {
	e := entry(action, i, more)
	e.Seal = store.InvoiceSeal(i)
	tx.Audit(caller, e)
}

func entry(action string, i xyra.Invoice, more map[string]string) xyra.AuditEntry {
	detail := map[string]string{"number": i.Number, "status": string(i.Status), "total": i.Total().String(), "currency": string(i.Currency)}
	for name, text := range more {
		detail[name] = text
	}
	text, _ := json.Marshal(detail) // texts always marshal
	return xyra.AuditEntry{Organization: i.Organization, Action: action, ObjectID: int64(i.ID), Detail: text}
}
