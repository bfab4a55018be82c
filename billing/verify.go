package billing

import (
	"context"
	"fmt"

	"xyra"
	"xyra/money"
	"xyra/store"
)

// verifyPage bounds how many invoices are held in memory at once.
const verifyPage = 200

// Verify proves the books from what is stored, on one snapshot, and returns a text for each difference: lines and totals
// add up, each line bills exactly its parts of usage, nothing is billed beyond what was used, numbers of a sequence are
// gapless, no period is invoiced twice, and every invoice and payment is as its chain and its audit entry say.
func Verify(ctx context.Context, db *store.DB) (faults []string, err error) {
	err = db.Snapshot(ctx, func(r store.Reader) error {
		sequences, err := r.InvoiceSequences(ctx)
		if err != nil {
			return err
		}
		for _, s := range sequences {
			for _, check := range []func(context.Context, store.Reader, store.InvoiceSequence) ([]string, error){verifyInvoices, verifyPeriods, verifyUsage, verifyPayments, verifyChain} {
				found, err := check(ctx, r, s)
				if err != nil {
					return fmt.Errorf("verify invoices of organization %d: %w", s.Organization, err)
				}
				faults = append(faults, found...)
			}
		}
		return nil
	})
	return faults, err
}

func verifyInvoices(ctx context.Context, r store.Reader, s store.InvoiceSequence) (faults []string, err error) {
	var last int64
	for {
		page, err := r.InvoicesAfter(ctx, s.Organization, last, verifyPage)
		if err != nil {
			return nil, err
		}
		for _, i := range page {
			if i.Sequence != last+1 {
				faults = append(faults, fmt.Sprintf("organization %d: after invoice %d of its sequence comes %d", s.Organization, last, i.Sequence))
			}
			last = i.Sequence
			billed, err := r.BilledUsage(ctx, s.Organization, i.ID)
			if err != nil {
				return nil, err
			}
			faults = append(faults, verifyInvoice(i, billed)...)
		}
		if len(page) < verifyPage {
			break
		}
	}
	if last != s.Last {
		faults = append(faults, fmt.Sprintf("organization %d: its invoices end at %d of a sequence of %d", s.Organization, last, s.Last))
	}
	return faults, nil
}

// verifyInvoice checks one invoice alone: a line that bills usage is worth, before rounding, the charges it took. What an
// imported invoice bills is its whole month, whatever its lines say.
func verifyInvoice(i xyra.Invoice, billed []xyra.BilledUsage) (faults []string) {
	if err := i.Check(); err != nil {
		faults = append(faults, err.Error())
	}
	if i.Imported != nil {
		return faults
	}
	charges := map[int64]money.Decimal{}
	for _, b := range billed {
		charges[b.Line] = charges[b.Line].Add(b.Usage.Charge)
	}
	for _, line := range i.Lines {
		charge, bills := charges[line.ID]
		delete(charges, line.ID)
		usage := i.Period != 0 && (line.ItemType == itemUsage || line.ItemType == itemOutcome)
		if bills != usage {
			faults = append(faults, fmt.Sprintf("invoice %s line %d: bills usage: %t, should: %t", i.Number, line.ID, bills, usage))
		}
		if worth := line.Quantity.Mul(line.UnitPrice); bills && !worth.Equal(charge) {
			faults = append(faults, fmt.Sprintf("invoice %s line %d: worth %s, bills charges of %s", i.Number, line.ID, worth, charge))
		}
	}
	for line := range charges {
		faults = append(faults, fmt.Sprintf("invoice %s: usage is billed by line %d, which it does not have", i.Number, line))
	}
	return faults
}

func verifyChain(ctx context.Context, r store.Reader, s store.InvoiceSequence) ([]string, error) {
	return r.VerifyInvoices(ctx, s.Organization)
}

func verifyPeriods(ctx context.Context, r store.Reader, s store.InvoiceSequence) (faults []string, err error) {
	twice, err := r.DoublyInvoiced(ctx, s.Organization)
	for _, period := range twice {
		faults = append(faults, fmt.Sprintf("organization %d: %s was invoiced twice", s.Organization, period))
	}
	return faults, err
}

func verifyUsage(ctx context.Context, r store.Reader, s store.InvoiceSequence) (faults []string, err error) {
	periods, err := r.BilledPeriods(ctx, s.Organization)
	if err != nil {
		return nil, err
	}
	return verifyPeriodsUsage(ctx, r, s.Organization, periods)
}

// verifyPeriodsUsage checks that no more is billed of these periods than was used in them.
func verifyPeriodsUsage(ctx context.Context, r store.Reader, organization xyra.OrganizationID, periods []xyra.Period) (faults []string, err error) {
	for _, period := range periods {
		sums, err := r.BilledSums(ctx, organization, period)
		if err != nil {
			return nil, err
		}
		for _, b := range sums {
			if u := b.Usage; b.Quantity.Cmp(u.Quantity) > 0 {
				faults = append(faults, fmt.Sprintf("organization %d, %s, agent %d, version %d, component %d: %s %s used, %s billed",
					organization, u.Period, u.Agent, u.Version, u.Component, u.Quantity, u.Currency, b.Quantity))
			}
		}
	}
	return faults, nil
}
