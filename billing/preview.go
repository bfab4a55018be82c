package billing

import (
	"context"
	"fmt"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
)

// Preview is what the invoice of a month would be. It is no document: it has no number, and nothing remembers it.
type Preview struct {
	Invoice      xyra.Invoice // a draft: without ids, number and times of storage
	Organization xyra.Organization
	Start, End   time.Time // of the period
	Open         bool      // the period is not over: more usage may come
}

// PreviewMonth answers what Generate would make at now, to the digit, and writes nothing. What Generate refuses it
// refuses alike, except that the month need not be over. All reads must be of one state, as those of store.DB.Snapshot are.
func PreviewMonth(ctx context.Context, r store.Reader, now time.Time, by Issuer, organization xyra.OrganizationID, year, monthNumber int64, currency money.Currency) (Preview, error) {
	m, err := asked(ctx, r.Organization, organization, year, monthNumber, currency)
	if err != nil {
		return Preview{}, err
	}
	if err := m.read(ctx, r); err != nil {
		return Preview{}, err
	}
	drafts, err := m.billable()
	if err != nil {
		return Preview{}, err
	}
	invoice := m.invoice(now, by, drafts)
	if err := invoice.Check(); err != nil {
		return Preview{}, fmt.Errorf("preview %s of organization %d: %w", m.period, organization, err)
	}
	invoice.Status = xyra.InvoiceDraft
	return Preview{Invoice: invoice, Organization: m.organization, Start: m.start, End: m.end, Open: now.Before(m.end)}, nil
}
